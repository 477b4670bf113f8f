//! The guest that mounts ext images, shown to see what the kernel of this machine wrote and sees.
//!
//! Ignored in ordinary runs since it boots a machine: `cargo xtask guest-check` runs it.

use std::path::PathBuf;

use christen_testkit::ext::{self, Recipe};
use christen_testkit::kernel::{self, HostDirectory, Mount};
use christen_testkit::{TempDir, guest, tools};
use christen_vfs::FileSystem;
use christen_vfs::memory::Memory;
use christen_vfs::model::{self, Profile};
use christen_vfs::tree::{Aspects, Tree, TreeOptions, differences};

#[test]
#[ignore = "boots a guest; `cargo xtask guest-check` runs it"]
fn the_guest_sees_what_the_host_wrote() {
    if !guest::require()
        || !kernel::require()
        || tools::require("mke2fs").is_none()
        || tools::require("e2fsck").is_none()
    {
        return;
    }
    let directory = TempDir::new();
    let mut images: Vec<PathBuf> = Vec::new();
    let mut trees = Vec::new();
    for (name, block_bytes) in [("ext2", 1024), ("ext3", 2048), ("ext4-1.47", 4096)] {
        let image = directory.join(name);
        Recipe::named(name).make(&image, block_bytes, 64);
        let mount = Mount::writable(&image);
        {
            let limits = Memory::new().limits();
            let mut top = HostDirectory::open(mount.path(), limits).expect("opens");
            let operations = model::generate(&mut Memory::new(), 5, 400, &Profile::DEFAULT);
            for operation in operations {
                // What an old format refuses is not there, for the guest neither.
                let _ = operation.apply(&mut top);
            }
            let root = top.root();
            let options = TreeOptions {
                content_bytes: 1 << 30,
            };
            trees.push(Tree::read(&mut top, root, &options).expect("reads"));
        }
        mount.unmount();
        images.push(image);
    }
    let broken = directory.join("broken");
    std::fs::write(&broken, [7; 1 << 20]).expect("writes");
    images.push(broken);

    let drives = guest::mount_ext_drives(&images, true).expect("the guest does its work");
    assert_eq!(drives[3].failed, ["mounting", "mounting for writing"]);
    for (drive, tree) in drives.iter().zip(&trees) {
        assert!(drive.failed.is_empty(), "{:?}", drive.failed);
        let seen = drive.tree.as_ref().expect("a tree");
        let told = guest::as_the_guest_tells(tree);
        let differences = differences(seen, &told, &Aspects::ALL);
        assert!(differences.is_empty(), "{}", differences[0]);
    }
    for image in &images[..3] {
        ext::assert_clean(image, "after the guest has written");
        let mount = Mount::read_only(image);
        let written = std::fs::read_dir(mount.path().join("written")).expect("lists");
        assert!(written.count() > guest::WRITTEN_FILES / 2);
        mount.unmount();
    }
}
