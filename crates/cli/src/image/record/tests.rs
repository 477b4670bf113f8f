use christen_vfs::memory::Memory;
use christen_vfs::walk::{LastLink, resolve};
use christen_vfs::{Times, Timestamp};

use super::*;
use crate::image::{edit, script};

const SCRIPT: &str = "mkdir -p /a/b\n\
                      write -m 0600 -o 1:2 /a/b/f content\n\
                      ln -s b/f /a/l\n\
                      write /gone x\n\
                      rm /gone\n\
                      xattr set /a/b/f user.x y\n";

/// Returns what is told if the bytes that are read are not those that were written.
fn told(damage: impl FnOnce(&mut Memory, FileId)) -> String {
    let mut fs = Memory::new();
    let steps = script::parse(SCRIPT.as_bytes()).expect("it is right");
    let now = Timestamp::default();
    let record = edit::apply(&mut fs, &steps, now).expect("it can be done");
    let mut fresh = fs.clone();
    let path = GuestPath::new("/a/b/f").expect("a path");
    let file = resolve(&mut fresh, &path, LastLink::Kept).expect("it is there");
    damage(&mut fresh, file);
    let written = record.written(&mut fs).expect("it is there");
    match record.check(&written, &mut fresh) {
        Ok(checked) => format!("{} entries, {} bytes", checked.entries, checked.bytes),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_difference_is_seen() {
    assert_eq!(told(|_, _| ()), "5 entries, 7 bytes");
    assert_eq!(
        told(|fs, file| fs.write_at(file, b"C", 0).expect("it is written")),
        "`/a/b/f`: its content is not what was written"
    );
    assert_eq!(
        told(|fs, file| fs.set_size(file, 6).expect("it is cut")),
        "`/a/b/f`: its size is another"
    );
    assert_eq!(
        told(|fs, file| fs.set_permissions(file, 0o601).expect("it is set")),
        "`/a/b/f`: its permission bits are others"
    );
    assert_eq!(
        told(|fs, file| fs.set_owner(file, 1, 3).expect("it is set")),
        "`/a/b/f`: its owner is another"
    );
    assert_eq!(
        told(|fs, file| fs.set_attribute(file, b"user.x", b"z").expect("it is set")),
        "`/a/b/f`: an extended attribute is not the one that was asked for"
    );
    assert_eq!(
        told(|fs, file| fs.link(file, fs.root(), b"gone").expect("it is made")),
        "`/a/b/f`: it has another number of links"
    );
    assert_eq!(
        told(|fs, file| {
            let modified = Some(Timestamp {
                seconds: 1,
                nanoseconds: 0,
            });
            let times = Times {
                modified,
                ..Times::default()
            };
            fs.set_times(file, times).expect("it is set");
        }),
        "`/a/b/f`: its times are others"
    );
    assert_eq!(
        told(|fs, _| {
            let a = fs
                .lookup(fs.root(), b"a")
                .expect("it can be")
                .expect("it is there");
            fs.remove(a, b"l").expect("it is removed");
        }),
        "`/a/l`: it is missing"
    );
}
