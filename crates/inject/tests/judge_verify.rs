//! What was staged into a filesystem of `mke2fs`, and what the second reader says of it, before and after `debugfs` has changed it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use christen_block::{BlockDevice, MemoryDevice};
use christen_ext4::{Access, Ext4, Journal, OpenOptions};
use christen_inject::verify::{Outcome, Seat, Seats, Verdict, verify};
use christen_inject::{Change, Existing, Item, ItemKind, Ownership, Secrecy, Stage};
use christen_testkit::ext::Recipe;
use christen_testkit::temp::TempDir;
use christen_testkit::tools;
use christen_vfs::walk::LastLink;
use christen_vfs::{FileSystem, GuestPath, Timestamp};
use christen_witness::{Source, Witness};

#[derive(Debug)]
struct Image(File);

impl Source for Image {
    fn read_at(
        &self,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.read_exact_at(buffer, offset)?)
    }
}

struct One(Witness);

impl Seats for One {
    fn seat(&mut self, path: &GuestPath) -> Option<Seat<'_>> {
        Some(Seat {
            witness: &mut self.0,
            names: path.components().map(<[u8]>::to_vec).collect(),
        })
    }
}

fn path(text: &str) -> GuestPath {
    GuestPath::new(text).unwrap()
}

/// Stages one of everything, and writes the result back.
fn inject(image: &Path) -> Vec<Change> {
    let device = Arc::new(MemoryDevice::new(fs::read(image).unwrap()));
    let options = OpenOptions {
        access: Access::Write,
        journal: Journal::Refuse,
        now: Timestamp::default(),
        generation_seed: 1,
    };
    let mut fs = Ext4::open(Arc::clone(&device) as Arc<dyn BlockDevice>, &options).unwrap();
    let mut stage = Stage::new(&mut fs);
    stage.begin(Item::new(ItemKind::Operation));
    let own = Ownership {
        permissions: 0o640,
        uid: 70_000,
        gid: 12,
    };
    for name in ["/d/file", "/d/other", "/d/gone"] {
        let name = path(name);
        stage.parents(&name).unwrap();
        stage
            .write(&name, b"content\n", own, Existing::Set, Secrecy::Public)
            .unwrap();
    }
    stage
        .attribute(
            &path("/d/file"),
            LastLink::Followed,
            b"security.selinux",
            Some(b"system_u:object_r:etc_t:s0\0"),
        )
        .unwrap();
    stage.symbolic_link(&path("/d/link"), b"file").unwrap();
    stage.remove(&path("/d/gone")).unwrap();
    let changes = stage.changes();
    fs.finish().unwrap();
    let mut bytes = vec![0; device.length() as usize];
    device.read_at(&mut bytes, 0).unwrap();
    fs::write(image, bytes).unwrap();
    changes
}

fn told(image: &Path, changes: &[Change]) -> BTreeMap<String, &'static str> {
    let source = Arc::new(Image(File::open(image).unwrap()));
    let mut seats = One(Witness::open(source).unwrap());
    let told = |verdict: &Verdict| match &verdict.outcome {
        Outcome::Verified(_) => "verified",
        Outcome::Differs { aspect, .. } => aspect,
        Outcome::NotVerified(why) => panic!("{}: {why}", verdict.path),
    };
    verify(changes, &mut seats)
        .iter()
        .map(|it| (it.path.to_string(), told(it)))
        .collect()
}

#[test]
fn what_was_meant_is_found_and_what_was_changed_is_seen() {
    if tools::require("mke2fs").is_none() || tools::require("debugfs").is_none() {
        return;
    }
    let temp = TempDir::in_memory();
    let image = temp.path().join("image");
    // With and without the other author's reader.
    for recipe in ["ext4-1.47", "ext4-inline_data"] {
        Recipe::named(recipe).make(&image, 4096, 16);
        let changes = inject(&image);
        let found = told(&image, &changes);
        assert!(found.values().all(|it| *it == "verified"), "{found:?}");
        assert_eq!(found.len(), 5, "{found:?}");
        let spoil = |request: &str| {
            tools::run(
                Command::new("debugfs")
                    .args(["-w", "-R", request])
                    .arg(&image),
            );
        };
        let differs = |place: &str, aspect: &str| {
            assert_eq!(told(&image, &changes)[place], aspect, "{recipe}");
        };
        spoil("sif /d/file mode 0100600");
        differs("/d/file", "its permission bits are others");
        spoil("sif /d/file mode 0100640");
        spoil("sif /d/file gid 13");
        differs("/d/file", "its owner is another");
        spoil("sif /d/file gid 12");
        differs("/d/file", "verified");
        spoil("ea_set /d/file security.selinux system_u:object_r:bin_t:s0");
        differs("/d/file", "an extended attribute is another");
        spoil("sif /d/other size 7");
        differs("/d/other", "its size is another");
        spoil("rm /d/other");
        differs("/d/other", "it is not there");
        spoil("ln /d/file /d/gone");
        differs("/d/gone", "it is still there");
        spoil("rm /d/link");
        spoil("symlink /d/link elsewhere");
        differs("/d/link", "its target is another");
        let other = temp.path().join("other");
        fs::write(&other, "CONTENT\n").unwrap();
        spoil(&format!("write {} /d/other", other.display()));
        spoil("sif /d/other mode 0100640");
        spoil("sif /d/other uid 70000");
        spoil("sif /d/other gid 12");
        differs("/d/other", "its content is another");
    }
}
