//! Writes the first inputs: `seeds DIRECTORY`.
//!
//! Drives come from our own writers, whole and of every kind; texts from `examples/` and
//! the recorded cases. libFuzzer adds what it finds beside them.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use christen_block::qcow2::{self, CreateOptions, Qcow2};
use christen_block::{
    Access, BlockDevice, Format, Image, MemoryDevice, MemoryStorage, OpenOptions, Purpose,
    StatedFormat, Storage,
};
use christen_configdrive::{Timestamp, Tree, iso9660, vfat};
use christen_fuzz::{ext, guest_files, repair};
use christen_inject::Stage;
use christen_vfs::GuestPath;
// Built with coverage like the targets, so it needs the callbacks of the library that counts.
use libfuzzer_sys as _;

/// Longer texts are left out: what they hold stands in shorter ones too.
const MAX_TEXT_BYTES: u64 = 64 << 10;

/// What each of the files is in its guest; one that lacks begins empty.
fn guest_files(corpus: &Path) -> Result<(), Box<dyn Error>> {
    for (index, (guest, path)) in guest_files::FILES.iter().enumerate() {
        let mut fs = (guest_files::GUESTS[*guest].0)();
        let path = GuestPath::new(path)?;
        let mut input = vec![u8::try_from(index)?];
        input.extend(Stage::new(&mut fs).read(&path)?.unwrap_or_default());
        seed(corpus, "guest_files", &format!("{index:02}"), &input)?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: seeds DIRECTORY")?);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, tree) in trees()? {
        let mut image = Vec::new();
        let options = iso9660::Options::new("config-2", Timestamp::from_seconds(1_700_000_000));
        iso9660::write(&tree, &options, &mut image)?;
        for (suffix, choice) in [("repaired", 0), ("raw", 1)] {
            let mut input = image.split_off(repair::SYSTEM_AREA_BYTES.min(image.len()));
            input.push(choice);
            seed(&corpus, "iso", &format!("{name}-{suffix}"), &input)?;
            input.pop();
            image.extend(input);
        }
        let mut image = Vec::new();
        let options = vfat::Options::new("config-2", Timestamp::from_seconds(1_700_000_000));
        vfat::write(&tree, &options, &mut image)?;
        for (suffix, choice) in [("repaired", 0), ("raw", 1)] {
            image.push(choice);
            for target in ["vfat", "fat"] {
                seed(&corpus, target, &format!("{name}-{suffix}"), &image)?;
            }
            image.pop();
        }
    }
    for (name, mut image) in qcow2_images()? {
        image.push(0);
        seed(&corpus, "qcow2", name, &image)?;
    }
    disks(&corpus)?;
    texts(&repository.join("examples"), "yaml", &corpus, "description")?;
    let golden = repository.join("crates/instance/tests/golden");
    texts(&golden, "json", &corpus, "json")?;
    texts(&golden, "json", &corpus, "description")?;
    seed(&corpus, "redo", "cut", &redo_file()?)?;
    filesystems(&corpus)?;
    guest_files(&corpus)?;
    for (index, script) in EDIT_SCRIPTS.iter().enumerate() {
        seed(
            &corpus,
            "edit_script",
            &index.to_string(),
            script.as_bytes(),
        )?;
    }
    for (index, text) in NOVA_CONFS.iter().enumerate() {
        seed(&corpus, "nova_conf", &index.to_string(), text.as_bytes())?;
    }
    Ok(())
}

/// Images of ext2, ext3 and ext4. Without e2fsprogs their targets begin with nothing, which is said; CI demands them.
fn filesystems(corpus: &Path) -> Result<(), Box<dyn Error>> {
    let directory = scratch_directory("ext")?;
    let made = ext::seeds::seeds(&directory);
    fs::remove_dir_all(&directory)?;
    let seeds = match made {
        Err(error)
            if std::env::var_os("CHRISTEN_REQUIRE_TOOLS").is_none_or(|value| value != "1") =>
        {
            eprintln!("seeds: NO SEEDS for `ext`, `ext_check` and `journal`: {error}");
            return Ok(());
        }
        made => made?,
    };
    for (target, name, input) in seeds {
        seed(corpus, target, &name, &input)?;
    }
    Ok(())
}

fn scratch_directory(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let name = format!("christen-seeds-{name}-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir(&directory)?;
    Ok(directory)
}

/// An input and its name.
type Named = (&'static str, Vec<u8>);

/// Overlays with something written to them; one with subclusters, one with a data file.
fn qcow2_images() -> Result<Vec<Named>, Box<dyn Error>> {
    let mut images = Vec::new();
    for (name, cluster_bits, features) in [
        ("small", 9, 0),
        ("middle", 12, 0),
        ("subclusters", 14, 1 << 4),
        ("data-file", 14, 1 << 2),
    ] {
        let storage = Arc::new(MemoryStorage::default());
        let options = CreateOptions {
            virtual_bytes: 1 << 20,
            cluster_bits,
            backing: Some((b"base", "raw")),
        };
        qcow2::create(&*storage, &options)?;
        // Incompatible features that change nothing in an image without clusters.
        storage.write_at(&[features], 79)?;
        let backing = Arc::new(MemoryDevice::new(vec![0xbb; 300_000]));
        let data_file: Option<Arc<dyn Storage>> = match name {
            "data-file" => Some(Arc::new(MemoryStorage::default())),
            _ => None,
        };
        let disk = Qcow2::open(
            Arc::clone(&storage) as _,
            Some(backing),
            data_file,
            Access::Write,
        )?;
        disk.write_at(&[1; 3000], 100)?;
        disk.write_at(&[0; 70_000], 150_000)?;
        disk.flush()?;
        images.push((name, storage.snapshot()));
    }
    Ok(images)
}

/// A redo file as a commit leaves it that is cut in the middle.
fn redo_file() -> Result<Vec<u8>, Box<dyn Error>> {
    let directory = scratch_directory("redo")?;
    let path = directory.join("image");
    fs::write(&path, vec![3; 16 << 10])?;
    let options = OpenOptions {
        format: StatedFormat::Stated(Format::Raw),
        purpose: Purpose::Change,
        allow_backing: Vec::new(),
        redo_directory: None,
    };
    let image = Image::open(&path, &options)?;
    for place in [100, 9_000] {
        image.disk().write_at(&[4; 600], place)?;
    }
    let cut = std::panic::AssertUnwindSafe(|| image.commit(&mut |_| panic!("cut on purpose")));
    if std::panic::catch_unwind(cut).is_ok() {
        return Err("the commit was not cut".into());
    }
    let mut redo = None;
    for entry in fs::read_dir(&directory)? {
        let entry = entry?;
        if entry.file_name() != "image" {
            redo = Some(fs::read(entry.path())?);
        }
    }
    fs::remove_dir_all(&directory)?;
    let mut redo = redo.ok_or("there is no redo file")?;
    redo.push(0);
    Ok(redo)
}

/// A disk with a GPT of two partitions, a group of LVM2 and an agreeable NBD server.
fn disks(corpus: &Path) -> Result<(), Box<dyn Error>> {
    let mut disk = vec![0; 64 * 512];
    for (sector, other, entries) in [(1_usize, 63_u64, 2_u64), (63, 1, 59)] {
        let header = &mut disk[sector * 512..];
        for (at, number) in [(32, other), (40, 6), (48, 58), (72, entries), (80, 4)] {
            header[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        for (index, (first, last)) in [(6_u64, 20_u64), (21, 58)].into_iter().enumerate() {
            let entry = &mut disk[entries as usize * 512 + index * 128..][..128];
            entry[..32].fill(index as u8 + 1);
            entry[32..40].copy_from_slice(&first.to_le_bytes());
            entry[40..48].copy_from_slice(&last.to_le_bytes());
        }
    }
    disk.push(0);
    seed(corpus, "partition", "gpt", &disk)?;
    for (choice, offset) in [(0, 0), (1, 1024), (2, 1024)] {
        let mut input = vec![0; offset];
        input.extend_from_slice(LVM_TEXT.as_bytes());
        input.push(choice);
        seed(corpus, "lvm", &choice.to_string(), &input)?;
    }
    let mut server = b"NBDMAGICIHAVEOPT\0\x03".to_vec();
    for (kind, data) in [
        (3_u32, &b"\0\0\0\0\0\0\0\0\x10\0\0\x0d"[..]),
        (3, b"\0\x03\0\0\x02\0\0\0\x10\0\0\x10\0\0"),
        (1, b""),
    ] {
        server.extend_from_slice(&0x0003_e889_0455_65a9_u64.to_be_bytes());
        for number in [7, kind, data.len() as u32] {
            server.extend_from_slice(&number.to_be_bytes());
        }
        server.extend_from_slice(data);
    }
    for cookie in 1..6_u64 {
        server.extend_from_slice(b"\x67\x44\x66\x98\0\0\0\0");
        server.extend_from_slice(&cookie.to_be_bytes());
        if cookie == 1 {
            server.extend_from_slice(&[0; 4096]);
        }
    }
    seed(corpus, "nbd", "agreeable", &server)
}

const LVM_TEXT: &str = r#"g { id = "gggggg-gggg-gggg-gggg-gggg-gggg-gggggg" seqno = 1 status = ["RESIZEABLE"]
extent_size = 8 physical_volumes { pv0 { id = "aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa" pe_start = 2048 pe_count = 100 } }
logical_volumes { root { id = "llllll-llll-llll-llll-llll-llll-llllll" status = ["READ", "WRITE", "VISIBLE"]
segment_count = 2
segment1 { start_extent = 0 extent_count = 3 type = "striped" stripe_count = 1 stripes = ["pv0", 9] }
segment2 { start_extent = 3 extent_count = 2 type = "striped" stripe_count = 1 stripes = ["pv0", 0] } } } }
contents = "Text Format Volume Group" version = 1
"#;

/// Every operation, words in quotes and escapes, texts that follow, and mistakes.
const EDIT_SCRIPTS: [&str; 3] = [
    "# comment\nmkdir -p -m 0755 -o 5:6 /a/b\nput -m 644 -o root file /a/c\nwrite -o :adm /a/d <<END\ntext\n more\nEND\n\
     append '/a/d' \"two\\n\\x41\"\ntruncate /a/d 5K\nrm -r -f /e\nchmod 01777 /tmp\nchown -h user:7 /a\n",
    "ln -s ../x /a/l\nln /a/c /a/h\nmv /a/c /a/m\nxattr set /a user.n value\nxattr remove /a security.selinux\n\
     touch -d 2026-01-15T12:00:00.5+01:00 /a\ntouch -d @-5 /b\n",
    "mkdir\nfly /a\nchmod 9 /a\nwrite /a 'no end\nrm -x /a\nput a b c\ntouch -d never /a\nwrite /a <<END\n",
];

/// Each names a rule of oslo.config.
const NOVA_CONFS: [&str; 4] = [
    "[DEFAULT]\nforce_config_drive = True\nconfig_drive_format = vfat\n",
    "[DEFAULT]\nmy = drive\n[api]\ndhcp_domain = $DEFAULT.my\nvendordata_providers = \
     StaticJSON,DynamicJSON\n",
    "[api]\nvendordata_dynamic_targets = a@http://127.0.0.1/\nvendordata_dynamic_targets = \
     b@http://127.0.0.1/,c@http://127.0.0.1/\nvendordata_dynamic_connect_timeout = 2\n",
    "# comment\n[libvirt]\nvirt_type = \"qemu\"\n[api]\nconfig_drive_skip_versions = 1.0\n  \
     2007-01-19\ndhcp_domain = $$x\n",
];

fn trees() -> Result<Vec<(&'static str, Tree)>, Box<dyn Error>> {
    let mut openstack = Tree::new();
    openstack.add_file(
        "openstack/latest/meta_data.json",
        br#"{"uuid": "u", "hostname": "h", "files": [{"path": "/a", "content_path": "/content/0000"}]}"#
            .to_vec(),
    )?;
    openstack.add_file(
        "openstack/latest/network_data.json",
        br#"{"links": [], "networks": [], "services": []}"#.to_vec(),
    )?;
    openstack.add_file("openstack/content/0000", vec![b'x'; 2049])?;
    openstack.add_file("ec2/latest/meta-data.json", b"{}".to_vec())?;
    let mut nocloud = Tree::new();
    nocloud.add_file("meta-data", b"instance-id: i\n".to_vec())?;
    nocloud.add_file("user-data", b"#cloud-config\n{}\n".to_vec())?;
    let mut names = Tree::new();
    names.add_file(&format!("{}.txt", "long".repeat(20)), b"x".to_vec())?;
    names.add_file("a/b/c/d/e/f", Vec::new())?;
    names.add_file("\u{fc}n\u{ef}c\u{f6}d\u{e9}", b"y".to_vec())?;
    names.add_directory("empty")?;
    Ok(vec![
        ("openstack", openstack),
        ("nocloud", nocloud),
        ("names", names),
        ("nothing", Tree::new()),
    ])
}

fn texts(from: &Path, extension: &str, corpus: &Path, target: &str) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(extension) && path.metadata()?.len() <= MAX_TEXT_BYTES {
            seed(corpus, target, &name, &fs::read(path)?)?;
        }
    }
    Ok(())
}

fn seed(corpus: &Path, target: &str, name: &str, input: &[u8]) -> Result<(), Box<dyn Error>> {
    let directory = corpus.join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(format!("seed-{name}")), input)?;
    Ok(())
}
