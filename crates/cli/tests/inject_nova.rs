//! The recorded injections of Nova 34.0.0 through the real binary, on real images.
//!
//! mke2fs and debugfs make the guest of a vector, sfdisk partitions and qemu-img qcow2 around it; the description, options and a pinned
//! source of randomness say what Nova was given; `ext4-view` reads the tree afterwards. Where a vector scripts a libguestfs that fails,
//! the image has a fault or a layout that gives the same. Nova's driver names the files alone as mandatory, and so does the binary: for a
//! vector with other ones the tree is the same, and the failure a warning.

mod image_support;
#[path = "../../inject/tests/nova_support/mod.rs"]
mod nova_support;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use christen_inject::nova::ItemName;
use christen_instance::{Value, json};
use christen_testkit::{TempDir, tools};
use image_support::{Tools, cut_out, disk, hash};
use nova_support::image::{plant, viewed};
use nova_support::{expected, get, list, members, number, path, same};
use support::{Ended, christen_in, put, run};

const MEBIBYTES: u64 = 8;

/// A NIC for which the template of a vector is rendered.
const NIC: &str = r#"[{"id": "3f9d0a11-1e55-4d6f-8a1c-000000000001", "mac": "fa:16:3e:00:00:01",
    "network": {"id": "5d0c5a8e-7b3f-4c1e-9b6b-000000000001", "injected": true},
    "subnets": [{"cidr": "192.0.2.0/24", "ips": [{"address": "192.0.2.17"}]}]}]"#;

/// What stands in an image beside the tree of its vector.
#[derive(Clone, Copy, PartialEq)]
enum Layout {
    /// The filesystem alone.
    Whole,
    /// The same, with nothing that is a filesystem.
    Broken,
    /// The third of three partitions is the guest's.
    Third,
    /// `/boot`, the guest's root, and `/usr`.
    Mounts,
    /// The same, with a root that cannot be written.
    MountsLocked,
    /// Two guests.
    TwoGuests,
    /// A filesystem without a system.
    NoSystem,
}

impl Layout {
    fn of(input: &Value) -> Self {
        let script = get(input, "appliance");
        let fails = |call: &str| {
            let failures = script.map_or(&[][..], |it| list(it, "fail"));
            failures.iter().any(|it| it.as_str() == Some(call))
        };
        if fails("launch") {
            return Self::Broken;
        }
        match (number(input, "partition"), script) {
            (None, _) => Self::Whole,
            (Some(3), _) => Self::Third,
            (Some(-1), Some(script)) => match list(script, "roots").len() {
                0 => Self::NoSystem,
                1 if fails("mount:/") => Self::MountsLocked,
                1 => Self::Mounts,
                _ => Self::TwoGuests,
            },
            other => panic!("no layout for {other:?}"),
        }
    }

    /// Which partition the guest is in.
    fn partition(self) -> Option<usize> {
        match self {
            Self::Whole | Self::Broken => None,
            Self::Third => Some(3),
            Self::Mounts | Self::MountsLocked => Some(2),
            Self::TwoGuests | Self::NoSystem => Some(1),
        }
    }
}

/// The programs that make what a vector needs.
struct Makers {
    ext: Tools,
    sfdisk: PathBuf,
    qemu_img: PathBuf,
}

impl Makers {
    fn require() -> Option<Self> {
        Some(Self {
            ext: Tools::require()?,
            sfdisk: tools::require("sfdisk")?,
            qemu_img: tools::require("qemu-img")?,
        })
    }

    /// Makes the image of a vector as `disk.raw`.
    fn make(&self, directory: &Path, layout: Layout, before: &[(String, Value)]) {
        let guest = directory.join("guest");
        self.ext.filesystem(&guest, MEBIBYTES, &["-t", "ext4"]);
        plant(&guest, directory, before);
        let empty = directory.join("empty");
        self.ext.filesystem(&empty, MEBIBYTES, &["-t", "ext2"]);
        let raw = directory.join("disk.raw");
        let fstab = "/dev/vda2 / ext4 defaults 0 1\n/dev/vda1 /boot ext2 defaults 0 2\n\
                     /dev/vda3 /usr ext2 defaults 0 2\n";
        let fstab = put(directory, "fstab", fstab);
        let marked = format!(
            "cd /etc\nwrite {} fstab\ncd /\nmkdir boot\nmkdir usr\n",
            fstab.display()
        );
        let parts = match layout {
            Layout::Whole | Layout::Broken => {
                fs::rename(&guest, &raw).expect("it is ours");
                if layout == Layout::Broken {
                    fs::write(&raw, vec![0; 1 << 20]).expect("it is ours");
                }
                return;
            }
            Layout::Third => [&empty, &empty, &guest].to_vec(),
            Layout::NoSystem => [&empty].to_vec(),
            Layout::TwoGuests => {
                self.ext.debugfs(&guest, &marked);
                [&guest, &guest].to_vec()
            }
            Layout::Mounts => {
                self.ext.debugfs(&guest, &marked);
                [&empty, &guest, &empty].to_vec()
            }
            Layout::MountsLocked => {
                self.ext
                    .debugfs(&guest, &format!("{marked}feature needs_recovery\n"));
                [&empty, &guest, &empty].to_vec()
            }
        };
        let parts: Vec<&Path> = parts.into_iter().map(PathBuf::as_path).collect();
        disk(&raw, &self.sfdisk, &parts, "gpt");
    }

    fn convert(&self, from: &Path, from_format: &str, to: &Path, format: &str) {
        let mut command = Command::new(&self.qemu_img);
        command.args(["convert", "-f", from_format, "-O", format]);
        tools::run(command.arg(from).arg(to));
    }
}

/// Writes what Nova was given, and returns the command.
fn command(directory: &Path, input: &Value, format: &str) -> Command {
    let inject = get(input, "inject").expect("a vector has items");
    let items = nova_support::items(inject);
    let mut description = vec![
        (
            "uuid".to_owned(),
            "b65cee2f-8c69-4aeb-be2f-f79742548fc2".into(),
        ),
        ("name".to_owned(), "web".into()),
    ];
    if items.has(ItemName::Key) {
        let key = vec![
            ("name".to_owned(), "desk".into()),
            (
                "public_key".to_owned(),
                inject.get("key").expect("a key").clone(),
            ),
        ];
        description.push(("key".to_owned(), Value::Object(key)));
    }
    for (item, name) in [
        (ItemName::Metadata, "metadata"),
        (ItemName::AdminPassword, "admin_password"),
        (ItemName::Files, "files"),
    ] {
        if items.has(item) {
            description.push((
                name.to_owned(),
                inject.get(name).expect("it is there").clone(),
            ));
        }
    }
    let mut command = christen_in(directory, "inject disk instance.json --like nova --format");
    command.arg(format);
    if let Some(net) = items.net.filter(|net| !net.is_empty()) {
        description.push(("network".to_owned(), json::parse(NIC).expect("it is JSON")));
        // Jinja2 drops one newline at the end.
        put(directory, "net.j2", format!("{net}\n"));
        command.args(["--set", "injected_network_template=net.j2"]);
    }
    put(
        directory,
        "instance.json",
        json::encode(&Value::Object(description)),
    );
    put(directory, "random", (0..=255).collect::<Vec<u8>>());
    let partition = number(input, "partition").unwrap_or(0);
    command.args(["--set", &format!("libvirt.inject_partition={partition}")]);
    for option in [
        "libvirt.inject_key=true",
        "libvirt.inject_password=true",
        "quota.injected_files=-1",
    ] {
        command.args(["--set", option]);
    }
    command.args([
        "--random-source",
        "random",
        "--time",
        "2026-01-15T12:00:00Z",
    ]);
    command
}

/// Whether the binary ends as the vector says.
#[track_caller]
fn judge(name: &str, vector: &Value, ended: &Ended) {
    let input = vector.get("input").expect("a vector has an input");
    let mandatory = nova_support::mandatory(input);
    let is_raised = match nova_support::recorded(vector) {
        Ok(true) => {
            assert!(
                !ended.stderr.contains("warning: "),
                "{name}: {}",
                ended.stderr
            );
            false
        }
        // Files are mandatory to the driver whatever the vector says; the last item alone is theirs.
        Ok(false) => !list(get(input, "inject").expect("items"), "files").is_empty(),
        Err(exception) if mandatory == [ItemName::Files] => {
            assert!(
                ended.stderr.contains(&exception),
                "{name}: {}",
                ended.stderr
            );
            true
        }
        Err(_) => false,
    };
    if is_raised {
        assert_ne!(ended.status, 0, "{name}: {}", ended.stderr);
        return;
    }
    assert_eq!(ended.status, 0, "{name}: {}", ended.stderr);
    if nova_support::recorded(vector) != Ok(true) {
        assert!(
            ended.stderr.contains("warning: "),
            "{name}: {}",
            ended.stderr
        );
    }
}

fn check(makers: &Makers, name: &str, vector: &Value) {
    let directory = TempDir::in_memory();
    let input = vector.get("input").expect("a vector has an input");
    let layout = Layout::of(input);
    let (before, after) = (members(vector, "before"), members(vector, "after"));
    makers.make(&directory, layout, before);
    let raw = directory.join("disk.raw");
    let image = directory.join("disk");
    let is_raw = get(input, "image").is_some();
    if is_raw {
        fs::copy(&raw, &image).expect("it is ours");
    } else {
        makers.convert(&raw, "raw", &image, "qcow2");
    }
    let bytes = hash(&image);
    let format = if is_raw { "raw" } else { "qcow2" };
    let ended = run(&mut command(&directory, input, format));
    judge(name, vector, &ended);
    if before == after {
        assert_eq!(hash(&image), bytes, "{name}: no byte was to change");
    }
    if matches!(
        layout,
        Layout::Broken | Layout::NoSystem | Layout::MountsLocked
    ) {
        assert!(before == after, "{name}: there is no guest to be read");
        return;
    }
    makers.convert(&image, format, &raw, "raw");
    let guest = match layout.partition() {
        None => raw,
        Some(partition) => {
            let guest = directory.join("judged");
            let start = (1 + (partition as u64 - 1) * MEBIBYTES) << 20;
            cut_out(&raw, start, MEBIBYTES << 20, &guest);
            guest
        }
    };
    makers.ext.check(&guest);
    let mut tree = viewed(&guest);
    if layout != Layout::Third {
        // What the layout has besides.
        for added in ["/etc/fstab", "/boot", "/usr"] {
            tree.remove(&path(added));
        }
    }
    same(name, &tree, &expected(after));
}

#[test]
fn injections_into_images_are_those_of_nova() {
    let Some(makers) = Makers::require() else {
        return;
    };
    for (name, vector) in nova_support::vectors() {
        check(&makers, &name, &vector);
    }
}

/// Nova mounts the disk itself where the option is 0, and a disk with partitions is no filesystem.
#[test]
fn a_disk_with_partitions_is_no_filesystem_to_nova() {
    let Some(makers) = Makers::require() else {
        return;
    };
    let vectors = nova_support::vectors();
    let vector = &vectors["metadata"];
    let directory = TempDir::in_memory();
    makers.make(&directory, Layout::Mounts, members(vector, "before"));
    let image = directory.join("disk");
    fs::rename(directory.join("disk.raw"), &image).expect("it is ours");
    let bytes = hash(&image);
    let mut inject = command(&directory, vector.get("input").expect("an input"), "raw");
    let ended = run(&mut inject);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the disk has partitions"),
        "{}",
        ended.stderr
    );
    // With a file, which is mandatory, that fails the boot.
    let mut inject = command(
        &directory,
        vectors["files-dotdot"].get("input").expect("an input"),
        "raw",
    );
    let ended = run(&mut inject);
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("NovaException"), "{}", ended.stderr);
    assert_eq!(hash(&image), bytes);
}
