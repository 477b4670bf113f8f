//! In what two trees differ, in words and in JSON.

use std::fmt::Write as _;

use christen_instance::Value;
use christen_vfs::tree::{Aspect, Difference, TreeFile};
use christen_vfs::{GuestPath, Kind, shown};

use super::show;
use crate::output;

/// One line for each difference: `+` for what only the second tree has, `-` for what only the first has, `~` for what differs.
pub(crate) fn text(differences: &[Difference<'_>]) -> String {
    let mut text = String::new();
    for difference in differences {
        // Writing to a string cannot fail.
        let _ = match difference {
            Difference::OnlyInFirst(path, file) => writeln!(text, "- {path} {}", summary(file)),
            Difference::OnlyInSecond(path, file) => writeln!(text, "+ {path} {}", summary(file)),
            Difference::Differs {
                path,
                first,
                second,
                aspects,
            } => {
                let told: Vec<_> = aspects
                    .iter()
                    .map(|aspect| change(*aspect, first, second))
                    .collect();
                writeln!(text, "~ {path} {}", told.join(", "))
            }
        };
    }
    text
}

/// A file in few words.
fn summary(file: &TreeFile) -> String {
    let mut text = format!(
        "{} {:04o} {}:{}",
        show::kind_name(file.kind),
        file.permissions,
        file.uid,
        file.gid
    );
    if file.kind == Kind::File {
        let _ = write!(text, " {} bytes", file.size);
    }
    if let Some(target) = &file.target {
        let _ = write!(text, " -> {}", shown(target));
    }
    if let Some(other) = &file.same_as {
        let _ = write!(text, " = {other}");
    }
    text
}

fn change(aspect: Aspect, first: &TreeFile, second: &TreeFile) -> String {
    let between = |before: String, after: String| format!("{aspect} {before} → {after}");
    match aspect {
        Aspect::Kind => between(
            show::kind_name(first.kind).to_owned(),
            show::kind_name(second.kind).to_owned(),
        ),
        Aspect::Permissions => between(
            format!("{:04o}", first.permissions),
            format!("{:04o}", second.permissions),
        ),
        Aspect::Owner => between(first.uid.to_string(), second.uid.to_string()),
        Aspect::Group => between(first.gid.to_string(), second.gid.to_string()),
        Aspect::Links => between(first.links.to_string(), second.links.to_string()),
        Aspect::Size => between(first.size.to_string(), second.size.to_string()),
        Aspect::Target => {
            let target = |file: &TreeFile| {
                file.target
                    .as_ref()
                    .map_or_else(|| "none".to_owned(), |it| shown(it))
            };
            between(target(first), target(second))
        }
        Aspect::Attributes => format!("attributes {}", attribute_names(first, second).join(" ")),
        Aspect::Accessed => between(
            show::time_text(first.accessed),
            show::time_text(second.accessed),
        ),
        Aspect::Modified => between(
            show::time_text(first.modified),
            show::time_text(second.modified),
        ),
        Aspect::Changed => between(
            show::time_text(first.changed),
            show::time_text(second.changed),
        ),
        other => other.to_string(),
    }
}

/// The names of the extended attributes that differ, each with `+`, `-` or `~` before it.
fn attribute_names(first: &TreeFile, second: &TreeFile) -> Vec<String> {
    let mut names: Vec<_> = first.attributes.keys().collect();
    names.extend(
        second
            .attributes
            .keys()
            .filter(|name| !first.attributes.contains_key(*name)),
    );
    names.sort_unstable();
    names
        .into_iter()
        .filter_map(
            |name| match (first.attributes.get(name), second.attributes.get(name)) {
                (Some(before), Some(after)) if before == after => None,
                (Some(_), Some(_)) => Some(format!("~{}", shown(name))),
                (Some(_), None) => Some(format!("-{}", shown(name))),
                _ => Some(format!("+{}", shown(name))),
            },
        )
        .collect()
}

/// The differences as a JSON array.
pub(crate) fn value(differences: &[Difference<'_>]) -> Value {
    Value::Array(differences.iter().map(one_value).collect())
}

fn one_value(difference: &Difference<'_>) -> Value {
    let (change, path, first, second) = match difference {
        Difference::OnlyInFirst(path, file) => ("removed", *path, Some(*file), None),
        Difference::OnlyInSecond(path, file) => ("added", *path, None, Some(*file)),
        Difference::Differs {
            path,
            first,
            second,
            ..
        } => ("changed", *path, Some(*first), Some(*second)),
    };
    let mut members = vec![("change".to_owned(), change.into())];
    add_path(&mut members, path);
    if let Difference::Differs { aspects, .. } = difference {
        let names = aspects.iter().map(|it| Value::from(it.to_string()));
        members.push(("aspects".to_owned(), Value::Array(names.collect())));
    }
    for (name, file) in [("before", first), ("after", second)] {
        members.push((name.to_owned(), file.map_or(Value::Null, file_value)));
    }
    Value::Object(members)
}

fn add_path(members: &mut Vec<(String, Value)>, path: &GuestPath) {
    show::add_bytes(members, "path", &path.to_bytes());
}

fn file_value(file: &TreeFile) -> Value {
    let mut members = vec![
        ("kind".to_owned(), Value::from(show::kind_name(file.kind))),
        (
            "mode".to_owned(),
            format!("{:04o}", file.permissions).into(),
        ),
        ("uid".to_owned(), output::number(file.uid.into())),
        ("gid".to_owned(), output::number(file.gid.into())),
        ("links".to_owned(), output::number(file.links.into())),
        ("size_bytes".to_owned(), output::number(file.size)),
        ("modified".to_owned(), show::time_text(file.modified).into()),
    ];
    let hash = file.content.map(|hash| hash.to_string());
    members.push(("sha256".to_owned(), hash.as_deref().into()));
    if let Some(target) = &file.target {
        show::add_bytes(&mut members, "target", target);
    }
    if let Some(other) = &file.same_as {
        show::add_bytes(&mut members, "same_as", &other.to_bytes());
    }
    let attributes = file.attributes.iter().map(|(name, value)| {
        let name = String::from_utf8_lossy(name).into_owned();
        (name, Value::from(show::hex(value)))
    });
    members.push((
        "extended_attributes_hex".to_owned(),
        Value::Object(attributes.collect()),
    ));
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use christen_vfs::memory::Memory;
    use christen_vfs::tree::{Aspects, Tree, TreeOptions, differences};
    use christen_vfs::{FileSystem, Timestamp};

    use super::*;
    use crate::image::{edit, script};

    #[test]
    fn each_difference_has_its_line() {
        let apply = |fs: &mut Memory, text: &str| {
            let steps = script::parse(text.as_bytes()).expect("it is right");
            edit::apply(fs, &steps, Timestamp::default()).expect("it can be done");
        };
        let mut first = Memory::new();
        apply(
            &mut first,
            "write /a one\nmkdir /d\nwrite /gone x\nln -s a /l\nxattr set /a user.x 1",
        );
        let mut second = first.clone();
        apply(
            &mut second,
            "write -m 0600 /a four\nxattr set /a user.y 2\nrm /gone\nrm /l\nln -s b /l\n\
             ln /a /z\nchown 1:2 /d\nrm /d\nwrite /d x",
        );
        let read = |fs: &mut Memory| {
            let options = TreeOptions {
                content_bytes: u64::MAX,
            };
            let root = fs.root();
            Tree::read(fs, root, &options).expect("it can be read")
        };
        let (first, second) = (read(&mut first), read(&mut second));
        let differences = differences(&first, &second, &Aspects::WITHOUT_TIMES);
        assert_eq!(
            text(&differences),
            "~ /a permissions 0644 → 0600, links 1 → 2, size 3 → 4, content, attributes +user.y\n\
             ~ /d kind directory → file, permissions 0755 → 0644\n\
             - /gone file 0644 0:0 1 bytes\n\
             ~ /l target a → b\n\
             + /z file 0600 0:0 4 bytes = /a\n"
        );
        let json = christen_instance::json::encode(&value(&differences));
        assert!(
            json.contains("\"extended_attributes_hex\": {\"user.x\": \"31\"}"),
            "{json}"
        );
    }
}
