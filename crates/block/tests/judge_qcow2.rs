//! qcow2 against QEMU: it makes an image, we read and change it, and QEMU finds what it would have written itself.
//!
//! `CHRISTEN_JUDGE_FULL=1` runs the whole matrix; otherwise a sample of it runs.

mod qcow2_lab;

use std::fs;

use christen_block::qcow2::{CreateOptions, Header, create as create_image};
use christen_block::{Access, BlockDevice, MemoryStorage};
use qcow2_lab::{Lab, Random, assert_same, is_full};

/// The length of the disks: no multiple of any cluster size.
const DISK_BYTES: usize = (5 << 20) + 3 * 512;

/// Makes a qcow2 image with data, holes, compressed clusters if asked for, and zero clusters where the version has them.
fn make(lab: &Lab, options: &str, is_compressed: bool) {
    let mut arguments = vec!["convert", "-f", "raw", "-O", "qcow2", "-o", options];
    if is_compressed {
        arguments.push("-c");
    }
    arguments.extend(["source.raw", "image.qcow2"]);
    if !lab.path("source.raw").exists() {
        lab.raw("source.raw", DISK_BYTES, 1);
    }
    lab.qemu_img(&arguments);
    let mut random = Random::new(2);
    // Zeros over what was data: the old bytes are still in the host clusters.
    let mut commands = ["write -P 0x77 1M 512k", "write -z 1M 512k"]
        .map(str::to_owned)
        .to_vec();
    for command in [
        "write -P 0x5a",
        "write -z",
        "discard",
        "write -z -u",
        "write -P 0xa5",
    ] {
        for _ in 0..4 {
            let offset = random.below(DISK_BYTES as u64 / 512) * 512;
            let length = (random.below(200) + 1) * 512;
            let length = length.min(DISK_BYTES as u64 - offset);
            commands.push(format!("{command} {offset} {length}"));
        }
    }
    lab.qemu_io("image.qcow2", &commands);
}

/// One row of the matrix: the options of `qemu-img create`, and whether the clusters are compressed.
type Row = (String, bool);

/// Images without a backing file: versions, cluster sizes, widths of refcounts, compression, subclusters.
fn rows() -> Vec<Row> {
    if !is_full() {
        return [
            ("compat=0.10,cluster_size=512", true),
            ("compat=0.10,cluster_size=65536", false),
            ("compat=1.1,cluster_size=512", false),
            ("compat=1.1,cluster_size=65536", true),
            ("compat=1.1,cluster_size=2M", true),
            ("compression_type=zstd,cluster_size=65536", true),
            ("extended_l2=on,cluster_size=16384", false),
            ("extended_l2=on,compression_type=zstd", true),
            ("refcount_bits=1,cluster_size=512", false),
            ("refcount_bits=4,cluster_size=512", false),
            ("refcount_bits=64,cluster_size=512", true),
            ("preallocation=metadata,lazy_refcounts=on", false),
        ]
        .map(|(options, is_compressed)| (options.to_owned(), is_compressed))
        .to_vec();
    }
    let mut rows = Vec::new();
    for bits in 9..=21 {
        let size = 1 << bits;
        for compressed in [false, true] {
            rows.push((format!("compat=0.10,cluster_size={size}"), compressed));
            rows.push((format!("compat=1.1,cluster_size={size}"), compressed));
        }
        rows.push((format!("compression_type=zstd,cluster_size={size}"), true));
        if bits >= 14 {
            let options = format!("extended_l2=on,cluster_size={size}");
            rows.push((options.clone() + ",compression_type=zstd", true));
            rows.push((options, false));
        }
        for width in [1, 2, 4, 8, 32, 64] {
            // Small clusters, so that refcount blocks and the table have to grow; compressed ones share host clusters, and
            // small counts cannot count that.
            if bits % 3 == 0 {
                let options = format!("refcount_bits={width},cluster_size={size}");
                rows.push((options, width >= 16));
            }
        }
    }
    rows.push(("preallocation=metadata".to_owned(), false));
    rows.push(("preallocation=falloc,cluster_size=4096".to_owned(), false));
    rows.push(("lazy_refcounts=on".to_owned(), false));
    rows
}

/// Takes all of a list, or every `nth` of it in the default run.
fn sample<T>(list: impl IntoIterator<Item = T>, nth: usize) -> impl Iterator<Item = T> {
    let nth = if is_full() { 1 } else { nth };
    list.into_iter().step_by(nth)
}

/// Writes the same to a disk of ours and to its bytes: much and little, zeros and not, at odd places.
fn scribble(disk: &dyn BlockDevice, model: &mut [u8], seed: u64, writes: usize) {
    let mut random = Random::new(seed);
    for _ in 0..writes {
        let longest = [40, 700, 5000, 90_000][random.below(4) as usize];
        let length = random.below(longest) as usize + 1;
        let offset = match random.below(8) {
            // Up to the very end.
            0 => model.len() - length,
            1 | 2 => (1 << 20) + random.below(400_000) as usize,
            _ => random.below((model.len() - length) as u64) as usize,
        };
        let offset = match random.below(3) {
            0 => offset & !4095,
            _ => offset,
        };
        let mut data = vec![0; length];
        if random.below(4) != 0 {
            random.fill(&mut data);
        }
        disk.write_at(&data, offset as u64).unwrap();
        model[offset..offset + length].copy_from_slice(&data);
    }
}

/// Reads the image, writes to it, and lets QEMU judge the result.
#[track_caller]
fn judge(lab: &Lab, what: &str) {
    let mut model = lab.content("image.qcow2");
    let opened = lab.open("image.qcow2", Access::Write);
    assert_same(what, &opened.content(), &model);
    scribble(&opened.disk, &mut model, 3, 60);
    assert_same(what, &opened.content(), &model);
    lab.store(&opened);
    lab.check("image.qcow2");
    assert_same(what, &lab.content("image.qcow2"), &model);
    assert_same(
        what,
        &lab.open("image.qcow2", Access::Read).content(),
        &model,
    );
}

#[test]
fn images_alone() {
    let Some(lab) = Lab::new() else { return };
    for (options, is_compressed) in rows() {
        make(&lab, &options, is_compressed);
        judge(&lab, &options);
    }
}

#[test]
fn overlays() {
    let Some(lab) = Lab::new() else { return };
    let source = "source.raw";
    make(&lab, "cluster_size=4096", true);
    lab.raw("shorter.raw", 3_000_000 / 512 * 512, 5);
    for (name, options) in [
        ("plain", "cluster_size=65536"),
        ("zlib", "cluster_size=16384"),
    ] {
        let mut arguments = vec!["convert", "-O", "qcow2", "-o", options, source];
        if name == "zlib" {
            arguments.insert(1, "-c");
        }
        arguments.push(name);
        lab.qemu_img(&arguments);
    }
    let create = |name: &str, options: &str, backing: &str, format: &str| {
        let size = DISK_BYTES.to_string();
        let mut arguments = vec!["create", "-f", "qcow2", "-b", backing, "-F", format];
        if !options.is_empty() {
            arguments.extend(["-o", options]);
        }
        arguments.extend([name, &size]);
        lab.qemu_img(&arguments);
        let commands = [
            "write -P 1 70000 9000",
            "write -z 1048576 131072",
            "write -z 3000320 4096",
        ];
        lab.qemu_io(name, &commands.map(str::to_owned));
    };
    let zstd = "compression_type=zstd,cluster_size=32768";
    let rows = [
        ("cluster_size=65536", source, "raw"),
        ("cluster_size=512", source, "raw"),
        ("cluster_size=2M", source, "raw"),
        ("compat=0.10", source, "raw"),
        ("extended_l2=on", source, "raw"),
        ("extended_l2=on,cluster_size=2M", "zlib", "qcow2"),
        ("cluster_size=4096", "plain", "qcow2"),
        (zstd, "zlib", "qcow2"),
        ("cluster_size=65536", "shorter.raw", "raw"),
        ("compat=0.10,cluster_size=1M", "shorter.raw", "raw"),
        ("extended_l2=on,cluster_size=16k", "shorter.raw", "raw"),
    ];
    for (options, backing, format) in sample(rows, 2) {
        create("image.qcow2", options, backing, format);
        judge(&lab, &format!("{options} over {backing}"));
    }
    // Three levels: raw, then qcow2 with other clusters, then an overlay on that.
    let levels = [
        ("cluster_size=4096", "cluster_size=65536"),
        ("extended_l2=on", "cluster_size=1024"),
        ("cluster_size=65536", "extended_l2=on"),
    ];
    for (middle, top) in sample(levels, 2) {
        create("middle", middle, "shorter.raw", "raw");
        create("image.qcow2", top, "middle", "qcow2");
        judge(&lab, &format!("{top} over {middle} over raw"));
    }
    // Made by us.
    for (bits, virtual_bytes) in [(9, DISK_BYTES), (16, DISK_BYTES), (21, DISK_BYTES + 512)] {
        let storage = MemoryStorage::default();
        let options = CreateOptions {
            virtual_bytes: virtual_bytes as u64,
            cluster_bits: bits,
            backing: Some((b"plain", "qcow2")),
        };
        create_image(&storage, &options).unwrap();
        fs::write(lab.path("image.qcow2"), storage.snapshot()).unwrap();
        lab.check("image.qcow2");
        let content = lab.content("image.qcow2");
        let expected = lab.content("plain");
        assert_same("a new overlay", &content[..DISK_BYTES], &expected);
        judge(&lab, &format!("our own overlay of 2^{bits} bytes"));
    }
}

#[test]
fn snapshots_keep_their_content() {
    let Some(lab) = Lab::new() else { return };
    let rows = [
        ("cluster_size=65536", false),
        ("cluster_size=65536", true),
        ("cluster_size=512,refcount_bits=2", false),
        ("cluster_size=4096,compat=0.10", true),
        ("extended_l2=on,cluster_size=16k", false),
        ("extended_l2=on,compression_type=zstd", true),
        ("cluster_size=2M", false),
    ];
    for (options, is_compressed) in sample(rows, 2) {
        make(&lab, options, is_compressed);
        let mut contents = Vec::new();
        for name in ["first", "second"] {
            contents.push((name, lab.content("image.qcow2")));
            lab.qemu_img(&["snapshot", "-c", name, "image.qcow2"]);
            let commands = ["write -P 7 12345 70000", "discard 2M 256k"];
            lab.qemu_io("image.qcow2", &commands.map(str::to_owned));
        }
        judge(&lab, options);
        for (name, content) in contents {
            let arguments = ["convert", "-O", "raw", "-l", name, "image.qcow2", "old.raw"];
            lab.qemu_img(&arguments);
            let old = fs::read(lab.path("old.raw")).unwrap();
            assert_same(&format!("{options}: snapshot {name}"), &old, &content);
        }
    }
}

#[test]
fn data_files() {
    let Some(lab) = Lab::new() else { return };
    let rows = [
        ("data_file=disk.data", false),
        ("data_file=disk.data,data_file_raw=on", true),
        ("data_file=disk.data,cluster_size=4096", false),
        ("data_file=disk.data,extended_l2=on", false),
        ("data_file=disk.data,data_file_raw=on,extended_l2=on", true),
    ];
    for (options, is_raw) in sample(rows, 2) {
        let _ = fs::remove_file(lab.path("disk.data"));
        make(&lab, options, false);
        let data_bytes = fs::read(lab.path("disk.data")).unwrap().len();
        judge(&lab, options);
        if is_raw {
            let content = lab.content("image.qcow2");
            let data = fs::read(lab.path("disk.data")).unwrap();
            // QEMU makes it a whole number of clusters long, and so it stays.
            assert_eq!(data.len(), data_bytes);
            assert_same(options, &data[..content.len()], &content);
        }
    }
    let _ = fs::remove_file(lab.path("disk.data"));
    make(&lab, "data_file=disk.data", false);
    lab.qemu_img(&[
        "rebase",
        "-u",
        "-b",
        "source.raw",
        "-F",
        "raw",
        "image.qcow2",
    ]);
    judge(&lab, "data file over a backing file");
}

/// A bitmap that has to follow the disk is marked as inconsistent; one that is switched off is of a past state, and stays.
#[test]
fn bitmaps_are_marked() {
    let Some(lab) = Lab::new() else { return };
    make(&lab, "cluster_size=65536", false);
    lab.qemu_img(&["bitmap", "--add", "image.qcow2", "follows"]);
    lab.qemu_img(&["bitmap", "--add", "--disable", "image.qcow2", "past"]);
    lab.qemu_io("image.qcow2", &["write 0 64k".to_owned()]);
    let before = lab.bitmaps("image.qcow2");
    assert_eq!(before, [("follows", "auto"), ("past", "")].map(flags));
    let opened = lab.open("image.qcow2", Access::Write);
    let bytes = opened.storage.snapshot();
    opened.disk.flush().unwrap();
    assert_eq!(opened.storage.snapshot(), bytes, "nothing was written");

    judge(&lab, "bitmaps");
    let after = lab.bitmaps("image.qcow2");
    assert_eq!(after, [("follows", "in-use,auto"), ("past", "")].map(flags));
    lab.qemu_img(&["bitmap", "--remove", "image.qcow2", "follows"]);
    lab.check("image.qcow2");
}

fn flags((name, flags): (&str, &str)) -> (String, String) {
    (name.to_owned(), flags.to_owned())
}

/// An unknown autoclear bit is cleared by the first write, and not before.
#[test]
fn unknown_autoclear_bits_are_cleared() {
    let Some(lab) = Lab::new() else { return };
    make(&lab, "cluster_size=4096", false);
    let mut bytes = fs::read(lab.path("image.qcow2")).unwrap();
    bytes[88] = 0x80;
    fs::write(lab.path("image.qcow2"), &bytes).unwrap();
    let opened = lab.open("image.qcow2", Access::Write);
    opened.disk.flush().unwrap();
    assert_eq!(opened.storage.snapshot()[88], 0x80);
    opened.disk.write_at(b"x", 0).unwrap();
    assert_eq!(opened.storage.snapshot()[88], 0);
    lab.store(&opened);
    lab.check("image.qcow2");
}

/// The refcount table has to move, more than once, and blocks have to count themselves and each other.
#[test]
fn the_refcount_table_grows() {
    let Some(lab) = Lab::new() else { return };
    for width in [64, 16, 1] {
        let options = format!("cluster_size=512,refcount_bits={width}");
        lab.qemu_img(&[
            "create",
            "-f",
            "qcow2",
            "-o",
            &options,
            "image.qcow2",
            "64M",
        ]);
        let opened = lab.open("image.qcow2", Access::Write);
        let mut model = vec![0; 64 << 20];
        let mut random = Random::new(4);
        // Backwards and with gaps, so that data, tables and blocks alternate.
        for at in (0..12).rev().map(|step| step * 5_000_000) {
            let data = &mut model[at..at + 1_500_123];
            random.fill(data);
            opened.disk.write_at(data, at as u64).unwrap();
        }
        lab.store(&opened);
        let before = opened.disk.header();
        let after = Header::read(&*opened.storage).unwrap();
        let has_moved = after.refcount_table_offset != before.refcount_table_offset;
        // 18 MiB are more than 64 entries count with 64 or 16 bits, and fewer than they count with one.
        assert_eq!(has_moved, width > 1, "{after:?}");
        lab.check("image.qcow2");
        assert_same(&options, &lab.content("image.qcow2"), &model);
    }
}

/// The flag says that a cluster is the image's own, its refcount that a snapshot refers to it too.
#[test]
fn a_flag_alone_is_not_believed() {
    let Some(lab) = Lab::new() else { return };
    make(&lab, "cluster_size=65536", false);
    let content = lab.content("image.qcow2");
    lab.qemu_img(&["snapshot", "-c", "old", "image.qcow2"]);
    let mut bytes = fs::read(lab.path("image.qcow2")).unwrap();
    let number = |bytes: &[u8], at: usize| {
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[at..at + 8]);
        u64::from_be_bytes(number) as usize
    };
    let l1_table = number(&bytes, 40);
    let l2_table = number(&bytes, l1_table) & 0x00ff_ffff_ffff_fe00;
    bytes[l1_table] |= 0x80;
    for at in (l2_table..l2_table + 65536).step_by(8) {
        if number(&bytes, at) & 0x00ff_ffff_ffff_fe00 != 0 {
            bytes[at] |= 0x80;
        }
    }
    fs::write(lab.path("image.qcow2"), &bytes).unwrap();
    let opened = lab.open("image.qcow2", Access::Write);
    let mut model = content.clone();
    scribble(&opened.disk, &mut model, 6, 60);
    lab.store(&opened);
    assert_same("the disk", &lab.content("image.qcow2"), &model);
    lab.qemu_img(&[
        "convert",
        "-O",
        "raw",
        "-l",
        "old",
        "image.qcow2",
        "old.raw",
    ]);
    let old = fs::read(lab.path("old.raw")).unwrap();
    assert_same("the snapshot", &old, &content);
}
