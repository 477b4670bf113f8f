//! What is done to a filesystem, told by four bytes each: the operation, a file, a name, and how much or which way.

use std::ops::ControlFlow;

use christen_vfs::{FileId, FileSystem, Kind, NewFile, NewKind, Times, Timestamp};

/// More operations are left out.
const MOST_OPERATIONS: usize = 48;

/// No more files than this are known by what an operation says.
const MOST_FILES: usize = 64;

/// How many operations there are.
pub const KINDS: u8 = 16;

/// Where is read and written.
const OFFSETS: [u64; 8] = [
    0,
    900,
    4_096,
    70_000,
    1 << 20,
    1 << 32,
    1 << 43,
    u64::MAX - 10,
];

const ATTRIBUTES: [&[u8]; 6] = [
    b"user.a",
    b"trusted.b",
    b"security.selinux",
    b"user.a much longer name of an attribute, so that it takes room",
    b"system.posix_acl_access",
    b"system.posix_acl_default",
];

/// An access control list as programs see it: owner, user 5, group, mask, others (`linux/posix_acl_xattr.h`).
const LIST: &[u8] = &[
    2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 4, 0, 5, 0, 0, 0, 4, 0, 5, 0, 255, 255, 255,
    255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255,
];

/// What is known of a filesystem on the way.
struct Known {
    files: Vec<FileId>,
    names: Vec<Vec<u8>>,
}

/// Does what the bytes say. An error is a fine answer to each.
pub fn run(fs: &mut dyn FileSystem, operations: &[u8]) {
    let mut known = Known {
        files: vec![fs.root()],
        names: vec![b"new".to_vec(), vec![b'n'; 255], b".".to_vec()],
    };
    // The files of the root and of the directories in it.
    for index in 0..MOST_FILES {
        let Some(&directory) = known.files.get(index) else {
            break;
        };
        look_around(fs, directory, &mut known);
    }
    for operation in operations.as_chunks::<4>().0.iter().take(MOST_OPERATIONS) {
        run_one(fs, *operation, &mut known);
    }
    let _ = fs.statistics();
}

fn look_around(fs: &mut dyn FileSystem, directory: FileId, known: &mut Known) {
    let _ = fs.attributes(directory);
    let _ = fs.list(directory, &mut |entry| {
        if known.files.len() < MOST_FILES {
            known.files.push(entry.file);
            known.names.push(entry.name);
        }
        ControlFlow::Continue(())
    });
}

fn run_one(fs: &mut dyn FileSystem, [kind, file, name, amount]: [u8; 4], known: &mut Known) {
    // Above 240 it is an inode's number: also those that no entry names.
    let file_of = |number: u8| match number {
        240.. => FileId::new(u64::from(number - 239)),
        _ => known.files[usize::from(number) % known.files.len()],
    };
    let name_of = |number: u8| known.names[usize::from(number) % known.names.len()].clone();
    let id = file_of(file);
    let (other, name_bytes) = (file_of(amount), name_of(name));
    let attribute = ATTRIBUTES[usize::from(name) % ATTRIBUTES.len()];
    let offset = OFFSETS[usize::from(name) % OFFSETS.len()];
    let bytes = usize::from(amount).pow(2);
    let new = |kind| NewFile {
        kind,
        permissions: 0o2755,
        uid: u32::from(amount),
        gid: 100_000,
    };
    match kind % KINDS {
        0 => {
            let _ = fs.lookup(id, &name_bytes);
        }
        1 => look_around(fs, id, known),
        2 => {
            let _ = fs.read_at(id, &mut vec![0; bytes], offset);
        }
        3 => {
            let long = vec![b't'; bytes % 2000];
            let new = new(match amount % 6 {
                0 | 1 => NewKind::File,
                2 | 3 => NewKind::Directory,
                4 => NewKind::SymbolicLink(&long),
                _ => NewKind::Special(Kind::BlockDevice {
                    major: 300,
                    minor: u32::from(amount) << 10,
                }),
            });
            if let Ok(made) = fs.create(id, &name_bytes, &new) {
                known.files.push(made);
            }
        }
        4 => {
            let _ = fs.write_at(id, &vec![amount; bytes], offset);
        }
        5 => {
            let _ = fs.replace(id, &mut &vec![amount; bytes][..]);
        }
        6 => {
            let _ = fs.rename(id, &name_bytes, other, &name_of(amount / 2));
        }
        7 => {
            let _ = fs.remove(id, &name_bytes);
        }
        8 => {
            let value = match attribute.starts_with(b"system") {
                true => LIST.to_vec(),
                false => vec![amount; bytes],
            };
            let _ = fs.set_attribute(id, attribute, &value);
        }
        9 => {
            let _ = fs.attribute(id, attribute);
            let _ = fs.remove_attribute(id, attribute);
        }
        10 => {
            let _ = fs.set_permissions(id, u16::from(amount) << 4);
            let _ = fs.set_owner(id, u32::from(name) << 16, 3);
            let accessed = Some(Timestamp {
                seconds: i64::from(amount) << 28,
                nanoseconds: 7,
            });
            let times = Times {
                accessed,
                modified: None,
            };
            let _ = fs.set_times(id, times);
        }
        11 => {
            let _ = fs.set_size(id, offset.saturating_add(u64::from(amount)));
        }
        12 => {
            let _ = fs.link(id, other, &name_bytes);
        }
        13 => {
            let _ = fs.finish();
        }
        14 => {
            let _ = fs.read_link(id);
            for attribute in fs.attribute_names(id).unwrap_or_default() {
                let _ = fs.attribute(id, &attribute);
            }
        }
        _ => {
            // As many as split blocks of a directory.
            for number in 0..amount {
                let name = format!("{number} {}", "long".repeat(usize::from(name) % 50));
                let _ = fs.link(other, id, name.as_bytes());
            }
        }
    }
}
