//! Valid volumes with changed bytes: no panic, no hang, no more memory than the volume's tables need.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_fat::{Access, Volume};
use christen_vfs::model::Random;
use christen_vfs::{FileId, FileSystem, NewFile, NewKind, Result};
use common::{Maker, device, open};

/// As many files are looked at in a damaged volume.
const MOST_FILES: usize = 200;

fn everything(volume: &mut Volume) -> Result<()> {
    volume.statistics()?;
    let mut rest = vec![volume.root()];
    let mut seen = 0;
    while let Some(directory) = rest.pop() {
        let mut entries: Vec<(Vec<u8>, FileId)> = Vec::new();
        // A directory that cannot be read does not keep the others from it.
        let _ = volume.list(directory, &mut |entry| {
            entries.push((entry.name, entry.file));
            if entries.len() < MOST_FILES {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        for (name, file) in entries {
            seen += 1;
            if seen > MOST_FILES {
                return Ok(());
            }
            if volume.lookup(file, b"x").is_ok() {
                rest.push(file);
                continue;
            }
            let mut content = [0; 5000];
            let _ = volume.read_at(file, &mut content, 3);
            let _ = volume.attributes(file);
            let _ = volume.write_at(file, b"changed", 700);
            let _ = volume.replace(file, &mut &content[..]);
            let _ = volume.set_size(file, 10);
            if seen % 3 == 0 {
                let _ = volume.remove(directory, &name);
            } else if seen % 3 == 1 {
                let _ = volume.rename(directory, &name, volume.root(), b"moved");
            }
        }
        let new = NewFile {
            kind: NewKind::Directory,
            permissions: 0,
            uid: 0,
            gid: 0,
        };
        let _ = volume.create(directory, b"a new directory", &new);
    }
    volume.finish()
}

fn populated(maker: &Maker, arguments: &[&str], mebibytes: u64) -> Vec<u8> {
    let device = device(&maker.image("seed", arguments, mebibytes));
    let mut volume = open(&device);
    let mut directory = volume.root();
    for level in 0..4 {
        for number in 0..4 {
            let kind = if number == 3 {
                NewKind::Directory
            } else {
                NewKind::File
            };
            let name = format!("level {level} number {number}");
            let new = NewFile {
                kind,
                permissions: 0,
                uid: 0,
                gid: 0,
            };
            let file = volume.create(directory, name.as_bytes(), &new).unwrap();
            if number == 3 {
                directory = file;
            } else {
                volume
                    .write_at(file, &vec![b'x'; 3000 * number], 0)
                    .unwrap();
            }
        }
    }
    volume.finish().unwrap();
    maker.check(&device);
    device.snapshot()
}

#[test]
fn changed_bytes_of_metadata() {
    let Some(maker) = Maker::new() else { return };
    let rounds = std::env::var("CHRISTEN_HOSTILE_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(50);
    for (arguments, mebibytes) in [
        (&["-F", "12", "-s", "1"][..], 1),
        (&["-F", "16", "-s", "1"], 4),
        (&["-F", "32", "-s", "1"], 34),
    ] {
        let whole = populated(&maker, arguments, mebibytes);
        // What is not zero is metadata, or content between it.
        let places: Vec<usize> = (0..whole.len().min(2 << 20))
            .filter(|place| whole[*place] != 0 && whole[*place] != b'x')
            .collect();
        for round in 0..rounds {
            let mut random = Random::new(round);
            let mut bytes = whole.clone();
            for _ in 0..=random.below(4) {
                // The first 90 bytes hold the parameters, so they get their share.
                let place = if random.chance(30) {
                    random.index(90)
                } else {
                    *random.one(&places)
                };
                bytes[place] = random.number() as u8;
            }
            let device = Arc::new(MemoryDevice::new(bytes));
            if let Ok(mut volume) = Volume::open(device as _, Access::ReadWrite) {
                let _ = everything(&mut volume);
            }
        }
    }
}

#[test]
fn what_is_no_volume_is_refused() {
    for length in [0, 1, 511, 512, 513, 100_000] {
        for fill in [0, 1, 0xff] {
            let device = Arc::new(MemoryDevice::new(vec![fill; length]));
            assert!(Volume::open(device as _, Access::ReadOnly).is_err());
        }
    }
}
