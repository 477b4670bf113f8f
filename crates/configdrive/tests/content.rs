//! Content that is not what the tree said: the image is not completed, and the target stays as it was.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use christen_configdrive::output::{self, Durability};
use christen_configdrive::{Content, Error, Timestamp, Tree, iso9660, vfat};
use christen_testkit::TempDir;

fn stream(announced: u64, there: u64) -> Content {
    Content::Stream {
        length: announced,
        open: Box::new(move || Ok(Box::new(io::repeat(7).take(there)))),
    }
}

fn file(path: &Path, announced: u64) -> Content {
    Content::File {
        path: path.to_owned(),
        length: announced,
    }
}

fn failing() -> Content {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    Content::Stream {
        length: 5,
        open: Box::new(|| Ok(Box::new(Broken))),
    }
}

fn check(content: impl Fn() -> Content, expected: &str) {
    let directory = TempDir::new();
    let target = directory.join("drive");
    fs::write(&target, "old").unwrap();
    let tree = || {
        let mut tree = Tree::new();
        tree.add_file("first", vec![1; 3000]).unwrap();
        tree.add_file("a/file", content()).unwrap();
        tree
    };
    let time = Timestamp::from_seconds(0);
    let attempts: [Result<(), Error>; 2] = [
        output::create(&target, Durability::Synced, |sink| {
            let options = iso9660::Options::new("config-2", time);
            iso9660::write(&tree(), &options, sink).map(drop)
        }),
        output::create(&target, Durability::Synced, |sink| {
            vfat::write(&tree(), &vfat::Options::new("config-2", time), sink).map(drop)
        }),
    ];
    for attempt in attempts {
        assert_eq!(attempt.unwrap_err().to_string(), expected);
    }
    assert_eq!(fs::read(&target).unwrap(), b"old");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn content_of_another_length_is_an_error() {
    let directory = TempDir::new();
    let small = directory.join("small");
    fs::write(&small, [7; 10]).unwrap();
    // Long enough to be copied by the kernel.
    let large = directory.join("large");
    fs::write(&large, vec![7; 1 << 20]).unwrap();
    let shorter = |expected: u64| {
        format!("the content of `a/file` is shorter than the {expected} bytes announced")
    };
    let longer = |expected: u64| {
        format!("the content of `a/file` is longer than the {expected} bytes announced")
    };
    check(|| stream(5, 4), &shorter(5));
    check(|| stream(5, 6), &longer(5));
    check(|| stream(0, 1), &longer(0));
    check(|| stream(1 << 20, (1 << 20) - 1), &shorter(1 << 20));
    check(|| file(&small, 11), &shorter(11));
    check(|| file(&small, 9), &longer(9));
    check(|| file(&large, (1 << 20) + 1), &shorter((1 << 20) + 1));
    check(|| file(&large, (1 << 20) - 1), &longer((1 << 20) - 1));
    check(
        || file(&directory.join("none"), 1),
        "cannot read the content of `a/file`",
    );
    check(failing, "cannot read the content of `a/file`");
}

#[test]
fn files_of_the_host_arrive_whole() {
    let directory = TempDir::new();
    let mut tree = Tree::new();
    let mut expected = Vec::new();
    for (number, size) in [1, 2048, 100_000, 300_000, 3 << 20].into_iter().enumerate() {
        let bytes: Vec<u8> = (0..size).map(|at| (at * 7 + number) as u8).collect();
        let path = directory.join(number.to_string());
        fs::write(&path, &bytes).unwrap();
        tree.add_file(&number.to_string(), file(&path, size as u64))
            .unwrap();
        expected.push(bytes);
    }
    let target = directory.join("drive.iso");
    let options = iso9660::Options::new("config-2", Timestamp::from_seconds(0));
    let report = output::create(&target, Durability::Unsynced, |sink| {
        iso9660::write(&tree, &options, sink)
    })
    .unwrap();
    let image = fs::read(&target).unwrap();
    assert_eq!(image.len() as u64, report.size_bytes);
    for (extent, bytes) in report.extents.iter().zip(&expected) {
        let start = extent.sector as usize * 2048;
        assert!(image[start..start + bytes.len()] == bytes[..]);
    }
    let mut memory = Vec::new();
    iso9660::write(&tree, &options, &mut memory).unwrap();
    assert!(memory == image, "a file and memory get the same bytes");
}
