//! SELinux labels of what is put into a guest, by the guest's own policy.
//!
//! A guest that enforces a policy lets nobody log in whose `authorized_keys` has the wrong label, and Nova's line in `rc.local` mends that only
//! where it still runs. Here the label is computed from the image's own file contexts and written with the file.
//!
//! selabel_file(5) and libselinux, `src/label_file.c`.

mod contexts;
mod pattern;
mod substitutions;

#[cfg(test)]
mod tests;

use christen_vfs::walk::LastLink;
use christen_vfs::{Error as FsError, GuestPath, Kind};

use self::contexts::{Contexts, Label};
use self::substitutions::Substitutions;
use crate::error::{Error, Result};
use crate::{Item, ItemKind, Stage};

/// The attribute that holds a label. Its value ends with a NUL (`setfilecon(3)` writes one).
pub const ATTRIBUTE: &[u8] = b"security.selinux";

/// Says which policy the guest uses (selinux_config(5)).
const CONFIG: &str = "/etc/selinux/config";

/// How a guest uses SELinux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What the policy forbids is stopped.
    Enforcing,
    /// What the policy forbids is logged. Labels are kept all the same.
    Permissive,
    /// There are no labels.
    Disabled,
}

impl Mode {
    /// Returns the name, as the configuration has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforcing => "enforcing",
            Self::Permissive => "permissive",
            Self::Disabled => "disabled",
        }
    }
}

/// What the guest says of SELinux.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How it is used.
    pub mode: Mode,
    /// The name of the policy, which is that of its directory in `/etc/selinux`.
    pub policy: String,
}

impl Config {
    /// Reads what a guest says of SELinux; `None` if it does not know it.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] if the policy has a name that is none, and when the file cannot be read.
    pub fn read(stage: &mut Stage<'_>) -> Result<Option<Self>> {
        let path = path(CONFIG);
        let Some(text) = stage.read(&path)? else {
            return Ok(None);
        };
        let config = Self::parse(&text);
        // It becomes a part of a path.
        if config.policy.is_empty()
            || config.policy.starts_with('.')
            || config.policy.contains(['/', '\0'])
        {
            return Err(Error::Broken {
                path,
                line: None,
                rule: "`SELINUXTYPE` is the name of a directory in `/etc/selinux`",
            });
        }
        Ok(Some(config))
    }

    /// Parses `/etc/selinux/config`.
    ///
    /// libselinux `src/selinux_config.c`: `selinux_getenforcemode` takes the first line that begins with `SELINUX=` and has one of the three
    /// words, without regard to case; `init_selinux_config` the last `SELINUXTYPE=`, `targeted` if there is none. Without a mode SELinux
    /// stays off.
    pub fn parse(text: &[u8]) -> Self {
        let lines = || text.split(|byte| *byte == b'\n');
        let mode = lines().find_map(|line| {
            let value = line.strip_prefix(b"SELINUX=")?.to_ascii_lowercase();
            [Mode::Enforcing, Mode::Permissive, Mode::Disabled]
                .into_iter()
                .find(|mode| value.starts_with(mode.name().as_bytes()))
        });
        let policy = lines()
            .filter_map(|line| line.trim_ascii().strip_prefix(b"SELINUXTYPE="))
            .map(<[u8]>::trim_ascii)
            .rfind(|value| !value.is_empty());
        Self {
            mode: mode.unwrap_or(Mode::Disabled),
            policy: policy.map_or_else(
                || "targeted".to_owned(),
                |it| String::from_utf8_lossy(it).into_owned(),
            ),
        }
    }
}

/// The labels that a guest's policy gives to paths.
#[derive(Debug)]
pub struct Labels {
    contexts: Contexts,
    substitutions: Substitutions,
    /// Types that an administrator gives by hand, and that stay.
    customizable: Vec<String>,
}

impl Labels {
    /// Reads the file contexts of a policy; `None` if it is not installed.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] for lines that libselinux refuses too, [`Error::Impossible`] if there are only compiled ones.
    pub fn read(stage: &mut Stage<'_>, policy: &str) -> Result<Option<Self>> {
        let top = path(&format!("/etc/selinux/{policy}/contexts"));
        let file = |name: &str| top.join(b"files").join(name.as_bytes());
        let base = file("file_contexts");
        let Some(text) = stage.read(&base)? else {
            if stage.exists(&file("file_contexts.bin"))? {
                return Err(Error::Impossible {
                    item: stage.item().clone(),
                    reason: format!(
                        "`{base}` is not there, only its compiled form, which christen does not read"
                    ),
                });
            }
            return Ok(None);
        };
        let mut contexts = Contexts::default();
        contexts.add(base, &text)?;
        // In this order: among patterns that match, the last one counts.
        for name in ["file_contexts.homedirs", "file_contexts.local"] {
            let file = file(name);
            if let Some(text) = stage.read(&file)? {
                contexts.add(file, &text)?;
            }
        }
        let mut table =
            |name: &str| -> Result<Vec<u8>> { Ok(stage.read(&file(name))?.unwrap_or_default()) };
        let substitutions = Substitutions::parse(
            &table("file_contexts.subs")?,
            &table("file_contexts.subs_dist")?,
        );
        let customizable = stage
            .read(&top.join(b"customizable_types"))?
            .unwrap_or_default();
        Ok(Some(Self {
            contexts,
            substitutions,
            customizable: String::from_utf8_lossy(&customizable)
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        }))
    }

    /// Returns the label for a path, or `None` if the policy wants none there.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] for a pattern that would have to be tried and that christen cannot express.
    pub fn label(&mut self, path: &GuestPath, kind: Kind) -> Result<Option<&str>> {
        let key = self.substitutions.apply(path.to_bytes());
        Ok(match self.contexts.find(&key, kind)? {
            Some(Label::Context(context)) => Some(context),
            Some(Label::None) | None => None,
        })
    }

    /// As restorecon(8) does without `-F`: what has the right type is right, a type that was given by hand stays, and of another only
    /// the type changes (libselinux, `src/selinux_restorecon.c`).
    fn settled(&self, present: Option<&[u8]>, wanted: &str) -> Option<String> {
        let present =
            present.and_then(|it| str::from_utf8(it.strip_suffix(b"\0").unwrap_or(it)).ok());
        let Some(present) = present else {
            return Some(wanted.to_owned());
        };
        let mut fields: Vec<_> = present.splitn(4, ':').collect();
        let wanted_type = wanted.split(':').nth(2);
        match (fields.get(2).copied(), wanted_type) {
            (Some(own), Some(wanted)) if own == wanted => None,
            (Some(own), _) if self.customizable.iter().any(|it| it == own) => None,
            (Some(_), Some(wanted)) => {
                fields[2] = wanted;
                Some(fields.join(":"))
            }
            // What has no type is no label.
            _ => Some(wanted.to_owned()),
        }
    }
}

/// Gives everything that was staged the label that the guest's policy wants.
///
/// # Errors
///
/// What cannot be read of the policy; the identity would be there, and the guest would not let it be used.
pub fn label(stage: &mut Stage<'_>) -> Result<()> {
    stage.begin(Item::new(ItemKind::Labels));
    let Some(config) = Config::read(stage)? else {
        return Ok(());
    };
    if config.mode == Mode::Disabled {
        return Ok(());
    }
    let Some(mut labels) = Labels::read(stage, &config.policy)? else {
        stage.notice(format!(
            "`{CONFIG}` names the policy `{}`, which is not installed: nothing was labelled",
            config.policy.escape_debug()
        ));
        return Ok(());
    };
    for change in stage.changes() {
        let Some(after) = change.after else {
            continue;
        };
        let Some(wanted) = labels.label(&change.path, after.kind)?.map(str::to_owned) else {
            continue;
        };
        let present = stage.attribute_of(&change.path, LastLink::Kept, ATTRIBUTE)?;
        let Some(label) = labels.settled(present.as_deref(), &wanted) else {
            continue;
        };
        let value = [label.as_bytes(), b"\0"].concat();
        match stage.attribute(&change.path, LastLink::Kept, ATTRIBUTE, Some(&value)) {
            // Such as FAT: the whole volume has one label, by its mount.
            Err(Error::File {
                source: FsError::NotPossible(_),
                ..
            }) => {}
            other => other?,
        }
    }
    Ok(())
}

fn path(text: &str) -> GuestPath {
    // It begins with `/`, and a policy's name has no NUL.
    GuestPath::new(text).expect("the path is right")
}
