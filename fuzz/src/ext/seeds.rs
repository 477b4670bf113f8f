//! The first inputs: small images by `mke2fs`, filled by our own writer, and journals by `debugfs`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_ext4::{Access, Ext4, Journal};
use christen_vfs::{FileSystem, NewFile, NewKind};

use super::operations::KINDS;
use super::{Input, journal, options, repair};

/// How an image is made.
struct Recipe {
    name: &'static str,
    /// All features, so that no configuration of a machine counts.
    features: &'static str,
    kibibytes: u32,
    arguments: &'static [&'static str],
}

/// With a journal an image has 2 MiB: `mke2fs` makes none of fewer than 1024 blocks.
const RECIPES: [Recipe; 11] = [
    Recipe {
        name: "ext2",
        features: "sparse_super,large_file,filetype,dir_index,ext_attr",
        kibibytes: 512,
        arguments: &["-I", "128"],
    },
    Recipe {
        name: "oldest",
        features: "",
        kibibytes: 256,
        arguments: &["-r", "0", "-I", "128"],
    },
    Recipe {
        name: "ext3",
        features: "sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr,has_journal",
        kibibytes: 2048,
        arguments: &[],
    },
    Recipe {
        name: "ext4",
        features: EXT4,
        kibibytes: 2048,
        arguments: &[],
    },
    Recipe {
        name: "groups",
        features: "sparse_super,large_file,filetype,dir_index,ext_attr,extent,flex_bg,uninit_bg,extra_isize",
        kibibytes: 2048,
        arguments: &["-g", "512", "-G", "2"],
    },
    Recipe {
        name: "meta_bg",
        features: "sparse_super,filetype,dir_index,ext_attr,extent,meta_bg,metadata_csum,64bit,extra_isize",
        kibibytes: 6144,
        arguments: &["-g", "256"],
    },
    Recipe {
        name: "inline_data",
        features: "sparse_super,filetype,dir_index,ext_attr,extent,metadata_csum,inline_data,extra_isize",
        kibibytes: 512,
        arguments: &[],
    },
    Recipe {
        name: "ea_inode",
        features: "sparse_super,filetype,dir_index,ext_attr,extent,metadata_csum,64bit,ea_inode,large_dir,\
                   extra_isize",
        kibibytes: 1024,
        arguments: &[],
    },
    Recipe {
        name: "quota",
        features: "sparse_super,filetype,dir_index,ext_attr,extent,metadata_csum,quota,project,extra_isize",
        kibibytes: 512,
        arguments: &[],
    },
    Recipe {
        name: "large-blocks",
        features: "sparse_super,filetype,dir_index,ext_attr,extent,metadata_csum,64bit,extra_isize",
        kibibytes: 1024,
        arguments: &["-b", "4096"],
    },
    Recipe {
        name: "bigalloc",
        features: "sparse_super,filetype,dir_index,ext_attr,extent,metadata_csum,64bit,bigalloc,extra_isize",
        kibibytes: 2048,
        arguments: &["-C", "4096"],
    },
];

const EXT4: &str = "sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr,has_journal,extent,huge_file,\
                    flex_bg,metadata_csum,metadata_csum_seed,64bit,dir_nlink,extra_isize,orphan_file";

/// Journals: which image, and how `debugfs` opens the journal.
const JOURNALS: [(&str, &str, &str); 4] = [
    ("plain", "ext3", "journal_open"),
    ("version-2", "ext3", "journal_open -c -v 2"),
    ("version-3", "ext4", "journal_open -c -v 3"),
    ("without-checksums", "ext4", "journal_open"),
];

/// An input, its target and its name.
pub type Seed = (&'static str, String, Vec<u8>);

/// Makes all of them, with files in a directory that is there.
///
/// # Errors
///
/// A tool is missing or fails, or an image cannot be written to.
pub fn seeds(directory: &Path) -> Result<Vec<Seed>, Box<dyn Error>> {
    let mut seeds = Vec::new();
    let tree = tree(directory)?;
    for recipe in &RECIPES {
        let path = make(recipe, directory, &tree)?;
        let image = fill(fs::read(path)?)?;
        unchanged(recipe.name, &image, repair::repair)?;
        let mut input = Input {
            image,
            operations: Vec::new(),
            choice: 0,
        };
        // Each operation alone on each of the first files, and all of them in turn.
        let mut lists = vec![Vec::new()];
        for turn in 0..3 {
            let turns =
                (0..KINDS).flat_map(|kind| [kind, turn * 3 + kind % 5, turn + 2, kind * 13]);
            lists.push(turns.collect());
        }
        for (number, operations) in lists.into_iter().enumerate() {
            input.operations = operations;
            for (suffix, choice) in [("repaired", 0), ("raw", 1), ("read", 2)] {
                input.choice = choice;
                let name = format!("{}-{number}-{suffix}", recipe.name);
                if number == 0 && choice < 2 {
                    seeds.push(("ext_check", name.clone(), input.encode()));
                }
                seeds.push(("ext", name, input.encode()));
            }
        }
    }
    for (name, recipe, open) in JOURNALS {
        let Some(recipe) = RECIPES.iter().find(|some| some.name == recipe) else {
            continue;
        };
        let path = make(recipe, directory, &tree)?;
        write_journal(&path, open)?;
        let mut input = Input {
            image: fs::read(&path)?,
            operations: Vec::new(),
            choice: 0,
        };
        unchanged(name, &input.image, journal::repair)?;
        for (suffix, choice) in [("repaired", 0), ("raw", 1)] {
            input.choice = choice;
            seeds.push(("journal", format!("{name}-{suffix}"), input.encode()));
        }
    }
    Ok(seeds)
}

/// Holds the repair to its word: what e2fsprogs and our writer made has nothing to repair.
fn unchanged(name: &str, image: &[u8], repair: fn(&mut [u8])) -> Result<(), Box<dyn Error>> {
    let mut repaired = image.to_vec();
    repair(&mut repaired);
    match repaired.iter().zip(image).position(|(new, old)| new != old) {
        None => Ok(()),
        Some(at) => {
            Err(format!("the repair of `{name}` changes byte {at:#x}, which is right").into())
        }
    }
}

/// Files of this host that an image begins with.
fn tree(directory: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let tree = directory.join("tree");
    fs::create_dir_all(tree.join("directory/within"))?;
    fs::write(tree.join("small"), "abc")?;
    fs::write(tree.join("directory/file"), vec![b'f'; 3000])?;
    std::os::unix::fs::symlink("small", tree.join("link"))?;
    std::os::unix::fs::symlink("l".repeat(200), tree.join("long-link"))?;
    fs::hard_link(tree.join("small"), tree.join("second"))?;
    Ok(tree)
}

fn make(recipe: &Recipe, directory: &Path, tree: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let path = directory.join("image");
    // A file that is there would keep its content.
    let _ = fs::remove_file(&path);
    let mut command = tool("mke2fs");
    command
        .args(["-q", "-F", "-b", "1024", "-m", "0", "-N", "48", "-O"])
        .arg(format!("none,{}", recipe.features))
        .args(["-U", "6f1b6a3c-9b9a-4a7e-8d0f-0d5f1f0f2a11"])
        .args([
            "-E",
            "hash_seed=2c0cf2a5-3a4e-4b3c-9c1e-6f9d5d7b8e21,nodiscard",
        ])
        .args(recipe.arguments)
        .arg("-d")
        .args([tree, &path])
        .arg(format!("{}k", recipe.kibibytes));
    run(&mut command)?;
    Ok(path)
}

/// A directory with an index, a file in many pieces, and extended attributes in an inode, a block and an inode of their own;
/// nothing where writing is refused.
fn fill(image: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error>> {
    let device = Arc::new(MemoryDevice::new(image));
    let mut fs = match Ext4::open(
        Arc::clone(&device) as _,
        &options(Access::Write, Journal::Refuse),
    ) {
        Ok(fs) => fs,
        Err(christen_ext4::Error::Unsupported(_)) => return Ok(device.snapshot()),
        Err(error) => return Err(error.into()),
    };
    let root = fs.root();
    let new = |kind| NewFile {
        kind,
        permissions: 0o750,
        uid: 1000,
        gid: 1000,
    };
    let indexed = fs.create(root, b"indexed", &new(NewKind::Directory))?;
    let pieces = fs.create(root, b"pieces", &new(NewKind::File))?;
    for number in 0..24_u64 {
        let name = format!("{number:0>120}");
        fs.link(pieces, indexed, name.as_bytes())?;
        fs.write_at(pieces, b"piece", number * 3000)?;
    }
    for (name, bytes) in [
        (&b"user.small"[..], 5),
        (b"user.block", 400),
        (b"user.large", 3000),
    ] {
        // A large one needs `ea_inode`.
        let _ = fs.set_attribute(pieces, name, &vec![b'v'; bytes]);
    }
    fs.finish()?;
    Ok(device.snapshot())
}

/// Three transactions, of which the last has no commit, and a revocation.
fn write_journal(image: &Path, open: &str) -> Result<(), Box<dyn Error>> {
    // The superblock as it is, and what begins as a record of the journal does.
    let superblock = image.with_extension("superblock");
    fs::write(&superblock, &fs::read(image)?[1024..2048])?;
    let data = image.with_extension("data");
    let mut content = vec![0x11; 2048];
    content[1024..1028].copy_from_slice(&[0xc0, 0x3b, 0x39, 0x98]);
    fs::write(&data, content)?;
    let (superblock, data) = (superblock.display(), data.display());
    let script = image.with_extension("script");
    let commands = format!(
        "{open}\njournal_write -b 1 {superblock}\njournal_write -b 2000,2001 {data}\njournal_write -r 2001\n\
         journal_write -b 2002 -c {data}\njournal_close\n"
    );
    fs::write(&script, commands)?;
    run(tool("debugfs").arg("-wf").args([&script, image]))?;
    let flags = fs::read(image)?[1024 + 0x60];
    match flags & 4 {
        0 => Err("debugfs wrote no journal".into()),
        _ => Ok(()),
    }
}

/// Where Debian keeps these tools, which an ordinary user's `PATH` leaves out.
fn tool(name: &str) -> Command {
    let system = Path::new("/usr/sbin").join(name);
    Command::new(if system.exists() { system } else { name.into() })
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output().map_err(|error| {
        let name = command.get_program().display();
        format!("`{name}`, of e2fsprogs, cannot be run: {error}")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {said}").into())
}
