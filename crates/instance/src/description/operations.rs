//! The keys `operations`, `machine_id` and `seed_cloud_init` of the section `guest:`.

use super::build::Builder;
use super::content::Size;
use super::format::{Field, Object, Shape, Text};
use super::text::mode;
use super::walk::enter;
use crate::Secret;
use crate::model::{MachineId, Operation, Seed};
use crate::tree::Node;

const PATH: Shape = Shape::Text(Text::AbsolutePath);

/// A plain operation.
pub(crate) static OPERATION: Object = Object {
    name: "operation",
    doc: "A plain operation on the guest's files: exactly one of these. They are done in order, after accounts and files, with \
          virt-customize's names; paths have no wildcards. From a drive they are done by a shell at the first boot, before \
          `first_boot_commands`.",
    fields: &[
        Field::new(
            "write",
            Shape::Object(&WRITE),
            "A file has this content; a new one is root's, mode 0644, and parents are made.",
        ),
        Field::new(
            "upload",
            Shape::Object(&UPLOAD),
            "As `write`, with the content of a file here.",
        ),
        Field::new(
            "append_line",
            Shape::Object(&APPEND_LINE),
            "A file has this line; it is added at the end unless it is there.",
        )
        .alike(&["append-line", "append"]),
        Field::new("mkdir", PATH, "A directory is there, with those above it.")
            .alike(&["make_directory"]),
        Field::new(
            "chmod",
            Shape::Object(&CHMOD),
            "A file has these permission bits.",
        ),
        Field::new("chown", Shape::Object(&CHOWN), "A file has this owner."),
        Field::new(
            "delete",
            PATH,
            "Nothing is there; a directory goes with all that is in it.",
        )
        .alike(&["remove", "rm"]),
        Field::new("link", Shape::Object(&LINK), "A symbolic link is there.").alike(&["symlink"]),
        Field::new(
            "move",
            Shape::Object(&MOVE),
            "A file or a directory has another name.",
        )
        .alike(&["rename", "mv"]),
        Field::new(
            "touch",
            PATH,
            "A file is there, and was changed at the moment of the injection.",
        ),
        Field::new("truncate", PATH, "A file that is there is empty."),
    ],
    exactly_one: &[
        "write",
        "upload",
        "append_line",
        "mkdir",
        "chmod",
        "chown",
        "delete",
        "link",
        "move",
        "touch",
        "truncate",
    ],
    strangers: &[
        (
            "run_command",
            "no code of the guest is run; `first_boot_commands` run when it first boots",
        ),
        (
            "copy_in",
            "name each file: `upload: {source: ..., path: ...}`",
        ),
    ],
};

static WRITE: Object = Object {
    name: "write",
    doc: "Content for a file: `path` and exactly one of `text`, `base64` and `source`.",
    fields: &[
        Field::new("path", PATH, "Absolute path.").required(),
        Field::new("text", Shape::Text(Text::Any), "The text itself.")
            .secret()
            .alike(&["content", "contents"]),
        Field::new("base64", Shape::Text(Text::Base64), "Bytes in base64.")
            .secret()
            .alike(&["b64"]),
        Field::new(
            "source",
            Shape::Text(Text::LocalPath),
            "A file to read, relative to the description.",
        )
        .alike(&["file", "from", "src"]),
    ],
    exactly_one: &["text", "base64", "source"],
    strangers: &[],
};

static UPLOAD: Object = Object {
    name: "upload",
    doc: "A file from here.",
    fields: &[
        Field::new(
            "source",
            Shape::Text(Text::LocalPath),
            "A file to read, relative to the description.",
        )
        .required()
        .alike(&["file", "from", "src"]),
        Field::new("path", PATH, "Absolute path in the guest.")
            .required()
            .alike(&["to", "target", "destination"]),
    ],
    exactly_one: &[],
    strangers: &[],
};

static APPEND_LINE: Object = Object {
    name: "append_line",
    doc: "A line of a file.",
    fields: &[
        Field::new("path", PATH, "Absolute path.").required(),
        Field::new(
            "line",
            Shape::Text(Text::Line),
            "The line, without its end.",
        )
        .required()
        .alike(&["text"]),
    ],
    exactly_one: &[],
    strangers: &[],
};

static CHMOD: Object = Object {
    name: "chmod",
    doc: "Permission bits of a file.",
    fields: &[
        Field::new("path", PATH, "Absolute path.").required(),
        Field::new(
            "mode",
            Shape::Text(Text::Mode),
            "Permission bits in octal, in quotes: `\"0644\"`.",
        )
        .required()
        .alike(&["permissions", "perms"]),
    ],
    exactly_one: &[],
    strangers: &[],
};

static CHOWN: Object = Object {
    name: "chown",
    doc: "The owner of a file.",
    fields: &[
        Field::new("path", PATH, "Absolute path.").required(),
        Field::new(
            "owner",
            Shape::Text(Text::Name),
            "Owner and group, by name: `root:root`, `root` or `:root`.",
        )
        .required()
        .alike(&["user"]),
    ],
    exactly_one: &[],
    strangers: &[],
};

static LINK: Object = Object {
    name: "link",
    doc: "A symbolic link.",
    fields: &[
        Field::new("path", PATH, "Absolute path of the link.")
            .required()
            .alike(&["link", "name"]),
        Field::new(
            "target",
            Shape::Text(Text::Path),
            "Where it leads: an absolute path, or one relative to the link.",
        )
        .required()
        .alike(&["to"]),
    ],
    exactly_one: &[],
    strangers: &[],
};

static MOVE: Object = Object {
    name: "move",
    doc: "Another name for a file or a directory.",
    fields: &[
        Field::new("from", PATH, "Absolute path.")
            .required()
            .alike(&["source", "path"]),
        Field::new(
            "to",
            PATH,
            "Absolute path; a directory that is there takes it in.",
        )
        .required()
        .alike(&["target", "destination"]),
    ],
    exactly_one: &[],
    strangers: &[],
};

impl Builder<'_, '_> {
    pub(crate) fn operation(&mut self, node: &Node, path: &mut String) -> Option<Operation> {
        let member = node
            .members()
            .iter()
            .find(|member| OPERATION.exactly_one.contains(&member.key.as_str()))?;
        let value = &member.value;
        let length = enter(path, &member.key);
        let operation = self.operation_of(&member.key, value, path);
        path.truncate(length);
        operation
    }

    fn operation_of(&mut self, name: &str, value: &Node, place: &mut String) -> Option<Operation> {
        let plain = || value.as_text().map(str::to_owned);
        let path = self.text(value, "path");
        Some(match name {
            "write" | "upload" => {
                let size = Size {
                    most: self.limits.guest_file_bytes,
                    raised_by: Some("`--limit guest_file_bytes=NUMBER`"),
                };
                let content = self.bytes(value, place, size);
                Operation::Write {
                    path: path?,
                    content: Secret::new(content?),
                }
            }
            "append_line" => Operation::AppendLine {
                path: path?,
                line: self.text(value, "line")?,
            },
            "mkdir" => Operation::MakeDirectory { path: plain()? },
            "chmod" => Operation::ChangeMode {
                path: path?,
                mode: value.get("mode").and_then(Node::as_text).and_then(mode)?,
            },
            "chown" => Operation::ChangeOwner {
                path: path?,
                owner: self.text(value, "owner")?,
            },
            "delete" => Operation::Delete { path: plain()? },
            "link" => Operation::Link {
                path: path?,
                target: self.text(value, "target")?,
            },
            "move" => Operation::Move {
                from: self.text(value, "from")?,
                to: self.text(value, "to")?,
            },
            "touch" => Operation::Touch { path: plain()? },
            "truncate" => Operation::Truncate { path: plain()? },
            _ => return None,
        })
    }

    pub(crate) fn machine_id(&self, node: &Node) -> Option<MachineId> {
        Some(match self.text(node, "machine_id")?.as_str() {
            "reset" => MachineId::Reset,
            "random" => MachineId::Random,
            digits => MachineId::Fixed(digits.to_ascii_lowercase()),
        })
    }

    pub(crate) fn seed(&self, node: &Node) -> Option<Seed> {
        match self.text(node, "seed_cloud_init")?.as_str() {
            "nocloud" => Some(Seed::NoCloud),
            "config-drive" => Some(Seed::ConfigDrive),
            _ => None,
        }
    }
}
