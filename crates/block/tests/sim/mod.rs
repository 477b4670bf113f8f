//! Changes to images on a simulated host.

#![allow(dead_code, unused_imports, reason = "each test uses a part of it")]

use std::sync::Arc;

use christen_block::Storage;
use christen_block::commit::{Committed, Mark};
use christen_block::overlay::{Overlay, OverlayFile};
use christen_testkit::host::SECTOR;
pub(crate) use christen_testkit::host::{DATA, Disk, Host, IMAGE, REDO, Random};

/// What is done to an image, and perhaps its data file.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) mark: Mark,
    pub(crate) image: Vec<u8>,
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) change: fn(&dyn Storage, Option<&dyn Storage>),
}

impl Scenario {
    pub(crate) fn disk(&self) -> Disk {
        let mut files = vec![(IMAGE, self.image.clone())];
        files.extend(self.data.clone().map(|data| (DATA, data)));
        Disk::with(&files)
    }

    /// Makes the change and commits it.
    pub(crate) fn run(&self, host: &Host) -> christen_block::Result<Committed> {
        let mut files = vec![OverlayFile {
            file: host.file(IMAGE).unwrap(),
            mark: self.mark,
            path: None,
        }];
        if self.data.is_some() {
            files.push(OverlayFile {
                file: host.file(DATA).unwrap(),
                mark: Mark::None,
                path: Some(DATA.into()),
            });
        }
        let overlay = Overlay::staged(files, host.place())?;
        let (image, data) = (Faulty(overlay.storage(0)), Faulty(overlay.storage(1)));
        let second: Option<&dyn Storage> = data.0.is_some().then_some(&data);
        (self.change)(&image, second);
        overlay.commit(&mut |_| {})
    }

    /// Runs it on a good host, and returns the disk that it leaves.
    pub(crate) fn result(&self) -> Disk {
        let host = Host::new(self.disk());
        self.run(&host).unwrap();
        host.disk()
    }
}

/// A storage that is tried twice: a program would try again, and the change is then the whole change.
#[derive(Debug)]
struct Faulty(Option<Arc<dyn Storage>>);

impl Faulty {
    fn twice<T>(
        &self,
        mut act: impl FnMut(&dyn Storage) -> christen_block::Result<T>,
    ) -> christen_block::Result<T> {
        let storage = &**self.0.as_ref().unwrap();
        act(storage).or_else(|_| act(storage))
    }
}

impl Storage for Faulty {
    fn length(&self) -> u64 {
        self.0.as_ref().unwrap().length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> christen_block::Result<()> {
        self.twice(|storage| storage.read_at(buffer, offset))
    }

    fn write_at(&self, data: &[u8], offset: u64) -> christen_block::Result<()> {
        self.twice(|storage| storage.write_at(data, offset))
    }

    fn set_length(&self, length: u64) -> christen_block::Result<()> {
        self.twice(|storage| storage.set_length(length))
    }
}

/// Bytes that differ from sector to sector.
fn pattern(seed: u8, length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index / SECTOR) as u8 ^ seed | 1)
        .collect()
}

fn qcow2(version: u8, length: usize) -> Vec<u8> {
    let mut bytes = pattern(3, length);
    bytes[..8].copy_from_slice(&[b'Q', b'F', b'I', 0xfb, 0, 0, 0, version]);
    bytes[72..80].fill(0);
    bytes
}

/// Small and large changes, one file and two, longer and shorter.
pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "raw, small writes",
            mark: Mark::None,
            image: {
                let mut image = pattern(0, 20_000);
                image[4096..8192].fill(0);
                image
            },
            data: None,
            change: |image, _| {
                image.write_at(&[0xaa; 700], 100).unwrap();
                image.write_at(&[0xbb; 512], 5120).unwrap();
                image.write_at(&[0xcc; 3000], 17_000).unwrap();
                // The same bytes as before.
                let mut same = [0; 1024];
                image.read_at(&mut same, 9000).unwrap();
                image.write_at(&same, 9000).unwrap();
            },
        },
        Scenario {
            name: "raw, more than is kept in memory",
            mark: Mark::None,
            image: pattern(0, 400_000),
            data: None,
            change: |image, _| {
                image.write_at(&[0x11; 300_000], 50_001).unwrap();
                image.write_at(&[0x22; 100], 60_000).unwrap();
                image.write_at(&[0x33; 5000], 340_000).unwrap();
                image.write_at(&[0x44; 10], 0).unwrap();
            },
        },
        Scenario {
            name: "qcow2 version 3 that grows, with its data file",
            mark: Mark::Qcow2V3,
            image: qcow2(3, 12_288),
            data: Some(pattern(9, 30_000)),
            change: |image, data| {
                image.write_at(&[0x55; 600], 12_000).unwrap();
                image.write_at(&[0x66; 4096], 16_384).unwrap();
                image.write_at(&[0x77; 8], 48).unwrap();
                data.unwrap().write_at(&[0x88; 9000], 3000).unwrap();
            },
        },
        Scenario {
            name: "qcow2 version 2 that shrinks, header as it was",
            mark: Mark::Qcow2V2,
            image: qcow2(2, 20_480),
            data: None,
            change: |image, _| {
                image.write_at(&[0x99; 1000], 9000).unwrap();
                image.set_length(14_000).unwrap();
            },
        },
        Scenario {
            name: "data file only",
            mark: Mark::Qcow2V3,
            image: qcow2(3, 4096),
            data: Some(pattern(9, 5000)),
            change: |_, data| {
                data.unwrap().set_length(9000).unwrap();
                data.unwrap().write_at(&[1; 100], 4900).unwrap();
            },
        },
        Scenario {
            name: "shorter, and longer again",
            mark: Mark::None,
            image: pattern(5, 30_000),
            data: None,
            change: |image, _| {
                image.set_length(10_000).unwrap();
                image.set_length(25_000).unwrap();
                image.write_at(&[3; 500], 20_000).unwrap();
            },
        },
    ]
}
