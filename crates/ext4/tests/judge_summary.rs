//! What a superblock says, compared with dumpe2fs.

use std::fs;

use christen_block::MemoryDevice;
use christen_ext4::Summary;
use christen_testkit::{TempDir, tools};

#[test]
fn the_summary_is_what_dumpe2fs_prints() {
    let (Some(mke2fs), Some(dumpe2fs)) = (tools::require("mke2fs"), tools::require("dumpe2fs"))
    else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("image");
    for arguments in [
        &["-t", "ext2", "-b", "1024"][..],
        &["-t", "ext3", "-b", "2048", "-I", "128"],
        &["-t", "ext4", "-b", "4096", "-m", "7"],
        &[
            "-t",
            "ext4",
            "-O",
            "inline_data,large_dir,orphan_file,^resize_inode,meta_bg",
        ],
    ] {
        fs::write(&image, []).expect("it is ours");
        fs::OpenOptions::new()
            .write(true)
            .open(&image)
            .and_then(|file| file.set_len(24 << 20))
            .expect("it is ours");
        let name = image.to_str().expect("UTF-8");
        tools::output(&mke2fs, arguments.iter().chain(&["-q", "-F", name]));
        let printed = tools::output(&dumpe2fs, ["-h", name]);
        let printed = String::from_utf8(printed).expect("UTF-8");
        let field = |name: &str| {
            let line = printed.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name} in {printed}")).trim()
        };
        let device = MemoryDevice::new(fs::read(&image).expect("it is there"));
        let summary = Summary::read(&device).expect("it can be read");
        for (name, number) in [
            ("Block size:", u64::from(summary.block_bytes)),
            ("Inode size:", u64::from(summary.inode_bytes)),
            ("Block count:", summary.blocks),
            ("Free blocks:", summary.free_blocks),
            ("Reserved block count:", summary.reserved_blocks),
            ("Inode count:", u64::from(summary.inodes)),
            ("Free inodes:", u64::from(summary.free_inodes)),
        ] {
            assert_eq!(field(name), number.to_string(), "{name} {arguments:?}");
        }
        let mut ours: Vec<_> = summary.features.iter().map(|it| it.name()).collect();
        let mut theirs: Vec<_> = field("Filesystem features:").split_whitespace().collect();
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs, "{arguments:?}");
        assert!(summary.is_unmounted && !summary.has_errors && !summary.needs_recovery);
        assert_eq!(field("Filesystem state:"), "clean");
    }
}

#[test]
fn what_is_no_superblock_is_told() {
    for length in [0, 1024, 2047, 4096] {
        assert!(Summary::read(&MemoryDevice::new(vec![0; length])).is_err());
    }
}
