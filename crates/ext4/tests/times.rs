//! How long the library takes; run with `cargo test --release -p christen-ext4 --test times -- --ignored --nocapture`.

mod support;

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use christen_block::{BlockDevice, Error, Result};
use christen_ext4::Ext4;
use christen_testkit::ext::Recipe;
use christen_testkit::temp::TempDir;
use christen_testkit::tools;
use christen_vfs::FileSystem;

use support::{mkdir, noise, put, writing};

/// The size of what is staged at once.
const PAGE: u64 = 4096;

/// A file with changes in memory, which counts.
#[derive(Debug)]
struct Staged {
    file: File,
    length: u64,
    pages: Mutex<HashMap<u64, Vec<u8>>>,
    reads: AtomicU64,
    read_bytes: AtomicU64,
    writes: AtomicU64,
}

impl Staged {
    fn page(&self, number: u64) -> Vec<u8> {
        let mut bytes = vec![0; PAGE as usize];
        self.file.read_exact_at(&mut bytes, number * PAGE).unwrap();
        bytes
    }
}

impl BlockDevice for Staged {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.read_bytes
            .fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.file
            .read_exact_at(buffer, offset)
            .map_err(Error::io("read"))?;
        let pages = self.pages.lock().unwrap();
        for number in offset / PAGE..=(offset + buffer.len() as u64 - 1) / PAGE {
            if let Some(page) = pages.get(&number) {
                let start = (number * PAGE).max(offset);
                let end = ((number + 1) * PAGE).min(offset + buffer.len() as u64);
                buffer[(start - offset) as usize..(end - offset) as usize].copy_from_slice(
                    &page[(start - number * PAGE) as usize..(end - number * PAGE) as usize],
                );
            }
        }
        Ok(())
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let mut pages = self.pages.lock().unwrap();
        for number in offset / PAGE..=(offset + data.len() as u64 - 1) / PAGE {
            let page = pages.entry(number).or_insert_with(|| self.page(number));
            let start = (number * PAGE).max(offset);
            let end = ((number + 1) * PAGE).min(offset + data.len() as u64);
            page[(start - number * PAGE) as usize..(end - number * PAGE) as usize]
                .copy_from_slice(&data[(start - offset) as usize..(end - offset) as usize]);
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

#[test]
#[ignore = "measures, and judges nothing"]
#[expect(clippy::print_stderr, reason = "showing figures is what it is for")]
fn times() {
    if tools::require("mke2fs").is_none() {
        return;
    }
    for (name, bytes, more) in [
        ("2 GiB", 2_u64 << 30, &[][..]),
        ("4 TiB", 4 << 40, &["-J", "size=1024"][..]),
    ] {
        let directory = TempDir::new();
        let path = directory.join("image");
        Recipe::named("ext4-1.43").make_with(&path, 4096, bytes, more);
        for _ in 0..3 {
            let device = Arc::new(Staged {
                file: File::open(&path).unwrap(),
                length: bytes,
                pages: Mutex::default(),
                reads: AtomicU64::new(0),
                read_bytes: AtomicU64::new(0),
                writes: AtomicU64::new(0),
            });
            let start = Instant::now();
            let mut filesystem = Ext4::open(Arc::clone(&device) as _, &writing()).unwrap();
            let opened = start.elapsed();
            let root = filesystem.root();
            let a = mkdir(&mut filesystem, root, "a");
            let b = mkdir(&mut filesystem, a, "b");
            for number in 0..5 {
                let file = put(&mut filesystem, b, &format!("file{number}"), &[b'x'; 300]);
                filesystem.set_permissions(file, 0o600).unwrap();
                filesystem.set_owner(file, 1, 2).unwrap();
            }
            filesystem.finish().unwrap();
            let done = start.elapsed();
            eprintln!(
                "{name}: open {opened:?}, all {done:?}; {} reads of {} bytes, {} writes",
                device.reads.load(Ordering::Relaxed),
                device.read_bytes.load(Ordering::Relaxed),
                device.writes.load(Ordering::Relaxed)
            );
            let start = Instant::now();
            let mut directory = root;
            for step in 0..4000_u32 {
                match step % 4 {
                    0 if step % 400 == 0 => {
                        directory = mkdir(&mut filesystem, root, &format!("d{step}"))
                    }
                    0 | 1 => {
                        put(
                            &mut filesystem,
                            directory,
                            &format!("f{step}"),
                            &noise(step as usize % 9000, step),
                        );
                    }
                    2 => {
                        if let Some(file) = filesystem
                            .lookup(directory, format!("f{}", step - 1).as_bytes())
                            .unwrap()
                        {
                            filesystem.write_at(file, &[1; 5000], 3000).unwrap();
                        }
                    }
                    _ => {
                        let name = format!("f{}", step - 2);
                        filesystem
                            .rename(
                                directory,
                                name.as_bytes(),
                                root,
                                format!("r{step}").as_bytes(),
                            )
                            .unwrap();
                    }
                }
            }
            filesystem.finish().unwrap();
            eprintln!("{name}: 4000 operations {:?}", start.elapsed());
            let many = mkdir(&mut filesystem, root, "many");
            let start = Instant::now();
            for number in 0..20_000 {
                filesystem
                    .create(
                        many,
                        format!("entry-{number}").as_bytes(),
                        &support::new(christen_vfs::NewKind::File, 0o644),
                    )
                    .unwrap();
            }
            eprintln!("{name}: 20000 entries {:?} each", start.elapsed() / 20_000);
            let start = Instant::now();
            let large = vec![3; 1 << 20];
            let file = put(&mut filesystem, root, "large", b"");
            for step in 0..100_u64 {
                filesystem.write_at(file, &large, step << 20).unwrap();
            }
            filesystem.finish().unwrap();
            eprintln!("{name}: 100 MiB {:?}", start.elapsed());
        }
    }
}
