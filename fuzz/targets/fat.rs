//! A FAT volume that is changed.
#![no_main]

use std::ops::ControlFlow;
use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_fat::{Access, Volume};
use christen_fuzz::repair;
use christen_vfs::{FileSystem, NewFile, NewKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, image)) = input.split_last() else {
        return;
    };
    let mut image = image.to_vec();
    if choice % 2 == 0 {
        repair::repair_vfat(&mut image);
    }
    let device = Arc::new(MemoryDevice::new(image));
    if let Ok(mut volume) = Volume::open(device, Access::ReadWrite) {
        change(&mut volume);
    }
});

/// An error is a fine answer to each of these.
fn change(volume: &mut Volume) {
    let root = volume.root();
    let new = |kind| NewFile {
        kind,
        permissions: 0,
        uid: 0,
        gid: 0,
    };
    let directory = volume.create(root, b"a new directory", &new(NewKind::Directory));
    let mut entries = Vec::new();
    let _ = volume.list(root, &mut |entry| {
        entries.push(entry);
        if entries.len() < 20 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    for (number, entry) in entries.iter().enumerate() {
        let _ = volume.entries(entry.file).map(|entries| entries.len());
        let _ = volume.read_at(entry.file, &mut [0; 3000], 100);
        let _ = volume.write_at(entry.file, b"changed", 5000);
        let _ = volume.replace(entry.file, &mut &[1; 4000][..]);
        let _ = volume.set_size(entry.file, 10);
        if number % 2 == 0 {
            let _ = volume.remove(root, &entry.name);
        } else if let Ok(directory) = directory {
            let _ = volume.rename(root, &entry.name, directory, b"moved");
        }
    }
    let _ = volume.statistics();
    let _ = volume.finish();
}
