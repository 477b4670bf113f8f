//! Whole images: opened, changed and committed, next to QEMU, which has them open or judges them afterwards.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use christen_block::{
    BlockDevice, Error, Format, Image, OpenOptions, OutputKind, Purpose, StatedFormat,
};
use christen_testkit::temp::TempDir;
use christen_testkit::tools;

const READ: Purpose = Purpose::Read { even_in_use: false };

struct Lab {
    directory: TempDir,
    qemu_img: PathBuf,
    qemu_io: PathBuf,
}

impl Lab {
    fn new() -> Option<Self> {
        Some(Self {
            qemu_img: tools::require("qemu-img")?,
            qemu_io: tools::require("qemu-io")?,
            directory: TempDir::new(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Runs `qemu-img` in the directory, and says whether it was content.
    fn qemu_img(&self, arguments: &str) -> bool {
        Command::new(&self.qemu_img)
            .current_dir(&self.directory)
            .args(arguments.split(' '))
            .output()
            .unwrap()
            .status
            .success()
    }

    fn qemu_io(&self, arguments: &[&str]) -> bool {
        let output = Command::new(&self.qemu_io)
            .current_dir(&self.directory)
            .args(arguments)
            .output()
            .unwrap();
        output.status.success()
    }

    /// Opens an image in a program that keeps it open until it is dropped.
    fn hold(&self, arguments: &[&str]) -> Holder {
        let mut child = Command::new(&self.qemu_io)
            .current_dir(&self.directory)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // An answer to a read shows that the image is open.
        writeln!(stdin, "read 0 512").unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("512") {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "qemu-io ended");
        }
        Holder(child, Some(stdin))
    }

    fn options(&self, format: Format, purpose: Purpose) -> OpenOptions {
        OpenOptions {
            format: StatedFormat::Stated(format),
            purpose,
            allow_backing: vec![self.directory.path().into()],
            redo_directory: None,
        }
    }

    fn try_open(
        &self,
        name: &str,
        format: Format,
        purpose: Purpose,
    ) -> christen_block::Result<Image> {
        Image::open(&self.path(name), &self.options(format, purpose))
    }

    /// Opens an image that nobody has open. Another test that starts a program holds a copy of every descriptor for a moment, and
    /// with it the lock of an image that has just been closed.
    fn open(&self, name: &str, format: Format, purpose: Purpose) -> christen_block::Result<Image> {
        let limit = Instant::now() + Duration::from_secs(10);
        loop {
            match self.try_open(name, format, purpose.clone()) {
                Err(Error::InUse { .. }) if Instant::now() < limit => {
                    thread::sleep(Duration::from_millis(2));
                }
                result => return result,
            }
        }
    }
}

struct Holder(Child, Option<std::process::ChildStdin>);

impl Drop for Holder {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.1.take());
        self.0.wait().unwrap();
    }
}

/// Writes the same to every disk: small and large, at the ends and between.
fn change(disk: &dyn BlockDevice) {
    let length = disk.length();
    for (offset, size, byte) in [
        (0, 512, 1),
        (70_001, 300, 2),
        (1 << 20, 700_000, 3),
        (length - 100, 100, 4),
    ] {
        disk.write_at(&vec![byte; size], offset).unwrap();
    }
}

#[test]
fn an_image_that_qemu_has_open_is_refused_and_the_reverse() {
    let Some(lab) = Lab::new() else { return };
    for format in [Format::Raw, Format::Qcow2] {
        let name = format.name();
        assert!(lab.qemu_img(&format!("create -q -f {name} {name} 8M")));
        let in_use = |purpose| {
            matches!(
                lab.try_open(name, format, purpose),
                Err(Error::InUse { .. })
            )
        };

        let writer = lab.hold(&["-f", name, name]);
        assert!(in_use(Purpose::Change), "{name}: QEMU writes");
        assert!(in_use(READ), "{name}: QEMU writes");
        lab.open(name, format, Purpose::Read { even_in_use: true })
            .unwrap();
        drop(writer);

        let reader = lab.hold(&["-r", "-f", name, name]);
        assert!(in_use(Purpose::Change), "{name}: QEMU reads");
        lab.open(name, format, READ).unwrap();
        drop(reader);

        let ours = lab.open(name, format, Purpose::Change).unwrap();
        let write = ["-f", name, "-c", "write 0 512", name];
        let read = ["-r", "-f", name, "-c", "read 0 512", name];
        assert!(!lab.qemu_io(&write), "{name}: we change it");
        assert!(!lab.qemu_io(&read), "{name}: we change it");
        drop(ours);
        let ours = lab.open(name, format, READ).unwrap();
        assert!(!lab.qemu_io(&write), "{name}: we read it");
        let limit = Instant::now() + Duration::from_secs(10);
        while !lab.qemu_io(&read) {
            assert!(Instant::now() < limit, "{name}: we read it");
        }
        drop(ours);
        // That nobody holds the lock any more, not even for a moment.
        drop(lab.open(name, format, Purpose::Change).unwrap());
        let limit = Instant::now() + Duration::from_secs(10);
        while !lab.qemu_io(&write) {
            assert!(Instant::now() < limit, "{name}: we have closed it");
        }
    }
}

/// Makes an image and its twin in raw, changes both through [`Image`], and lets QEMU compare.
#[track_caller]
fn compare(lab: &Lab, make: &[&str]) {
    for arguments in make {
        assert!(lab.qemu_img(arguments), "{arguments}");
    }
    assert!(lab.qemu_img("convert -O raw top twin.raw"));
    for (name, format) in [("top", Format::Qcow2), ("twin.raw", Format::Raw)] {
        let image = lab.open(name, format, Purpose::Change).unwrap();
        change(&*image.disk());
        let changes = image.changes().unwrap();
        let committed = image.commit(&mut |_| {}).unwrap();
        assert!(committed.bytes >= changes.bytes());
    }
    assert!(lab.qemu_img("check -q top"));
    assert!(lab.qemu_img("compare -q top twin.raw"));
    let image = lab.open("top", Format::Qcow2, READ).unwrap();
    let mut ours = vec![0; image.disk().length() as usize];
    image.disk().read_at(&mut ours, 0).unwrap();
    assert!(ours == fs::read(lab.path("twin.raw")).unwrap());
}

#[test]
fn qcow2_images_are_changed_as_raw_ones_are() {
    let chains: [&[&str]; 5] = [
        &["create -q -f qcow2 top 8M"],
        &["create -q -f qcow2 -o compat=0.10 top 8M"],
        &["create -q -f qcow2 -o cluster_size=512 top 8M"],
        &[
            "create -q -f raw base 5M",
            "create -q -f qcow2 -b base -F raw middle 8M",
            "create -q -f qcow2 -b middle -F qcow2 top",
        ],
        &["create -q -f qcow2 -o data_file=data top 8M"],
    ];
    for make in chains {
        let Some(lab) = Lab::new() else { return };
        compare(&lab, make);
    }
}

#[test]
fn a_new_overlay_holds_the_changes() {
    let Some(lab) = Lab::new() else { return };
    assert!(lab.qemu_img("create -q -f qcow2 base 8M"));
    let before = fs::read(lab.path("base")).unwrap();
    for (kind, name) in [(OutputKind::Overlay, "overlay"), (OutputKind::Copy, "copy")] {
        let path = lab.path(name);
        let purpose = Purpose::Output { path, kind };
        let image = lab.open("base", Format::Qcow2, purpose).unwrap();
        change(&*image.disk());
        assert!(!lab.path(name).exists());
        image.commit(&mut |_| {}).unwrap();
        assert!(lab.qemu_img(&format!("check -q {name}")));
        assert_eq!(fs::read(lab.path("base")).unwrap(), before);
    }
    assert!(lab.qemu_img("compare -q overlay copy"));
    assert!(!lab.qemu_img("compare -q overlay base"));
}

#[test]
fn what_an_image_names_is_opened_only_where_that_is_allowed() {
    let Some(lab) = Lab::new() else { return };
    fs::create_dir(lab.path("inside")).unwrap();
    assert!(lab.qemu_img("create -q -f raw outside.img 1M"));
    assert!(lab.qemu_img("create -q -f qcow2 -b ../outside.img -F raw inside/top 1M"));
    assert!(lab.qemu_img("create -q -f raw inside/base 1M"));
    assert!(lab.qemu_img("create -q -f qcow2 -b base -F raw inside/good 1M"));
    std::os::unix::fs::symlink(lab.path("outside.img"), lab.path("inside/link")).unwrap();
    assert!(lab.qemu_img("create -q -f qcow2 -b link -F raw inside/linked 1M"));
    let open = |name: &str, allowed: &[&Path]| {
        let mut options = lab.options(Format::Qcow2, READ);
        options.allow_backing = allowed.iter().map(|path| path.to_path_buf()).collect();
        Image::open(&lab.path(name), &options)
    };
    let inside = lab.path("inside");
    open("inside/good", &[&inside]).unwrap();
    for (name, allowed) in [
        ("inside/good", &[][..]),
        ("inside/top", &[&*inside]),
        ("inside/linked", &[&*inside]),
    ] {
        let result = open(name, allowed);
        assert!(
            matches!(result, Err(Error::NotAllowed { .. })),
            "{name}: {result:?}"
        );
    }
    open("inside/top", &[lab.directory.path()]).unwrap();

    // An image that is its own backing file.
    assert!(lab.qemu_img("create -q -f qcow2 loop 1M"));
    assert!(lab.qemu_img("rebase -u -b loop -F qcow2 loop"));
    let result = open("loop", &[lab.directory.path()]);
    assert!(matches!(result, Err(Error::Unsupported(_))), "{result:?}");
}

#[test]
fn an_export_is_changed_with_a_redo_file_elsewhere() {
    let Some(lab) = Lab::new() else { return };
    let Some(qemu_nbd) = tools::require("qemu-nbd") else {
        return;
    };
    assert!(lab.qemu_img("create -q -f vmdk disk.vmdk 8M"));
    assert!(lab.qemu_img("create -q -f raw twin.raw 8M"));
    let socket = lab.path("socket");
    let mut server = Command::new(qemu_nbd)
        .args(["--persistent", "--format", "vmdk", "--socket"])
        .arg(&socket)
        .arg(lab.path("disk.vmdk"))
        .spawn()
        .unwrap();
    let uri = format!("nbd+unix:///?socket={}", socket.display());
    let mut options = lab.options(Format::Raw, Purpose::Change);
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        // Until it listens there is nobody to ask; after that, the answer is about the redo file.
        match Image::open(uri.as_ref(), &options) {
            Err(Error::NoRedoDirectory { .. }) => break,
            Err(Error::Io { .. }) if Instant::now() < limit => {
                thread::sleep(Duration::from_millis(5));
            }
            other => panic!("{other:?}"),
        }
    }
    fs::create_dir(lab.path("redo")).unwrap();
    options.redo_directory = Some(lab.path("redo"));
    let image = Image::open(uri.as_ref(), &options).unwrap();
    change(&*image.disk());
    image.commit(&mut |_| {}).unwrap();
    assert_eq!(fs::read_dir(lab.path("redo")).unwrap().count(), 0);
    let twin = lab.open("twin.raw", Format::Raw, Purpose::Change).unwrap();
    change(&*twin.disk());
    twin.commit(&mut |_| {}).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(lab.qemu_img("compare -q -f vmdk -F raw disk.vmdk twin.raw"));
}
