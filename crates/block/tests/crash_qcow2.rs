//! A qcow2 image edited through our own writer, its commit cut at every step: after the recovery `qemu-img check` is content and the
//! disk is the old one or the new one.

mod sim;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use christen_block::commit::Mark;
use christen_block::overlay::{Overlay, OverlayFile};
use christen_block::qcow2::Qcow2;
use christen_block::{Access, BlockDevice, MemoryStorage};
use christen_testkit::temp::TempDir;
use christen_testkit::tools;
use sim::{Disk, Host, IMAGE, REDO, Random};

const LENGTH: u64 = 1 << 20;

/// Changes what is there, and allocates clusters and a table.
fn edit(disk: &dyn BlockDevice) {
    disk.write_at(&[0xa1; 3000], 500).unwrap();
    disk.write_at(&[0xa2; 20_000], 300_000).unwrap();
    disk.write_at(&[0xa3; 10], LENGTH - 10).unwrap();
    disk.flush().unwrap();
}

fn content(image: Vec<u8>) -> Vec<u8> {
    let storage = Arc::new(MemoryStorage::new(image));
    let disk = Qcow2::open(storage, None, None, Access::Read).unwrap();
    let mut bytes = vec![0; LENGTH as usize];
    disk.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn commit(host: &Host, mark: Mark) {
    let file = OverlayFile {
        file: host.file(IMAGE).unwrap(),
        mark,
        path: None,
    };
    let overlay = Overlay::staged(vec![file], host.place()).unwrap();
    let disk = Qcow2::open(overlay.storage(0).unwrap(), None, None, Access::Write).unwrap();
    edit(&disk);
    overlay.commit(&mut |_| {}).unwrap();
}

#[test]
fn a_cut_leaves_an_image_that_qemu_finds_sound() {
    let (Some(qemu_img), Some(qemu_io)) = (tools::require("qemu-img"), tools::require("qemu-io"))
    else {
        return;
    };
    let directory = TempDir::new();
    let path = directory.join("image");
    let run = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.arg(arguments[0]).args(&arguments[1..]).arg(&path);
        command.output().unwrap().status.success()
    };
    for (options, mark) in [
        ("compat=1.1,cluster_size=4096", Mark::Qcow2V3),
        ("compat=0.10,cluster_size=4096", Mark::Qcow2V2),
    ] {
        let created = Command::new(&qemu_img)
            .args(["create", "-q", "-f", "qcow2", "-o", options])
            .arg(&path)
            .arg("1M")
            .status();
        assert!(created.unwrap().success());
        assert!(run(&qemu_io, &["-f", "qcow2", "-c", "write -P 7 0 9000"]));
        let image = fs::read(&path).unwrap();
        let host = Host::new(Disk::with(&[(IMAGE, image.clone())]));
        commit(&host, mark);
        let (old, new) = (
            content(image),
            content(host.disk().file(IMAGE).unwrap().clone()),
        );
        assert!(old != new);
        let mut checked = Vec::<Vec<u8>>::new();
        for at in 0..=host.steps() {
            for seed in 0..3 {
                let mut random = Random(seed * 77 + at as u64);
                let cut = host.cut(at, (seed > 0).then_some(&mut random));
                // Between old and new QEMU does not write to it.
                let torn = cut.file(IMAGE).unwrap().clone();
                if cut.file(REDO).is_some() && at % 4 == 0 && !checked.contains(&torn) {
                    fs::write(&path, &torn).unwrap();
                    let is_marked = match mark {
                        Mark::Qcow2V2 => torn[7] != 2 || torn[4] != 0,
                        _ => torn[79] & 2 != 0,
                    };
                    let writable = run(&qemu_io, &["-f", "qcow2", "-c", "write 0 512"]);
                    assert!(!(is_marked && writable), "step {at}");
                }
                let after = Host::new(cut);
                after.recover().unwrap();
                let image = after.disk().file(IMAGE).unwrap().clone();
                let disk = content(image.clone());
                assert!(disk == old || disk == new, "step {at}, seed {seed}");
                if !checked.contains(&image) {
                    fs::write(&path, &image).unwrap();
                    assert!(run(&qemu_img, &["check", "-q", "-f", "qcow2"]), "step {at}");
                    checked.push(image);
                }
            }
        }
        assert!(checked.len() >= 2);
    }
}
