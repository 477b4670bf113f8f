//! What `christen inspect` says of the files that an image consists of, beside what `qemu-img` says of them.

mod image_support;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use christen_instance::Value;
use christen_testkit::{TempDir, tools};
use image_support::Tools;
use serde_json::Value as Json;
use support::{christen_in, fail_somehow, items, member, run, succeed};

/// `qemu-img` in a directory.
struct QemuImg {
    program: PathBuf,
    directory: TempDir,
}

impl QemuImg {
    fn require() -> Option<Self> {
        Some(Self {
            program: tools::require("qemu-img")?,
            directory: TempDir::new(),
        })
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        command.current_dir(&*self.directory).args(arguments);
        String::from_utf8(tools::run(command.env("TZ", "UTC"))).expect("UTF-8")
    }

    fn create(&self, name: &str, options: &[&str]) {
        let fixed = ["create", "-q", "-f", "qcow2", name];
        self.run(&[&fixed[..], options].concat());
    }

    /// What it says of a whole chain.
    fn chain(&self, name: &str) -> Vec<Json> {
        let printed = self.run(&["info", "--backing-chain", "--output=json", name]);
        serde_json::from_str(&printed).expect("JSON")
    }

    #[track_caller]
    fn inspect(&self, arguments: &str) -> Value {
        let arguments = format!("inspect --json {arguments}");
        succeed(&mut christen_in(&self.directory, &arguments)).json()
    }
}

fn number(value: &Value, name: &str) -> Option<u64> {
    match member(value, name) {
        Value::Integer(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// Compares what both say of one qcow2 or raw image.
#[track_caller]
fn same(ours: &Value, theirs: &Json) {
    assert_eq!(member(ours, "opened"), &Value::from(true), "{ours:?}");
    assert_eq!(member(ours, "format").as_str(), theirs["format"].as_str());
    assert_eq!(
        number(ours, "disk_size_bytes"),
        theirs["virtual-size"].as_u64()
    );
    let ours = member(ours, "qcow2");
    if theirs["format"] == "raw" {
        assert_eq!(ours, &Value::Null);
        return;
    }
    let data = &theirs["format-specific"]["data"];
    let compat = match data["compat"].as_str() {
        Some("0.10") => 2,
        Some("1.1") => 3,
        other => panic!("{other:?}"),
    };
    assert_eq!(number(ours, "version"), Some(compat));
    assert_eq!(
        number(ours, "cluster_bytes"),
        theirs["cluster-size"].as_u64()
    );
    assert_eq!(
        number(ours, "refcount_bits"),
        data["refcount-bits"].as_u64()
    );
    assert_eq!(
        member(ours, "compression").as_str(),
        data["compression-type"].as_str()
    );
    let text = |name: &str| ours.get(name).and_then(Value::as_str);
    assert_eq!(text("backing_file"), theirs["backing-filename"].as_str());
    assert_eq!(
        text("backing_format"),
        theirs["backing-filename-format"].as_str()
    );
    assert_eq!(text("data_file"), data["data-file"].as_str());
    assert_eq!(
        ours.get("data_file_is_raw"),
        data["data-file-raw"].as_bool().map(Value::from).as_ref()
    );

    let snapshots = items(member(ours, "snapshots"));
    let expected = theirs["snapshots"].as_array().cloned().unwrap_or_default();
    assert_eq!(snapshots.len(), expected.len());
    assert_eq!(number(ours, "snapshot_count"), Some(snapshots.len() as u64));
    for (ours, theirs) in snapshots.iter().zip(&expected) {
        assert_eq!(member(ours, "id").as_str(), theirs["id"].as_str());
        assert_eq!(member(ours, "name").as_str(), theirs["name"].as_str());
        assert_eq!(
            number(ours, "state_bytes"),
            theirs["vm-state-size"].as_u64()
        );
        let clock = |name: &str| theirs[name].as_u64().expect("a number");
        assert_eq!(
            number(ours, "guest_clock_nanoseconds"),
            Some(clock("vm-clock-sec") * 1_000_000_000 + clock("vm-clock-nsec"))
        );
    }

    let bitmaps = items(member(ours, "bitmaps"));
    let expected = data["bitmaps"].as_array().cloned().unwrap_or_default();
    assert_eq!(bitmaps.len(), expected.len());
    assert_eq!(number(ours, "bitmap_count"), Some(bitmaps.len() as u64));
    for (ours, theirs) in bitmaps.iter().zip(&expected) {
        assert_eq!(member(ours, "name").as_str(), theirs["name"].as_str());
        assert_eq!(
            number(ours, "granularity_bytes"),
            theirs["granularity"].as_u64()
        );
        let flags = theirs["flags"].as_array().expect("an array");
        for (name, flag) in [("is_recording", "auto"), ("is_inconsistent", "in-use")] {
            assert_eq!(
                member(ours, name),
                &Value::from(flags.iter().any(|it| it == flag))
            );
        }
    }
}

/// The files of a chain without its data files, which QEMU does not count among them.
fn images(inspected: &Value) -> Vec<&Value> {
    items(member(inspected, "files"))
        .iter()
        .filter(|it| member(it, "role").as_str() != Some("data-file"))
        .collect()
}

#[test]
fn the_whole_chain_is_told_as_qemu_tells_it() {
    let (Some(tools), Some(qemu_img)) = (Tools::require(), QemuImg::require()) else {
        return;
    };
    let directory = &qemu_img.directory;
    fs::create_dir(directory.join("bases")).expect("it is ours");
    tools.guest(&directory.join("bases/disk.img"), &["-t", "ext4"]);
    // Names of backing files are relative to the image that has them.
    qemu_img.create(
        "bases/one.qcow2",
        &[
            "-o",
            "compat=0.10,cluster_size=4096",
            "-b",
            "disk.img",
            "-F",
            "raw",
        ],
    );
    qemu_img.run(&["snapshot", "-c", "before upgrade", "bases/one.qcow2"]);
    qemu_img.run(&["snapshot", "-c", "gr\u{fc}n", "bases/one.qcow2"]);
    qemu_img.create(
        "two.qcow2",
        &[
            "-o",
            "data_file=two.data,compression_type=zstd,refcount_bits=64,extended_l2=on",
            "-b",
            "bases/one.qcow2",
            "-F",
            "qcow2",
        ],
    );
    qemu_img.create("top.qcow2", &["-b", "two.qcow2", "-F", "qcow2"]);
    qemu_img.run(&["bitmap", "--add", "-g", "64k", "top.qcow2", "daily"]);
    qemu_img.run(&[
        "bitmap",
        "--add",
        "--disable",
        "-g",
        "1M",
        "top.qcow2",
        "old",
    ]);

    let inspected = qemu_img.inspect("top.qcow2 --allow-backing .");
    let theirs = qemu_img.chain("top.qcow2");
    let ours = images(&inspected);
    assert_eq!((ours.len(), theirs.len()), (4, 4));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        same(ours, theirs);
        let path = member(ours, "path").as_str().expect("a text");
        let file = theirs["filename"].as_str().expect("a text");
        let resolved = directory.join(file).canonicalize().expect("it is there");
        assert_eq!(Path::new(path), resolved);
    }
    let files = items(member(&inspected, "files"));
    let named: Vec<_> = files
        .iter()
        .map(|it| {
            (
                member(it, "role").as_str().expect("a text"),
                member(it, "name").as_str().expect("a text"),
                number(it, "named_by"),
            )
        })
        .collect();
    assert_eq!(
        named,
        [
            ("image", "top.qcow2", None),
            ("backing-file", "two.qcow2", Some(0)),
            ("data-file", "two.data", Some(1)),
            ("backing-file", "bases/one.qcow2", Some(1)),
            ("backing-file", "disk.img", Some(3)),
        ]
    );
    let data_bytes = fs::metadata(directory.join("two.data")).expect("it is there");
    assert_eq!(number(&files[2], "file_size_bytes"), Some(data_bytes.len()));
    // And through all of that the filesystem is seen.
    let volume = &items(member(&inspected, "volumes"))[0];
    let state = member(member(volume, "filesystem"), "state");
    assert_eq!(state.as_str(), Some("clean"));

    let shown = succeed(&mut christen_in(
        directory,
        "inspect top.qcow2 --allow-backing .",
    ));
    let shown = shown.text();
    for line in [
        "\nbacking file two.qcow2\n  named by           top.qcow2\n  path               /",
        "\nbacking file bases/one.qcow2\n  named by           two.qcow2\n",
        "\ndata file two.data\n  named by           two.qcow2\n",
        "  format             qcow2, as the file that names it states\n",
        "  data file          two.data (alone it is no disk)\n",
        "bitmap               daily, 65536 bytes each, follows the disk\n",
        "bitmap               old, 1048576 bytes each\n",
        "\nwhole disk\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    // The list that `qemu-img` makes for people: ID, name, size, date and time.
    for line in qemu_img
        .run(&["snapshot", "-l", "bases/one.qcow2"])
        .lines()
        .skip(2)
    {
        let cells: Vec<_> = line.split_whitespace().collect();
        let date = cells
            .iter()
            .position(|it| it.starts_with("20"))
            .expect("a date");
        let name = cells[1..date - 2].join(" ");
        let listed = format!(
            "  snapshot           {} ({name}), {}T{}",
            cells[0],
            cells[date],
            cells[date + 1]
        );
        assert!(shown.contains(&listed), "{listed}\n{shown}");
    }
}

#[test]
fn a_file_that_may_not_be_opened_is_named_and_not_touched() {
    let Some(qemu_img) = QemuImg::require() else {
        return;
    };
    let directory = &qemu_img.directory;
    for name in ["allowed", "other"] {
        fs::create_dir(directory.join(name)).expect("it is ours");
    }
    qemu_img.create("other/base.qcow2", &["1M"]);
    qemu_img.create(
        "allowed/middle.qcow2",
        &["-b", "../other/base.qcow2", "-F", "qcow2"],
    );
    qemu_img.create("top.qcow2", &["-b", "allowed/middle.qcow2", "-F", "qcow2"]);
    let opened = |arguments: &str| -> Vec<bool> {
        let inspected = qemu_img.inspect(arguments);
        assert_eq!(member(&inspected, "partition_table"), &Value::Null);
        assert_eq!(number(&inspected, "disk_size_bytes"), Some(1 << 20));
        let warnings = items(member(&inspected, "warnings"));
        let told = warnings[0].as_str().expect("a text");
        assert!(
            told.contains("which the image names, may not be opened"),
            "{told}"
        );
        items(member(&inspected, "files"))
            .iter()
            .map(|it| member(it, "opened") == &Value::from(true))
            .collect()
    };
    // Without permission the name is all that is known, and nothing of what it names.
    assert_eq!(opened("top.qcow2"), [true, false]);
    assert_eq!(
        opened("top.qcow2 --allow-backing allowed"),
        [true, true, false]
    );
    let ended = succeed(&mut christen_in(directory, "inspect top.qcow2"));
    let line = "\nbacking file allowed/middle.qcow2\n  named by           top.qcow2\n  state              not opened: `";
    assert!(ended.text().contains(line), "{}", ended.text());
    assert!(
        ended
            .stderr
            .starts_with("warning: what is on the disk in `top.qcow2` is not shown: `")
            && ended
                .stderr
                .contains("\nnote: if the image may name files there, pass `--allow-backing "),
        "{}",
        ended.stderr
    );
    let inspected = qemu_img.inspect("top.qcow2 --allow-backing .");
    for (ours, theirs) in images(&inspected).iter().zip(&qemu_img.chain("top.qcow2")) {
        same(ours, theirs);
    }
    // A data file needs permission too, and what it is is said without.
    qemu_img.create(
        "split.qcow2",
        &["-o", "data_file=other/split.data,data_file_raw=on", "1M"],
    );
    assert_eq!(opened("split.qcow2"), [true, false]);
    let inspected = qemu_img.inspect("split.qcow2 --allow-backing other");
    same(images(&inspected)[0], &qemu_img.chain("split.qcow2")[0]);
    assert_eq!(items(member(&inspected, "files")).len(), 2);
    // Other commands are refused as before.
    fail_somehow(&mut christen_in(directory, "ls top.qcow2"), 1);
}

#[test]
fn hostile_names_are_escaped_and_their_number_is_bounded() {
    let Some(qemu_img) = QemuImg::require() else {
        return;
    };
    let directory = &qemu_img.directory;
    qemu_img.create("a.qcow2", &["1M"]);
    for name in ["PLAIN-1", "PLAIN-2"] {
        qemu_img.run(&["snapshot", "-c", name, "a.qcow2"]);
    }
    qemu_img.run(&["bitmap", "--add", "a.qcow2", "PLAIN-3"]);
    qemu_img.create("base-1.img", &["1M"]);
    qemu_img.run(&["rebase", "-u", "-b", "base-1.img", "-F", "raw", "a.qcow2"]);
    let image = directory.join("a.qcow2");
    let mut bytes = fs::read(&image).expect("it is there");
    let mut replace = |old: &[u8], new: &[u8]| {
        // QEMU leaves tables behind that are not used any more.
        let places: Vec<_> = (0..bytes.len() - old.len())
            .filter(|at| bytes[*at..].starts_with(old))
            .collect();
        assert!(!places.is_empty(), "{old:?} is not there");
        for at in places {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
    };
    replace(b"PLAIN-1", b"\x1b[31mx\n");
    replace(b"PLAIN-2", b"\xff\xfe\0\x07abc");
    replace(b"PLAIN-3", b"\x1b]0;\x07yz");
    replace(b"base-1.img", b"b\x1b[2J\n.img");
    fs::write(&image, &bytes).expect("it is ours");
    let ended = succeed(&mut christen_in(directory, "inspect a.qcow2"));
    for text in [ended.text(), &ended.stderr] {
        assert!(!text.contains(['\x1b', '\x07', '\0']), "{text:?}");
    }
    for line in [
        "snapshot             1 (\\u{1b}[31mx\\n), 2",
        "snapshot             2 (\\xff\\xfe\\u{0}\\u{7}abc), 2",
        "bitmap               \\u{1b}]0;\\u{7}yz, 65536 bytes each",
        "\nbacking file b\\u{1b}[2J\\n.img\n",
    ] {
        assert!(ended.text().contains(line), "{line}\n{}", ended.text());
    }
    let inspected = qemu_img.inspect("a.qcow2");
    let qcow2 = member(&items(member(&inspected, "files"))[0], "qcow2");
    let snapshots = items(member(qcow2, "snapshots"));
    let exact = member(&snapshots[1], "name_hex");
    assert_eq!(exact.as_str(), Some("fffe0007616263"));
    // The messages of the others do not play with the terminal either.
    let refused = fail_somehow(&mut christen_in(directory, "ls a.qcow2"), 1);
    assert!(!refused.stderr.contains('\x1b'), "{:?}", refused.stderr);

    // A header that claims more than there are, and one that points nowhere.
    qemu_img.create("b.qcow2", &["1M"]);
    qemu_img.run(&["snapshot", "-c", "one", "b.qcow2"]);
    let image = directory.join("b.qcow2");
    let good = fs::read(&image).expect("it is there");
    let mut changed = good.clone();
    changed[60..64].copy_from_slice(&3000_u32.to_be_bytes());
    changed.resize(good.len() + (1 << 20), 0);
    fs::write(&image, &changed).expect("it is ours");
    let inspected = qemu_img.inspect("b.qcow2");
    let qcow2 = member(&items(member(&inspected, "files"))[0], "qcow2");
    assert_eq!(items(member(qcow2, "snapshots")).len(), 256);
    assert_eq!(number(qcow2, "snapshot_count"), Some(3000));
    let ended = succeed(&mut christen_in(directory, "inspect b.qcow2"));
    let line = "snapshots            3000, of which these are the first 256\n";
    assert!(ended.text().contains(line), "{}", ended.text());

    let mut changed = good;
    let place = u64::from_be_bytes(changed[64..72].try_into().expect("eight bytes"));
    let place = usize::try_from(place).expect("the file is small");
    changed[place + 36..place + 40].fill(0xff);
    fs::write(&image, &changed).expect("it is ours");
    let ended = run(&mut christen_in(directory, "inspect b.qcow2"));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let line =
        "warning              image b.qcow2: the snapshots cannot be read: qcow2 snapshot at ";
    assert!(ended.text().contains(line), "{}", ended.text());
}
