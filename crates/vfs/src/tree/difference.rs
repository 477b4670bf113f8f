//! In what two trees differ.

use std::fmt;

use super::{Tree, TreeFile};
use crate::path::GuestPath;

/// One thing in which files can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Aspect {
    /// What it is; of a device, its numbers too.
    Kind,
    /// The permission bits.
    Permissions,
    /// The owner.
    Owner,
    /// The group.
    Group,
    /// How many names it has, and which.
    Links,
    /// The length of the content.
    Size,
    /// The content.
    Content,
    /// The target of a symbolic link.
    Target,
    /// The extended attributes.
    Attributes,
    /// When it was last read.
    Accessed,
    /// When its content last changed.
    Modified,
    /// When its attributes last changed.
    Changed,
    /// When it was made.
    Created,
}

impl fmt::Display for Aspect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kind => "kind",
            Self::Permissions => "permissions",
            Self::Owner => "owner",
            Self::Group => "group",
            Self::Links => "links",
            Self::Size => "size",
            Self::Content => "content",
            Self::Target => "target",
            Self::Attributes => "attributes",
            Self::Accessed => "accessed",
            Self::Modified => "modified",
            Self::Changed => "changed",
            Self::Created => "created",
        })
    }
}

/// What of two trees is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aspects {
    /// Whether owners, groups and permission bits are.
    pub owners: bool,
    /// Whether link counts are, and which names are of one file.
    pub links: bool,
    /// Whether the link counts of directories are, which each filesystem counts in its own way.
    pub directory_links: bool,
    /// Whether extended attributes are.
    pub attributes: bool,
    /// Whether the times of the last change of content are.
    pub modified: bool,
    /// Whether the times of the last reading are.
    pub accessed: bool,
    /// Whether the times of the last change of attributes are.
    pub changed: bool,
    /// Whether the times of making are.
    pub created: bool,
}

impl Aspects {
    /// All that there is.
    pub const ALL: Self = Self {
        owners: true,
        links: true,
        directory_links: true,
        attributes: true,
        modified: true,
        accessed: true,
        changed: true,
        created: true,
    };

    /// All but times and the link counts of directories: what whoever uses a tree means by the same.
    pub const WITHOUT_TIMES: Self = Self {
        directory_links: false,
        modified: false,
        accessed: false,
        changed: false,
        created: false,
        ..Self::ALL
    };
}

/// One path at which two trees differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference<'a> {
    /// Only the first tree has it.
    OnlyInFirst(&'a GuestPath, &'a TreeFile),
    /// Only the second tree has it.
    OnlyInSecond(&'a GuestPath, &'a TreeFile),
    /// Both have it, and it differs.
    Differs {
        /// The path.
        path: &'a GuestPath,
        /// What is there in the first tree.
        first: &'a TreeFile,
        /// What is there in the second tree.
        second: &'a TreeFile,
        /// In what they differ; never empty.
        aspects: Vec<Aspect>,
    },
}

impl Difference<'_> {
    /// Returns the path.
    pub fn path(&self) -> &GuestPath {
        match self {
            Self::OnlyInFirst(path, _)
            | Self::OnlyInSecond(path, _)
            | Self::Differs { path, .. } => path,
        }
    }
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyInFirst(path, _) => write!(formatter, "{path}: only in the first"),
            Self::OnlyInSecond(path, _) => write!(formatter, "{path}: only in the second"),
            Self::Differs {
                path,
                first,
                second,
                aspects,
            } => {
                write!(formatter, "{path}:")?;
                for (index, aspect) in aspects.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(formatter, "{comma} {aspect} ")?;
                    show(formatter, *aspect, first)?;
                    formatter.write_str(" and ")?;
                    show(formatter, *aspect, second)?;
                }
                Ok(())
            }
        }
    }
}

/// Writes one aspect of a file.
fn show(formatter: &mut fmt::Formatter<'_>, aspect: Aspect, file: &TreeFile) -> fmt::Result {
    match aspect {
        Aspect::Kind => write!(formatter, "{:?}", file.kind),
        Aspect::Permissions => write!(formatter, "{:04o}", file.permissions),
        Aspect::Owner => write!(formatter, "{}", file.uid),
        Aspect::Group => write!(formatter, "{}", file.gid),
        Aspect::Links => match &file.same_as {
            Some(path) => write!(formatter, "{} (as `{path}`)", file.links),
            None => write!(formatter, "{}", file.links),
        },
        Aspect::Size => write!(formatter, "{}", file.size),
        Aspect::Content => match &file.content {
            Some(hash) => write!(formatter, "{hash}"),
            None => formatter.write_str("not read"),
        },
        Aspect::Target => match &file.target {
            Some(target) => write!(formatter, "`{}`", target.escape_ascii()),
            None => formatter.write_str("none"),
        },
        Aspect::Attributes => {
            formatter.write_str("{")?;
            for (index, (name, value)) in file.attributes.iter().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                write!(
                    formatter,
                    "{comma}{}=`{}`",
                    name.escape_ascii(),
                    value.escape_ascii()
                )?;
            }
            formatter.write_str("}")
        }
        Aspect::Accessed => show_time(formatter, Some(file.accessed)),
        Aspect::Modified => show_time(formatter, Some(file.modified)),
        Aspect::Changed => show_time(formatter, Some(file.changed)),
        Aspect::Created => show_time(formatter, file.created),
    }
}

fn show_time(
    formatter: &mut fmt::Formatter<'_>,
    time: Option<crate::filesystem::Timestamp>,
) -> fmt::Result {
    match time {
        Some(time) => write!(formatter, "{}.{:09}", time.seconds, time.nanoseconds),
        None => formatter.write_str("none"),
    }
}

/// Returns where two trees differ, by path.
pub fn differences<'a>(
    first: &'a Tree,
    second: &'a Tree,
    compared: &Aspects,
) -> Vec<Difference<'a>> {
    let mut differences = Vec::new();
    let mut left = first.files.iter().peekable();
    let mut right = second.files.iter().peekable();
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return differences,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((left, _)), Some((right, _))) => left.cmp(right),
        };
        let one = order.is_le().then(|| left.next()).flatten();
        let other = order.is_ge().then(|| right.next()).flatten();
        match (one, other) {
            (Some((path, file)), None) => differences.push(Difference::OnlyInFirst(path, file)),
            (None, Some((path, file))) => differences.push(Difference::OnlyInSecond(path, file)),
            (Some((path, first)), Some((_, second))) => {
                let aspects = aspects_that_differ(first, second, compared);
                if !aspects.is_empty() {
                    differences.push(Difference::Differs {
                        path,
                        first,
                        second,
                        aspects,
                    });
                }
            }
            (None, None) => return differences,
        }
    }
}

fn aspects_that_differ(first: &TreeFile, second: &TreeFile, compared: &Aspects) -> Vec<Aspect> {
    let kind = first.kind != second.kind;
    let is_directory = first.kind == crate::filesystem::Kind::Directory;
    let counted = compared.links && (compared.directory_links || !is_directory);
    let links = first.links != second.links || first.same_as != second.same_as;
    [
        (Aspect::Kind, kind),
        (
            Aspect::Permissions,
            compared.owners && first.permissions != second.permissions,
        ),
        (Aspect::Owner, compared.owners && first.uid != second.uid),
        (Aspect::Group, compared.owners && first.gid != second.gid),
        (Aspect::Links, !kind && counted && links),
        (Aspect::Size, !kind && first.size != second.size),
        (Aspect::Content, !kind && first.content != second.content),
        (Aspect::Target, !kind && first.target != second.target),
        (
            Aspect::Attributes,
            compared.attributes && first.attributes != second.attributes,
        ),
        (
            Aspect::Accessed,
            compared.accessed && first.accessed != second.accessed,
        ),
        (
            Aspect::Modified,
            compared.modified && first.modified != second.modified,
        ),
        (
            Aspect::Changed,
            compared.changed && first.changed != second.changed,
        ),
        (
            Aspect::Created,
            compared.created && first.created != second.created,
        ),
    ]
    .into_iter()
    .filter_map(|(aspect, differs)| differs.then_some(aspect))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::tree::TreeOptions;
    use crate::{FileSystem, NewFile, NewKind, Timestamp};

    const OPTIONS: TreeOptions = TreeOptions {
        content_bytes: 1 << 20,
    };
    const FILE: NewFile<'static> = NewFile {
        kind: NewKind::File,
        permissions: 0o644,
        uid: 0,
        gid: 0,
    };

    fn shown(first: &mut Memory, second: &mut Memory, compared: &Aspects) -> Vec<String> {
        let root = first.root();
        let one = Tree::read(first, root, &OPTIONS).unwrap();
        let two = Tree::read(second, root, &OPTIONS).unwrap();
        differences(&one, &two, compared)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn each_difference_is_told() {
        let mut first = Memory::new();
        let root = first.root();
        let a = first.create(root, b"a", &FILE).unwrap();
        let b = first.create(root, b"b", &FILE).unwrap();
        first.link(b, root, b"c").unwrap();
        let mut second = first.clone();
        assert!(shown(&mut first, &mut second, &Aspects::ALL).is_empty());

        second.set_now(Timestamp {
            seconds: 7,
            nanoseconds: 0,
        });
        second.write_at(a, b"x", 0).unwrap();
        second.set_permissions(b, 0o600).unwrap();
        second.set_attribute(b, b"user.k", b"v\n").unwrap();
        second.create(root, b"d", &FILE).unwrap();
        let differences = shown(&mut first, &mut second, &Aspects::WITHOUT_TIMES);
        assert_eq!(differences.len(), 4);
        assert!(
            differences[0].starts_with("/a: size 0 and 1, content e3b0c4"),
            "{differences:?}"
        );
        assert_eq!(
            differences[1..],
            [
                "/b: permissions 0644 and 0600, attributes {} and {user.k=`v\\n`}",
                "/c: permissions 0644 and 0600, attributes {} and {user.k=`v\\n`}",
                "/d: only in the second",
            ]
        );
        let timed = shown(&mut first, &mut second, &Aspects::ALL);
        assert!(
            timed[0].starts_with("/: modified 0.000000000 and 7.0"),
            "{timed:?}"
        );
    }

    #[test]
    fn names_of_one_file_are_not_two_files() {
        let mut first = Memory::new();
        let root = first.root();
        let mut second = first.clone();
        let a = first.create(root, b"a", &FILE).unwrap();
        first.link(a, root, b"b").unwrap();
        second.create(root, b"a", &FILE).unwrap();
        second.create(root, b"b", &FILE).unwrap();
        assert_eq!(
            shown(&mut first, &mut second, &Aspects::WITHOUT_TIMES),
            ["/a: links 2 and 1", "/b: links 2 (as `/a`) and 1"]
        );
    }
}
