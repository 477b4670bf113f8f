//! The files that an image consists of, for `christen inspect`.

use std::os::unix::ffi::OsStrExt;

use christen_block::{Layer, LayerRole};
use christen_instance::Value;
use christen_vfs::shown;

use super::qcow2::{Qcow2, shown_name};
use super::show;
use crate::output;

/// A file and what it says of itself.
#[derive(Debug)]
pub(crate) struct ImageFile {
    layer: Layer,
    qcow2: Option<Qcow2>,
    /// Why it was not opened; none also if that failed earlier, with another one.
    why: Option<String>,
}

/// Reads what each file says of itself. `why` tells what stopped the opening, if something did.
pub(crate) fn read(layers: Vec<Layer>, why: Option<String>) -> Vec<ImageFile> {
    // They are opened in the order of the list, and the first failure ends that.
    let mut why = why;
    layers
        .into_iter()
        .map(|layer| ImageFile {
            qcow2: layer.opened.as_ref().and_then(Qcow2::read),
            why: match layer.opened {
                Some(_) => None,
                None => why.take(),
            },
            layer,
        })
        .collect()
}

fn role(role: LayerRole) -> (&'static str, &'static str) {
    match role {
        LayerRole::Image => ("image", "image"),
        LayerRole::DataFile => ("data file", "data-file"),
        LayerRole::BackingFile => ("backing file", "backing-file"),
    }
}

impl ImageFile {
    /// Its name, as whoever names it writes it.
    pub(crate) fn name(&self) -> String {
        shown_name(&self.layer.name)
    }

    /// What it is and its name, as a title.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", role(self.layer.role).0, self.name())
    }

    /// The length of the disk in it, in bytes; a data file alone is none.
    pub(crate) fn disk_bytes(&self) -> Option<u64> {
        let opened = self.layer.opened.as_ref()?;
        match (&self.qcow2, self.layer.role) {
            (Some(qcow2), _) => Some(qcow2.disk_bytes()),
            (None, LayerRole::DataFile) => None,
            (None, _) => Some(opened.file_bytes),
        }
    }

    /// The format, and who says so.
    fn format(&self) -> Option<String> {
        let how = |it: &str| match (&self.layer.stated_format, self.layer.role) {
            (None, LayerRole::DataFile) => it.to_owned(),
            (None, _) => format!("{it}, told by its first bytes"),
            (Some(_), LayerRole::Image) => format!("{it}, as stated"),
            (Some(_), _) => format!("{it}, as the file that names it states"),
        };
        match (&self.layer.opened, &self.layer.stated_format) {
            (Some(opened), _) => Some(how(opened.format.name())),
            (None, Some(stated)) => Some(how(&shown_name(stated.as_bytes()))),
            (None, None) => None,
        }
    }

    /// What is shown, name by name; `named_by` is the file that names it.
    pub(crate) fn facts(&self, named_by: Option<&Self>) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        if let Some(above) = named_by {
            facts.push(("named by", above.name()));
        }
        if let Some(opened) = &self.layer.opened {
            facts.push(("path", shown(opened.path.as_os_str().as_bytes())));
        } else {
            facts.push((
                "state",
                match &self.why {
                    Some(why) => format!("not opened: {}", output::visible(why)),
                    None => "not opened".to_owned(),
                },
            ));
        }
        facts.extend(self.format().map(|format| ("format", format)));
        let size = |bytes| format!("{bytes} bytes ({})", show::size_text(bytes));
        if let Some(opened) = &self.layer.opened {
            // Of a raw image they are one.
            if self.disk_bytes() != Some(opened.file_bytes) {
                facts.push(("file size", size(opened.file_bytes)));
            }
            facts.extend(self.disk_bytes().map(|bytes| ("disk size", size(bytes))));
            if opened.is_recovery_pending {
                let told = "a commit was cut, and is shown as if it were complete";
                facts.push(("state", told.to_owned()));
            }
        }
        facts.extend(self.qcow2.iter().flat_map(Qcow2::facts));
        facts
    }

    /// What cannot be told of it.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        let warnings = self.qcow2.iter().flat_map(Qcow2::warnings);
        warnings.map(|it| format!("{}: {it}", self.title()))
    }

    /// The number, in the list of all, of the file that names it.
    pub(crate) fn named_by(&self) -> Option<usize> {
        self.layer.named_by
    }

    /// What programs ask first, if it is the image itself.
    pub(crate) fn summary(&self) -> Vec<(String, Value)> {
        let opened = self.layer.opened.as_ref();
        [
            (
                "image",
                String::from_utf8_lossy(&self.layer.name)
                    .into_owned()
                    .into(),
            ),
            ("format", opened.map(|it| it.format.name()).into()),
            ("format_stated", self.layer.stated_format.is_some().into()),
            (
                "disk_size_bytes",
                self.disk_bytes().map_or(Value::Null, output::number),
            ),
            (
                "recovery_pending",
                opened.is_some_and(|it| it.is_recovery_pending).into(),
            ),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// All of it for programs.
    pub(crate) fn value(&self) -> Value {
        let mut members = Vec::new();
        let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
        add("role", role(self.layer.role).1.into());
        let named_by = self.layer.named_by.map(|it| output::number(it as u64));
        add("named_by", named_by.unwrap_or(Value::Null));
        show::add_bytes(&mut members, "name", &self.layer.name);
        let opened = self.layer.opened.as_ref();
        let mut add = |name: &str, value: Option<Value>| {
            members.push((name.to_owned(), value.unwrap_or(Value::Null)));
        };
        add("opened", Some(opened.is_some().into()));
        add("why_not_opened", self.why.as_deref().map(Value::from));
        add("path", opened.map(|it| show::path_value(&it.path)));
        add("format", opened.map(|it| it.format.name().into()));
        let stated = self.layer.stated_format.as_deref();
        add("format_stated", stated.map(Value::from));
        add(
            "file_size_bytes",
            opened.map(|it| output::number(it.file_bytes)),
        );
        add("disk_size_bytes", self.disk_bytes().map(output::number));
        add(
            "recovery_pending",
            opened.map(|it| it.is_recovery_pending.into()),
        );
        add("qcow2", self.qcow2.as_ref().map(Qcow2::value));
        Value::Object(members)
    }
}
