//! Extended attributes and access control lists: written by the kernel and read by us, and the reverse.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use christen_block::MemoryDevice;
use christen_ext4::{Access, Ext4, Journal, OpenOptions};
use christen_testkit::temp::TempDir;
use christen_testkit::tools;
use christen_vfs::{Error, FileId, FileSystem as _, NewFile, NewKind, Timestamp};

/// The attributes of the files of an image, by path.
type Attributes = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// Options of mke2fs and the size of a block.
const KINDS: [(&[&str], u32); 7] = [
    (&["-t", "ext4", "-O", "ea_inode"], 1024),
    (
        &["-t", "ext4", "-O", "ea_inode,^metadata_csum", "-I", "128"],
        4096,
    ),
    (&["-t", "ext4"], 4096),
    (&["-t", "ext4", "-O", "64bit,metadata_csum"], 1024),
    (&["-t", "ext3", "-I", "128"], 1024),
    (&["-t", "ext4", "-I", "128", "-O", "^metadata_csum"], 4096),
    (&["-t", "ext2", "-I", "256"], 2048),
];

fn have_tools() -> bool {
    let tools_are_there = [
        "mke2fs", "e2fsck", "mount", "getfattr", "setfattr", "setfacl",
    ]
    .iter()
    .all(|tool| tools::require(tool).is_some());
    if tools_are_there && tools::output("id", ["-u"]) != b"0\n" {
        tools::skip("only root can mount images");
        return false;
    }
    tools_are_there
}

fn has_value_inodes(kind: (&[&str], u32)) -> bool {
    kind.0.iter().any(|option| option.contains("ea_inode"))
}

fn create_image(directory: &TempDir, kind: (&[&str], u32)) -> PathBuf {
    let path = directory.join("image");
    fs::File::create(&path).unwrap().set_len(16 << 20).unwrap();
    let size = kind.1.to_string();
    let mut arguments = vec!["-q", "-F", "-b", &size];
    arguments.extend(kind.0);
    arguments.push(path.to_str().unwrap());
    tools::output("mke2fs", arguments);
    path
}

/// A loop mount that goes away with the test.
struct Mount {
    at: PathBuf,
}

impl Mount {
    fn new(image: &Path) -> Self {
        let at = image.with_extension("mount");
        fs::create_dir_all(&at).unwrap();
        tools::run(
            Command::new("mount")
                .args(["-o", "loop,acl,user_xattr"])
                .args([image, &at]),
        );
        Self { at }
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        tools::run(Command::new(program).args(arguments).current_dir(&self.at));
    }

    fn shell(&self, script: &str) {
        self.run("sh", &["-ec", script]);
    }

    /// What getfattr says of all files.
    fn attributes(&self) -> Attributes {
        let output = tools::run(
            Command::new("getfattr")
                .args(["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "."])
                .current_dir(&self.at),
        );
        let mut files = Attributes::new();
        let mut path = String::new();
        for line in String::from_utf8(output).unwrap().lines() {
            if let Some(file) = line.strip_prefix("# file: ") {
                path = file.trim_start_matches("./").to_string();
            } else if let Some((name, value)) = line.split_once('=') {
                let digits = value.strip_prefix("0x").unwrap();
                let value = (0..digits.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
                    .collect();
                files
                    .entry(path.clone())
                    .or_default()
                    .insert(name.to_string(), value);
            } else if !line.is_empty() {
                // An attribute without a value.
                files
                    .entry(path.clone())
                    .or_default()
                    .insert(line.to_string(), Vec::new());
            }
        }
        files
    }

    fn modes(&self) -> BTreeMap<String, u16> {
        let output = tools::run(
            Command::new("find")
                .args(["-mindepth", "1", "-not", "-type", "l", "-printf", "%P %m\n"])
                .current_dir(&self.at),
        );
        String::from_utf8(output)
            .unwrap()
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(path, mode)| (path.to_string(), u16::from_str_radix(mode, 8).unwrap()))
            .collect()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Between fork and exec, a program that another test starts holds all files that are open here.
        for _ in 0..50 {
            let status = Command::new("umount").arg("-q").arg(&self.at).status();
            if status.is_ok_and(|status| status.success()) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn check(image: &Path, what: &str) {
    let output = Command::new("e2fsck")
        .arg("-fn")
        .arg(image)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{what}:\n{said}");
}

/// An image that we change.
struct Ours {
    device: Arc<MemoryDevice>,
    filesystem: Ext4,
}

impl Ours {
    fn open(image: &Path) -> Self {
        let device = Arc::new(MemoryDevice::new(fs::read(image).unwrap()));
        let options = OpenOptions {
            access: Access::Write,
            journal: Journal::Refuse,
            now: Timestamp {
                seconds: 1_700_000_000,
                nanoseconds: 0,
            },
            generation_seed: 1,
        };
        let filesystem = match Ext4::open(Arc::clone(&device) as _, &options) {
            Ok(filesystem) => filesystem,
            Err(error) => panic!("{error}"),
        };
        Self { device, filesystem }
    }

    fn finish(mut self, image: &Path) {
        self.filesystem.finish().unwrap();
        fs::write(image, self.device.snapshot()).unwrap();
    }

    fn find(&mut self, path: &str) -> FileId {
        let mut file = self.filesystem.root();
        for name in path.split('/') {
            file = self
                .filesystem
                .lookup(file, name.as_bytes())
                .unwrap()
                .unwrap();
        }
        file
    }

    fn attributes_of(&mut self, path: &str) -> BTreeMap<String, Vec<u8>> {
        let file = self.find(path);
        let names = self.filesystem.attribute_names(file).unwrap();
        names
            .into_iter()
            .map(|name| {
                let value = self.filesystem.attribute(file, &name).unwrap().unwrap();
                (String::from_utf8(name).unwrap(), value)
            })
            .collect()
    }

    fn create(&mut self, directory: FileId, name: &str, kind: NewKind<'_>, mode: u16) -> FileId {
        let new = NewFile {
            kind,
            permissions: mode,
            uid: 0,
            gid: 0,
        };
        self.filesystem
            .create(directory, name.as_bytes(), &new)
            .unwrap()
    }
}

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

const ATTRIBUTES: &str = r#"
    for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
        echo $n > f$n
        setfattr -n user.number -v $n f$n
        setfattr -n trusted.long.name.of.file.$n -v "$(head -c $((n * 30)) /dev/zero | tr '\0' x)" f$n
        setfattr -n security.test -v "" f$n
    done
    mkdir d
    setfacl -m u:1000:rwx,g:2000:r-x d f1 f2
    setfacl -d -m u:1001:rw,g:2001:r d
    echo a > d/inherits
    mkdir -m 700 d/below
    ln -s nowhere link
    setfattr -h -n trusted.link -v 1 link
"#;

#[test]
fn attributes_of_the_kernel_are_read() {
    if !have_tools() {
        return;
    }
    for kind in KINDS {
        let directory = TempDir::new();
        let image = create_image(&directory, kind);
        let mounted = Mount::new(&image);
        mounted.shell(ATTRIBUTES);
        if has_value_inodes(kind) {
            // Both have the value in the same inode.
            mounted.shell(
                "for n in 1 2; do setfattr -n user.large -v $(head -c 30000 /dev/zero | tr '\\0' z) f$n; done",
            );
        }
        let theirs = mounted.attributes();
        drop(mounted);
        assert!(theirs.len() > 14, "{kind:?}: {theirs:?}");
        let mut ours = Ours::open(&image);
        for (path, attributes) in &theirs {
            assert_eq!(ours.attributes_of(path), *attributes, "{kind:?}: {path}");
        }
    }
}

#[test]
fn attributes_of_ours_are_those_of_the_kernel() {
    if !have_tools() {
        return;
    }
    for kind in KINDS {
        let directory = TempDir::new();
        let image = create_image(&directory, kind);
        // The kernel lets inodes share blocks with the same attributes: ours must leave them to the others.
        let mounted = Mount::new(&image);
        mounted.shell(ATTRIBUTES);
        // Values in inodes are left out: Linux 6.18 counts a reference for each file that shares the block, where e2fsck wants one for the block.
        mounted.shell(
            "for n in 1 2 3 4 5 6 7 8; do echo > shared$n; \
             setfattr -n user.large -v $(head -c 400 /dev/zero | tr '\\0' y) shared$n; done",
        );
        let mut expected = mounted.attributes();
        drop(mounted);

        let mut ours = Ours::open(&image);
        let mut random = Random(7 + u64::from(kind.1));
        let mut refused = 0;
        for step in 0..400 {
            let path = match random.below(3) {
                0 => format!("shared{}", 1 + random.below(8)),
                1 => format!("f{}", 1 + random.below(12)),
                _ => "d".to_string(),
            };
            let prefix = ["user.", "trusted.", "security."][random.below(3) as usize];
            let name = format!("{prefix}{}", "n".repeat(1 + random.below(6) as usize));
            let file = ours.find(&path);
            let model = expected.entry(path.clone()).or_default();
            if random.below(3) == 0 {
                match ours.filesystem.remove_attribute(file, name.as_bytes()) {
                    Ok(()) => assert!(model.remove(&name).is_some()),
                    Err(Error::NotFound) => assert!(!model.contains_key(&name)),
                    Err(error) => panic!("{kind:?}, step {step}: {error}"),
                }
                continue;
            }
            let longest = match random.below(4) {
                0 if has_value_inodes(kind) => 9000,
                0 => 1200,
                _ => 40,
            };
            let value = vec![step as u8; random.below(longest) as usize];
            match ours.filesystem.set_attribute(file, name.as_bytes(), &value) {
                Ok(()) => {
                    model.insert(name, value);
                }
                Err(Error::NoAttributeSpace) => refused += 1,
                Err(error) => panic!("{kind:?}, step {step}: {error}"),
            }
        }
        for number in [2, 5] {
            let root = ours.filesystem.root();
            let name = format!("shared{number}");
            ours.filesystem.remove(root, name.as_bytes()).unwrap();
            expected.remove(&name);
        }
        ours.finish(&image);
        check(&image, &format!("{kind:?}"));
        assert!(
            kind.1 == 4096 || has_value_inodes(kind) || refused > 0,
            "{kind:?}"
        );

        expected.retain(|_, attributes| !attributes.is_empty());
        let mounted = Mount::new(&image);
        assert_eq!(mounted.attributes(), expected, "{kind:?}");
        // And the kernel goes on with them.
        mounted.shell(
            "for f in f* d shared*; do setfattr -n user.after -v 1 $f || true; \
             setfattr -x user.number $f 2>/dev/null || true; done; rm shared1 f1; echo > new",
        );
        drop(mounted);
        check(&image, &format!("{kind:?} after the kernel"));
    }
}

/// An access control list as Linux takes it, of tag, permissions and id.
fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut value = vec![2, 0, 0, 0];
    for (tag, permissions, id) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(permissions.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

#[test]
fn access_lists_do_what_they_do_in_linux() {
    const NO: u32 = u32::MAX;
    if !have_tools() {
        return;
    }
    for kind in KINDS {
        let directory = TempDir::new();
        let image = create_image(&directory, kind);
        fs::copy(&image, image.with_extension("other")).unwrap();
        let other = image.with_extension("other");

        let mounted = Mount::new(&other);
        mounted.shell(
            "umask 0; mkdir d; setfacl -d -m u:1001:rwx,g:2001:r,o::x d; \
             touch d/a; mkdir d/b; mkdir -m 2750 d/c; touch d/c/e; chmod 640 d/a d/c/e; \
             touch f g; setfacl -m u:1000:r f; chmod 606 f; setfacl -m u:1:r g; setfacl -b g; chmod 4711 g; \
             setfacl -m u::rw,g::r,o::r g; ln -s x d/link; mkfifo -m 666 d/fifo",
        );
        let theirs = (mounted.attributes(), mounted.modes());
        drop(mounted);

        let mut ours = Ours::open(&image);
        let root = ours.filesystem.root();
        let d = ours.create(root, "d", NewKind::Directory, 0o777);
        let default = list(&[
            (1, 7, NO),
            (2, 7, 1001),
            (4, 7, NO),
            (8, 4, 2001),
            (16, 7, NO),
            (32, 1, NO),
        ]);
        let access = b"system.posix_acl_access";
        let filesystem = &mut ours.filesystem;
        filesystem
            .set_attribute(d, b"system.posix_acl_default", &default)
            .unwrap();
        let a = ours.create(d, "a", NewKind::File, 0o666);
        ours.create(d, "b", NewKind::Directory, 0o777);
        let c = ours.create(d, "c", NewKind::Directory, 0o2750);
        // mkdir(1) with a mode asks for its own, and then changes the mode.
        ours.filesystem.set_permissions(c, 0o2750).unwrap();
        let e = ours.create(c, "e", NewKind::File, 0o666);
        ours.filesystem.set_permissions(a, 0o640).unwrap();
        ours.filesystem.set_permissions(e, 0o640).unwrap();
        let f = ours.create(root, "f", NewKind::File, 0o666);
        let named = [
            (1, 6, NO),
            (2, 4, 1000),
            (4, 6, NO),
            (16, 6, NO),
            (32, 6, NO),
        ];
        ours.filesystem
            .set_attribute(f, access, &list(&named))
            .unwrap();
        ours.filesystem.set_permissions(f, 0o606).unwrap();
        let g = ours.create(root, "g", NewKind::File, 0o666);
        ours.filesystem
            .set_attribute(g, access, &list(&named))
            .unwrap();
        ours.filesystem.remove_attribute(g, access).unwrap();
        ours.filesystem.set_permissions(g, 0o4711).unwrap();
        let minimal = list(&[(1, 6, NO), (4, 4, NO), (32, 4, NO)]);
        ours.filesystem.set_attribute(g, access, &minimal).unwrap();
        ours.create(d, "link", NewKind::SymbolicLink(b"x"), 0o777);
        let fifo = NewKind::Special(christen_vfs::Kind::Fifo);
        let fifo = ours.create(d, "fifo", fifo, 0o666);
        ours.filesystem.set_permissions(fifo, 0o666).unwrap();
        ours.finish(&image);
        check(&image, &format!("{kind:?}"));

        let mounted = Mount::new(&image);
        assert_eq!(mounted.modes(), theirs.1, "{kind:?}");
        assert_eq!(mounted.attributes(), theirs.0, "{kind:?}");
    }
}
