//! What the tests of the golden injections share: a vector as items, a guest's tree, and what must be there afterwards.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod image;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use christen_inject::Stage;
use christen_inject::nova::mount::{self, Partition, System};
use christen_inject::nova::{self, Exception, ItemName, Items};
use christen_instance::inputs::RandomSource;
use christen_instance::model::InjectedFile;
use christen_instance::{Secret, Value, json};
use christen_vfs::tree::{ContentHash, Tree, TreeOptions};
use christen_vfs::walk::{LastLink, resolve_place};
use christen_vfs::{FileSystem, GuestPath, Kind, NewFile, NewKind};

/// The vectors' pin: byte i of every draw is i modulo 256, which gives the salt `abcdefghijklmnop`.
#[derive(Default)]
pub(crate) struct Pinned;

impl RandomSource for Pinned {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        for (byte, value) in buffer.iter_mut().zip((0..=255).cycle()) {
            *byte = value;
        }
        Ok(())
    }
}

pub(crate) fn directory(name: &str) -> PathBuf {
    // The command line is tested with the same vectors.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../inject/tests")
        .join(name)
}

pub(crate) fn load(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the vector can be read");
    json::parse(&text).expect("the vector is JSON")
}

/// The vectors by name.
pub(crate) fn vectors() -> BTreeMap<String, Value> {
    let entries = std::fs::read_dir(directory("golden")).expect("the vectors are there");
    let paths = entries.map(|entry| entry.expect("the vectors can be listed").path());
    let files = paths.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let vectors: BTreeMap<_, _> = files
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            (name.into_owned(), load(&path))
        })
        .collect();
    assert_eq!(vectors.len(), 37, "a vector is missing or new");
    vectors
}

/// The member, unless it is missing or null.
pub(crate) fn get<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|found| **found != Value::Null)
}

pub(crate) fn text(value: &Value, name: &str) -> Option<String> {
    get(value, name).map(|found| found.as_str().expect("a text").to_owned())
}

pub(crate) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    match get(value, name) {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

pub(crate) fn members<'a>(value: &'a Value, name: &str) -> &'a [(String, Value)] {
    match get(value, name) {
        Some(Value::Object(members)) => members,
        _ => &[],
    }
}

pub(crate) fn number(value: &Value, name: &str) -> Option<i64> {
    match get(value, name)? {
        Value::Integer(digits) => digits.parse().ok(),
        other => panic!("`{name}` is no integer: {other:?}"),
    }
}

/// Bytes given as `text` or `base64`.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    match (text(value, "text"), text(value, "base64")) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(encoded)) => base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .expect("base64"),
        (None, None) => panic!("neither text nor base64"),
    }
}

pub(crate) fn files(value: &Value) -> Vec<InjectedFile> {
    let files = list(value, "files").iter();
    files
        .map(|file| InjectedFile {
            path: text(file, "path").expect("a path"),
            content: Secret::new(bytes(file)),
        })
        .collect()
}

/// The items of a vector.
pub(crate) fn items(inject: &Value) -> Items {
    let metadata = members(inject, "metadata").iter();
    Items {
        key: text(inject, "key"),
        net: text(inject, "net"),
        metadata: metadata
            .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()))
            .collect(),
        admin_password: text(inject, "admin_password").map(Secret::new),
        files: files(inject),
    }
}

pub(crate) fn mandatory(value: &Value) -> Vec<ItemName> {
    let names = list(value, "mandatory").iter();
    names
        .map(|name| ItemName::parse(name.as_str().expect("a name")).expect("an item"))
        .collect()
}

/// The partition as `inject_data` is given it.
pub(crate) fn partition(number: Option<i64>) -> Partition {
    match number {
        None | Some(0) => Partition::Whole,
        Some(-1) => Partition::Inspect,
        Some(number) => {
            let number = u32::try_from(number).ok().and_then(NonZeroU32::new);
            Partition::Number(number.expect("a partition"))
        }
    }
}

pub(crate) fn path(text: &str) -> GuestPath {
    GuestPath::new(text).expect("a path in a guest")
}

/// Makes the tree of a vector in a filesystem that has a root and nothing that the vector does not have.
pub(crate) fn plant(fs: &mut dyn FileSystem, tree: &[(String, Value)]) {
    let tree: BTreeMap<GuestPath, &Value> =
        tree.iter().map(|(at, file)| (path(at), file)).collect();
    for (at, value) in &tree {
        let uid = number(value, "uid").expect("an owner") as u32;
        let gid = number(value, "gid").expect("a group") as u32;
        let permissions = text(value, "mode")
            .map_or(0o777, |mode| u16::from_str_radix(&mode, 8).expect("a mode"));
        let target = text(value, "target").unwrap_or_default();
        let kind = match text(value, "type").as_deref() {
            Some("dir") => NewKind::Directory,
            Some("file") => NewKind::File,
            Some("link") => NewKind::SymbolicLink(target.as_bytes()),
            other => panic!("no type: {other:?}"),
        };
        let place = resolve_place(fs, at, LastLink::Kept).expect("what is above is there");
        let file = place.file.unwrap_or_else(|| {
            let new = NewFile {
                kind,
                permissions,
                uid,
                gid,
            };
            let name = place.name().expect("it is not the root");
            fs.create(place.directory, name, &new).expect("it is made")
        });
        fs.set_owner(file, uid, gid).expect("the owner is set");
        match kind {
            NewKind::SymbolicLink(_) => continue,
            NewKind::File => {
                let content = bytes(value);
                fs.replace(file, &mut &content[..]).expect("it is written");
            }
            _ => {}
        }
        fs.set_permissions(file, permissions)
            .expect("the mode is set");
    }
}

/// What a vector tells of a file, and what is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) kind: &'static str,
    pub(crate) permissions: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) content: Option<ContentHash>,
    pub(crate) target: Option<Vec<u8>>,
}

/// The tree of a vector.
pub(crate) fn expected(tree: &[(String, Value)]) -> BTreeMap<GuestPath, Told> {
    let tree = tree.iter();
    tree.map(|(at, value)| {
        let kind = match text(value, "type").as_deref() {
            Some("dir") => "dir",
            Some("file") => "file",
            Some("link") => "link",
            other => panic!("no type: {other:?}"),
        };
        let mode = text(value, "mode");
        let told = Told {
            kind,
            permissions: mode.map_or(0o777, |mode| u16::from_str_radix(&mode, 8).expect("a mode")),
            uid: number(value, "uid").expect("an owner") as u32,
            gid: number(value, "gid").expect("a group") as u32,
            content: (kind == "file").then(|| ContentHash::of(&bytes(value))),
            target: text(value, "target").map(String::into_bytes),
        };
        (path(at), told)
    })
    .collect()
}

/// The tree of a filesystem.
pub(crate) fn found(fs: &mut dyn FileSystem) -> BTreeMap<GuestPath, Told> {
    let options = TreeOptions {
        content_bytes: u64::MAX,
    };
    let root = fs.root();
    let tree = Tree::read(fs, root, &options).expect("the tree can be read");
    let files = tree.files.into_iter();
    files
        .map(|(at, file)| {
            let kind = match file.kind {
                Kind::Directory => "dir",
                Kind::File => "file",
                Kind::SymbolicLink => "link",
                other => panic!("{at} is a {other:?}"),
            };
            let told = Told {
                kind,
                permissions: match kind {
                    "link" => 0o777,
                    _ => file.permissions,
                },
                uid: file.uid,
                gid: file.gid,
                content: file.content,
                target: file.target,
            };
            (at, told)
        })
        .collect()
}

#[track_caller]
pub(crate) fn same(
    name: &str,
    found: &BTreeMap<GuestPath, Told>,
    expected: &BTreeMap<GuestPath, Told>,
) {
    let paths: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    for path in paths {
        assert_eq!(found.get(path), expected.get(path), "{name}: {path}");
    }
}

/// The appliance that a vector scripts: what inspection finds in it, and what fails.
struct Appliance<'v> {
    script: Option<&'v Value>,
}

impl Appliance<'_> {
    fn fails(&self, call: &str) -> bool {
        let failures = self.script.map_or(&[][..], |script| list(script, "fail"));
        failures.iter().any(|it| it.as_str() == Some(call))
    }

    fn systems(&self) -> Vec<System<String>> {
        let Some(script) = self.script else {
            return Vec::new();
        };
        let mounts: Vec<_> = list(script, "mountpoints")
            .iter()
            .map(|pair| match pair {
                Value::Array(pair) => {
                    let [at, device] = [0, 1].map(|it| pair[it].as_str().expect("a text"));
                    (path(at), device.to_owned())
                }
                other => panic!("no mount point: {other:?}"),
            })
            .collect();
        let roots = list(script, "roots").iter();
        roots
            .map(|_| System {
                mounts: mounts.clone(),
            })
            .collect()
    }

    /// Opens and mounts as `setup` does, and returns libguestfs's calls to mount.
    fn open(&self, partition: Partition) -> Result<Vec<(String, String)>, Exception> {
        let is_inspected = partition == Partition::Inspect;
        if self.fails("add_drive_opts")
            || self.fails("launch")
            || is_inspected && self.fails("inspect_os")
        {
            return Err(Exception::NovaException);
        }
        let mounts =
            mount::plan(partition, self.systems()).map_err(|_| Exception::NovaException)?;
        let mut calls = Vec::new();
        let failures = mount::mount(mounts, |mount| {
            let device = match &mount.volume {
                mount::Volume::Disk => "/dev/sda".to_owned(),
                mount::Volume::Partition(number) => format!("/dev/sda{number}"),
                mount::Volume::Found(device) => device.clone(),
            };
            calls.push((device, mount.at.to_string()));
            match self.fails(&format!("mount:{}", mount.at)) {
                true => Err(()),
                false => Ok(()),
            }
        });
        failures.map_err(|_| Exception::NovaException)?;
        if self.fails("aug_init") {
            return Err(Exception::NovaException);
        }
        Ok(calls)
    }
}

/// What came of a vector: Nova's result, or the name of its exception.
pub(crate) fn run(name: &str, vector: &Value, fs: &mut dyn FileSystem) -> Result<bool, String> {
    let input = vector.get("input").expect("a vector has an input");
    let items = items(input.get("inject").expect("a vector has items"));
    let mandatory = mandatory(input);
    let appliance = Appliance {
        script: get(input, "appliance"),
    };
    match appliance.open(partition(number(input, "partition"))) {
        Ok(calls) => assert_eq!(calls, recorded_mounts(vector), "{name}"),
        Err(exception) => {
            return match mount::not_opened(&items, &mandatory, exception) {
                Some(exception) => Err(exception.name().to_owned()),
                None => Ok(false),
            };
        }
    }
    let mut stage = Stage::new(fs);
    match nova::inject(&mut stage, &items, &mandatory, &mut Pinned) {
        Ok(outcome) => {
            assert_eq!(outcome.complete, outcome.warnings.is_empty());
            Ok(outcome.complete)
        }
        Err(raised) => Err(raised.exception.name().to_owned()),
    }
}

fn recorded_mounts(vector: &Value) -> Vec<(String, String)> {
    let calls = list(vector, "guestfs_calls").iter();
    calls
        .filter_map(|call| match call {
            Value::Array(call) if call[0].as_str() == Some("mount_options") => Some(
                [2, 3]
                    .map(|it| call[it].as_str().expect("a text").to_owned())
                    .into(),
            ),
            _ => None,
        })
        .collect()
}

/// What a vector says came of it.
pub(crate) fn recorded(vector: &Value) -> Result<bool, String> {
    match (vector.get("result"), text(vector, "raised")) {
        (Some(Value::Bool(result)), None) => Ok(*result),
        (None, Some(raised)) => Err(raised),
        other => panic!("neither result nor exception: {other:?}"),
    }
}
