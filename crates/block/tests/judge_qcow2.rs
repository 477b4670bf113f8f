//! qcow2 against QEMU: it makes an image, we read and change it, and QEMU finds what it would have written itself.
//!
//! `CHRISTEN_JUDGE_FULL=1` runs the whole matrix; otherwise a sample of it runs.

mod qcow2_lab;

use christen_block::{Access, BlockDevice};
use qcow2_lab::{Lab, Random, assert_same, is_full};

/// The length of the disks: no multiple of any cluster size.
const DISK_BYTES: usize = (5 << 20) + 3 * 512;

/// Makes a qcow2 image with data, holes, compressed clusters if asked for, and zero clusters where the version has them.
fn make(lab: &Lab, options: &str, is_compressed: bool, backing: Option<(&str, &str)>) {
    let mut arguments = vec!["convert", "-f", "raw", "-O", "qcow2", "-o", options];
    if is_compressed {
        arguments.push("-c");
    }
    if let Some((name, format)) = backing {
        arguments.extend(["-B", name, "-F", format]);
    }
    arguments.extend(["source.raw", "image.qcow2"]);
    if !lab.path("source.raw").exists() {
        lab.raw("source.raw", DISK_BYTES, 1);
    }
    lab.qemu_img(&arguments);
    let mut random = Random::new(2);
    let mut commands = Vec::new();
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

/// One row of the matrix.
struct Row {
    options: String,
    is_compressed: bool,
}

/// Images without a backing file: versions, cluster sizes, widths of refcounts, compression, subclusters.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |options: String, is_compressed| {
        rows.push(Row {
            options,
            is_compressed,
        });
    };
    for bits in 9..=21 {
        let size = 1 << bits;
        if is_full() || [9, 12, 16, 21].contains(&bits) {
            row(format!("compat=0.10,cluster_size={size}"), false);
            row(format!("compat=0.10,cluster_size={size}"), true);
            row(format!("compat=1.1,cluster_size={size}"), false);
            row(format!("compat=1.1,cluster_size={size}"), true);
        }
        if is_full() || [10, 16, 20].contains(&bits) {
            row(format!("compression_type=zstd,cluster_size={size}"), true);
        }
        if bits >= 14 && (is_full() || [14, 16, 21].contains(&bits)) {
            row(format!("extended_l2=on,cluster_size={size}"), false);
            row(
                format!("extended_l2=on,cluster_size={size},compression_type=zstd"),
                true,
            );
        }
        for width in [1, 2, 4, 8, 32, 64] {
            if bits == 9 || is_full() && bits % 3 == 0 {
                let compressed = width >= 16 && bits == 9;
                row(
                    format!("refcount_bits={width},cluster_size={size}"),
                    compressed,
                );
            }
        }
    }
    row("preallocation=metadata".to_owned(), false);
    row("preallocation=falloc,cluster_size=4096".to_owned(), false);
    row("lazy_refcounts=on".to_owned(), false);
    rows
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
    for row in rows() {
        make(&lab, &row.options, row.is_compressed, None);
        judge(&lab, &row.options);
    }
}
