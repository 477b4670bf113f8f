//! The guest of a vector as an image: made by mke2fs and debugfs, read back by `ext4-view`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use christen_instance::Value;
use christen_testkit::tools;
use christen_vfs::GuestPath;
use christen_vfs::tree::ContentHash;

use super::{Told, bytes, number, text};

/// Makes the tree of a vector with debugfs.
pub(crate) fn plant(image: &Path, directory: &Path, tree: &[(String, Value)]) {
    let tree: BTreeMap<GuestPath, &Value> = tree
        .iter()
        .map(|(at, file)| (super::path(at), file))
        .collect();
    let mut script = String::new();
    for (index, (at, value)) in tree.iter().enumerate() {
        let parent = at.parent().unwrap_or(GuestPath::root());
        let name = String::from_utf8_lossy(at.name().unwrap_or_default()).into_owned();
        let mode = text(value, "mode").unwrap_or_else(|| "0777".to_owned());
        let kind = text(value, "type").expect("a type");
        writeln!(script, "cd \"{parent}\"").expect("text takes all");
        let format = match (kind.as_str(), name.as_str()) {
            // The root is there.
            ("dir", "") => "04",
            ("dir", _) => {
                writeln!(script, "mkdir \"{name}\"").expect("text takes all");
                "04"
            }
            ("link", _) => {
                let target = text(value, "target").expect("a target");
                writeln!(script, "symlink \"{name}\" \"{target}\"").expect("text takes all");
                "012"
            }
            _ => {
                let content = directory.join(format!("content-{index}"));
                fs::write(&content, bytes(value)).expect("the content is written");
                let content = content.display();
                writeln!(script, "write {content} \"{name}\"").expect("text takes all");
                "010"
            }
        };
        let digits = format!("{:0>4}", mode.trim_start_matches('0'));
        writeln!(script, "set_inode_field \"{at}\" mode {format}{digits}").expect("text takes all");
        for (field, member) in [("uid", "uid"), ("gid", "gid")] {
            let owner = number(value, member).expect("an owner");
            writeln!(script, "set_inode_field \"{at}\" {field} {owner}").expect("text takes all");
        }
    }
    let commands = directory.join("commands");
    fs::write(&commands, script).expect("the commands are written");
    let debugfs = tools::find("debugfs").expect("it was required");
    let mut command = Command::new(debugfs);
    command.args(["-w", "-f"]).arg(&commands).arg(image);
    tools::run(&mut command);
}

pub(crate) fn without_lost_and_found(
    mut tree: BTreeMap<GuestPath, Told>,
) -> BTreeMap<GuestPath, Told> {
    tree.remove(&super::path("/lost+found"));
    tree
}

/// The tree of an image as `ext4-view` reads it.
pub(crate) fn viewed(image: &Path) -> BTreeMap<GuestPath, Told> {
    let view = ext4_view::Ext4::load_from_path(image).expect("ext4-view opens it");
    let mut tree = BTreeMap::new();
    let mut rest = vec![ext4_view::PathBuf::new("/")];
    while let Some(path) = rest.pop() {
        let metadata = view.symlink_metadata(&path).expect("it has an inode");
        let kind = metadata.file_type();
        let told = Told {
            kind: if kind.is_dir() {
                "dir"
            } else if kind.is_symlink() {
                "link"
            } else {
                "file"
            },
            permissions: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            content: kind
                .is_regular_file()
                .then(|| ContentHash::of(&view.read(&path).expect("it has content"))),
            target: kind.is_symlink().then(|| {
                let target = view.read_link(&path).expect("it has a target");
                target.as_ref().to_vec()
            }),
        };
        if kind.is_dir() {
            for entry in view.read_dir(&path).expect("it has entries") {
                let entry = entry.expect("it is an entry");
                if !matches!(entry.file_name().as_ref(), b"." | b"..") {
                    rest.push(entry.path());
                }
            }
        }
        let at = GuestPath::new(path.as_ref() as &[u8]).expect("a path");
        tree.insert(at, told);
    }
    without_lost_and_found(tree)
}
