//! Every sort of change on every sort of filesystem that mke2fs makes, judged by e2fsck and read back by debugfs.

mod support;

use std::env;

use christen_testkit::ext::{BLOCK_BYTES, RECIPES};
use christen_testkit::tools;
use christen_vfs::{FileSystem, Kind, NewKind, Times, Timestamp};

use support::{Image, assert_content, content, debugfs, mkdir, new, noise, put};

fn change_everything(image: &Image) {
    let mut filesystem = image.open();
    let filesystem = &mut filesystem;
    let root = filesystem.root();
    let before = filesystem.statistics().unwrap();
    let etc = mkdir(filesystem, root, "etc");
    let ssh = mkdir(filesystem, etc, "ssh");
    let small = put(filesystem, etc, "hostname", b"web-01\n");
    let middle = noise(70_000, 1);
    let file = put(filesystem, ssh, "middle", &middle);
    assert_eq!(content(filesystem, file), middle);
    let large = noise(3 << 20, 2);
    let large_file = put(filesystem, root, "large", &large);
    assert_eq!(content(filesystem, large_file), large);
    filesystem.set_permissions(small, 0o4755).unwrap();
    filesystem.set_owner(file, 70_000, 5).unwrap();
    let times = Times {
        accessed: Some(Timestamp {
            seconds: 1,
            nanoseconds: 2,
        }),
        modified: Some(Timestamp {
            seconds: -5,
            nanoseconds: 999_999_999,
        }),
    };
    filesystem.set_times(file, times).unwrap();
    for (name, target) in [
        ("short", "hostname".to_owned()),
        ("long", "x/".repeat(100)),
        ("edge", "y".repeat(59)),
        ("over", "z".repeat(60)),
    ] {
        let link = filesystem
            .create(
                etc,
                name.as_bytes(),
                &new(NewKind::SymbolicLink(target.as_bytes()), 0),
            )
            .unwrap();
        assert_eq!(filesystem.read_link(link).unwrap(), target.as_bytes());
    }
    for (name, kind) in [
        ("null", Kind::CharacterDevice { major: 1, minor: 3 }),
        (
            "disk",
            Kind::BlockDevice {
                major: 259,
                minor: 70_000,
            },
        ),
        ("pipe", Kind::Fifo),
        ("socket", Kind::Socket),
    ] {
        let file = filesystem
            .create(etc, name.as_bytes(), &new(NewKind::Special(kind), 0o600))
            .unwrap();
        assert_eq!(filesystem.attributes(file).unwrap().kind, kind);
    }
    filesystem.link(small, root, b"also").unwrap();
    filesystem.rename(etc, b"ssh", root, b"moved").unwrap();
    // Files that grow, shrink, have holes, and come and go.
    let grown = put(filesystem, etc, "grown", b"a");
    let mut model = b"a".to_vec();
    for step in 0..40_u32 {
        let part = noise(step as usize * 37 + 1, step);
        filesystem
            .write_at(grown, &part, model.len() as u64)
            .unwrap();
        model.extend(part);
    }
    assert_eq!(content(filesystem, grown), model);
    filesystem.set_size(grown, 1111).unwrap();
    filesystem.set_size(grown, 200_000).unwrap();
    filesystem.write_at(grown, b"tail", 300_000).unwrap();
    model.truncate(1111);
    model.resize(300_000, 0);
    model.extend(b"tail");
    assert_eq!(content(filesystem, grown), model);
    for number in 0..150 {
        put(
            filesystem,
            etc,
            &format!("file-with-a-longer-name-{number}"),
            &noise(number * 13, 5),
        );
    }
    for number in (0..150).step_by(3) {
        filesystem
            .remove(etc, format!("file-with-a-longer-name-{number}").as_bytes())
            .unwrap();
    }
    let replaced = noise(5000, 9);
    let size = filesystem.replace(file, &mut &replaced[..]).unwrap();
    assert_eq!(size, 5000);
    filesystem
        .set_attribute(file, b"user.note", &[b'n'; 300])
        .unwrap();
    filesystem
        .set_attribute(small, b"security.selinux", b"system_u:object_r:etc_t:s0\0")
        .unwrap();
    filesystem.finish().unwrap();

    let path = image.check("after the changes");
    assert_content(&path, "/etc/hostname", b"web-01\n");
    assert_content(&path, "/also", b"web-01\n");
    assert_content(&path, "/large", &large);
    assert_content(&path, "/moved/middle", &replaced);
    assert_content(&path, "/etc/grown", &model);
    let stat = debugfs(&path, "stat /moved/middle");
    assert!(
        stat.contains("User: 70000   Group:     5"),
        "{}: {stat}",
        image.name
    );
    let stat = debugfs(&path, "stat /etc/hostname");
    assert!(
        stat.contains("Mode:  04755") && stat.contains("Links: 2"),
        "{}: {stat}",
        image.name
    );
    assert!(stat.contains("selinux"), "{}: {stat}", image.name);

    // And all of it away again.
    filesystem.remove(root, b"large").unwrap();
    filesystem.remove(root, b"also").unwrap();
    let moved = filesystem.lookup(root, b"moved").unwrap().unwrap();
    filesystem.remove(moved, b"middle").unwrap();
    filesystem.remove(root, b"moved").unwrap();
    for entry in filesystem.entries(etc).unwrap() {
        filesystem.remove(etc, &entry.name).unwrap();
    }
    filesystem.remove(root, b"etc").unwrap();
    filesystem.finish().unwrap();
    image.check("after all was removed");
    let after = filesystem.statistics().unwrap();
    assert_eq!(before.free_files, after.free_files, "{}", image.name);
    assert_eq!(before.free_blocks, after.free_blocks, "{}", image.name);
}

#[test]
fn every_change_on_every_sort_of_filesystem() {
    if tools::require("mke2fs").is_none() || tools::require("e2fsck").is_none() {
        return;
    }
    // By default each sort with one block size, in turn; all with all when `CHRISTEN_EXT4_ALL` is set.
    let all = env::var_os("CHRISTEN_EXT4_ALL").is_some();
    for (number, recipe) in RECIPES.iter().enumerate() {
        for (size, block_bytes) in BLOCK_BYTES.into_iter().enumerate() {
            if all || number % BLOCK_BYTES.len() == size {
                change_everything(&Image::make(recipe, block_bytes, 24, &[]));
            }
        }
    }
}
