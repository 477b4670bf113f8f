//! qcow2 images with a few bytes changed: no panic, no hang, no growth without bound; and storage that fails.
//!
//! `CHRISTEN_JUDGE_FULL=1` tries many more of them.

#[expect(dead_code, reason = "shared with the judge, which needs all of it")]
mod qcow2_lab;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use christen_block::qcow2::{CreateOptions, Qcow2, create};
use christen_block::{Access, BlockDevice, Error, MemoryDevice, MemoryStorage, Result, Storage};
use qcow2_lab::{Lab, Random, is_full};

const DISK_BYTES: u64 = 1 << 20;

/// Small images of every kind.
fn images(lab: &Lab) -> Vec<Vec<u8>> {
    lab.raw("source.raw", DISK_BYTES as usize, 9);
    [
        ("compat=0.10,cluster_size=4096", true),
        ("cluster_size=512,refcount_bits=1", false),
        ("cluster_size=65536,compression_type=zstd", true),
        ("cluster_size=16k,extended_l2=on", false),
        ("cluster_size=4096,refcount_bits=64", false),
    ]
    .into_iter()
    .map(|(options, is_compressed)| {
        let mut arguments = vec!["convert", "-O", "qcow2", "-o", options];
        if is_compressed {
            arguments.push("-c");
        }
        arguments.extend(["source.raw", "image.qcow2"]);
        lab.qemu_img(&arguments);
        if !options.contains("refcount_bits=1") {
            lab.qemu_img(&["snapshot", "-c", "old", "image.qcow2"]);
        }
        lab.qemu_io("image.qcow2", &["write 100k 30k".to_owned()]);
        fs::read(lab.path("image.qcow2")).unwrap()
    })
    .collect()
}

/// Uses an image as an injection does. Errors are fine.
fn use_it(bytes: Vec<u8>, random: &mut Random) {
    let file_bytes = bytes.len() as u64;
    let storage = Arc::new(MemoryStorage::new(bytes.clone()));
    let disk = match Qcow2::open(Arc::clone(&storage) as _, None, None, Access::Write) {
        Ok(disk) => disk,
        Err(_) => {
            assert_eq!(storage.snapshot(), bytes, "refused, and written to");
            return;
        }
    };
    let reach = disk.length().min(DISK_BYTES);
    let mut buffer = vec![0; 40_000.min(reach as usize)];
    for _ in 0..10 {
        let offset = random.below(reach - buffer.len() as u64 + 1);
        let _ = disk.read_at(&mut buffer, offset);
    }
    let _ = disk.allocated().take(1000).count();
    random.fill(&mut buffer);
    for _ in 0..10 {
        let length = random.below(buffer.len() as u64 + 1) as usize;
        let offset = random.below(reach - length as u64 + 1);
        let _ = disk.write_at(&buffer[..length], offset);
    }
    let _ = disk.flush();
    assert!(storage.length() <= file_bytes + (300 << 20));
}

#[test]
fn changed_bytes_do_no_harm() {
    let Some(lab) = Lab::new() else { return };
    let rounds = if is_full() { 20_000 } else { 80 };
    for (number, image) in images(&lab).into_iter().enumerate() {
        // Tables begin at cluster boundaries; there, and in the header, it matters most.
        let cluster_bytes = 1_u64 << image[23];
        let clusters = image.len() as u64 / cluster_bytes;
        for seed in 0..rounds {
            let mut random = Random::new(seed * 8 + number as u64);
            let mut bytes = image.clone();
            for _ in 0..=random.below(3) {
                let at = match random.below(4) {
                    0 => random.below(112),
                    1 => random.below(clusters) * cluster_bytes + random.below(64),
                    2 => random.below(clusters.min(8) * cluster_bytes),
                    _ => random.below(bytes.len() as u64),
                };
                let value = random.next() as u8;
                bytes[at as usize] = match random.below(3) {
                    0 => value,
                    1 => bytes[at as usize] ^ 1 << (value % 8),
                    _ => 0xff * (value & 1),
                };
            }
            let began = Instant::now();
            use_it(bytes, &mut random);
            let took = began.elapsed();
            assert!(
                took < Duration::from_secs(5),
                "image {number}, seed {seed}: {took:?}"
            );
        }
    }
}

/// Storage that refuses its n-th call.
#[derive(Debug)]
struct Failing {
    inner: MemoryStorage,
    left: AtomicU64,
}

impl Failing {
    fn call(&self) -> Result<()> {
        match self.left.fetch_sub(1, Ordering::Relaxed) {
            0 => {
                self.left.store(u64::MAX, Ordering::Relaxed);
                let source = std::io::Error::other("as the test wants");
                Err(Error::Io {
                    action: "go on".to_owned(),
                    source,
                })
            }
            _ => Ok(()),
        }
    }
}

impl Storage for Failing {
    fn length(&self) -> u64 {
        self.inner.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.call()?;
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        self.call()?;
        self.inner.write_at(data, offset)
    }

    fn set_length(&self, length: u64) -> Result<()> {
        self.call()?;
        self.inner.set_length(length)
    }
}

/// After a write that failed, nothing goes on as if it had not: the writes after it and the flush fail.
#[test]
fn a_failure_anywhere_is_an_error_and_stays_one() {
    let image = MemoryStorage::default();
    let options = CreateOptions {
        virtual_bytes: DISK_BYTES,
        cluster_bits: 9,
        backing: Some((b"base", "raw")),
    };
    create(&image, &options).unwrap();
    let backing = Arc::new(MemoryDevice::new(vec![7; DISK_BYTES as usize]));
    let mut failures = 0;
    for nth in 0.. {
        let storage = Arc::new(Failing {
            inner: MemoryStorage::new(image.snapshot()),
            left: AtomicU64::new(nth),
        });
        let backing = Some(Arc::clone(&backing) as _);
        let Ok(disk) = Qcow2::open(Arc::clone(&storage) as _, backing, None, Access::Write) else {
            failures += 1;
            continue;
        };
        let results = [
            disk.write_at(&[1; 100_000], 300),
            disk.write_at(&[2; 5], 900_000),
            disk.flush(),
        ];
        let first_error = results.iter().position(|result| result.is_err());
        match first_error {
            None => {
                assert!(nth > 400, "only {nth} calls");
                break;
            }
            // A flush that failed can be tried again: the tables are still in the cache.
            Some(2) => disk.flush().unwrap(),
            Some(first) => assert!(results[first..].iter().all(|result| result.is_err())),
        }
        failures += 1;
    }
    assert!(failures > 400);
}
