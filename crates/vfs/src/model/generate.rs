//! Operations made from a seed.

use super::operation::find;
use super::replay::moment;
use crate::filesystem::{FileSystem, Kind, Times, Timestamp};
use crate::memory::Memory;
use crate::model::{Made, Operation, Random};
use crate::path::GuestPath;
use crate::walk::{Next, visit};

/// After how many operations the paths that there are are looked for anew.
const LOOK_EVERY: usize = 40;

/// What operations are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// How many bytes a file has at most, but for holes, which may be eight times as long.
    pub content_bytes: u64,
    /// How many bytes the value of an attribute has at most.
    pub attribute_bytes: usize,
    /// How many files there are about, in the end.
    pub files: usize,
    /// How many names there are in one directory at most; fewer collide more often.
    pub names: u64,
    /// Whether owners, permissions and attributes are changed.
    pub owners: bool,
    /// Whether there are symbolic links, second names and special files.
    pub links: bool,
}

impl Profile {
    /// A bit of everything.
    pub const DEFAULT: Self = Self {
        content_bytes: 200_000,
        attribute_bytes: 180,
        files: 120,
        names: 60,
        owners: true,
        links: true,
    };
}

/// Makes operations that begin with what `state` holds, and does them to it, so that most of them mean something.
pub fn generate(state: &mut Memory, seed: u64, steps: usize, profile: &Profile) -> Vec<Operation> {
    let mut generator = Generator {
        random: Random::new(seed),
        profile: *profile,
        directories: Vec::new(),
        others: Vec::new(),
    };
    let mut operations = Vec::with_capacity(steps);
    for step in 0..steps {
        if step % LOOK_EVERY == 0 {
            generator.look(state);
        }
        let operation = generator.operation(state);
        state.set_now(moment(step));
        if operation.apply(state).is_ok() {
            generator.learn(state, &operation);
        }
        operations.push(operation);
    }
    operations
}

struct Generator {
    random: Random,
    profile: Profile,
    directories: Vec<GuestPath>,
    others: Vec<GuestPath>,
}

const LISTS: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];

impl Generator {
    /// Looks for all paths.
    fn look(&mut self, state: &mut Memory) {
        self.directories.clear();
        self.others.clear();
        let root = state.root();
        // A filesystem in memory has no broken tree, and a model of one that has is no use.
        let _ = visit(state, root, &mut |_, found| {
            let paths = match found.attributes.kind {
                Kind::Directory => &mut self.directories,
                _ => &mut self.others,
            };
            paths.push(found.path.clone());
            Ok(Next::Into)
        });
    }

    /// Keeps the path that an operation made.
    fn learn(&mut self, state: &mut Memory, operation: &Operation) {
        let (Operation::Create { path, .. }
        | Operation::Link { new: path, .. }
        | Operation::Rename { new: path, .. }) = operation
        else {
            return;
        };
        let Ok(file) = find(state, path) else { return };
        match state.attributes(file).map(|attributes| attributes.kind) {
            Ok(Kind::Directory) => self.directories.push(path.clone()),
            _ => self.others.push(path.clone()),
        }
    }

    fn operation(&mut self, state: &mut Memory) -> Operation {
        let crowded = self.directories.len() + self.others.len() > self.profile.files;
        let choice = self.random.below(100);
        let owners = self.profile.owners;
        match choice {
            0..=3 => self.create_directory(),
            4..=19 if !crowded => self.create(),
            4..=19 => Operation::Remove { path: self.any() },
            20..=43 => self.write(state),
            44..=50 => self.set_size(state),
            51..=55 => {
                let path = self.file(state);
                let length = self.length() as usize;
                let seed = self.random.number();
                Operation::Replace { path, length, seed }
            }
            56..=59 if self.profile.links => Operation::Link {
                path: self.other(),
                new: self.new_path(),
            },
            60..=67 => Operation::Rename {
                path: self.any(),
                new: self.new_path(),
            },
            68..=75 => Operation::Remove { path: self.any() },
            76..=78 if owners => Operation::SetPermissions {
                path: self.any(),
                permissions: self.permissions(),
            },
            79..=81 if owners => Operation::SetOwner {
                path: self.any(),
                uid: self.owner(),
                gid: self.owner(),
            },
            82..=84 => self.set_times(),
            85..=93 if owners => self.set_attribute(),
            94..=96 if owners => self.remove_attribute(state),
            97 => Operation::Finish,
            _ => self.write(state),
        }
    }

    fn create_directory(&mut self) -> Operation {
        Operation::Create {
            path: self.new_path(),
            made: Made::Directory,
            permissions: self.permissions(),
            uid: self.owner(),
            gid: self.owner(),
        }
    }

    fn create(&mut self) -> Operation {
        let made = match self.random.below(100) {
            0..=14 if self.profile.links => {
                let length = *self.random.one(&[1, 5, 30, 59, 60, 61, 150, 500, 1000]);
                // Components of 200 bytes, since some readers take no target that cannot be a path.
                let mut target = vec![b'a' + (length % 26) as u8; length];
                for at in (199..length.saturating_sub(1)).step_by(200) {
                    target[at] = b'/';
                }
                Made::SymbolicLink(target)
            }
            15..=20 if self.profile.links => {
                let major = *self.random.one(&[1, 8, 255, 256, 259, 4095]);
                let minor = *self.random.one(&[0, 3, 255, 256, 70_000, 0xf_ffff]);
                Made::Special(*self.random.one(&[
                    Kind::Fifo,
                    Kind::Socket,
                    Kind::CharacterDevice { major, minor },
                    Kind::BlockDevice { major, minor },
                ]))
            }
            _ => Made::File,
        };
        Operation::Create {
            path: self.new_path(),
            made,
            permissions: self.permissions(),
            uid: self.owner(),
            gid: self.owner(),
        }
    }

    fn write(&mut self, state: &mut Memory) -> Operation {
        let path = self.file(state);
        let size = self.size_of(state, &path);
        let most = self.profile.content_bytes;
        let offset = match self.random.below(100) {
            0..=44 => size,
            45..=79 => self.random.below(size + 1),
            80..=89 => self.random.below(size + 1) / 1024 * 1024,
            90..=97 => size + self.random.below(most / 4),
            _ => size + self.random.below(most * 8),
        };
        let length = self.length();
        // What is large enough already is written in, not behind.
        let offset = if offset + length > most && self.random.chance(80) {
            self.random.below(most.saturating_sub(length) + 1)
        } else {
            offset.min(most * 8)
        };
        Operation::Write {
            path,
            offset,
            length: length as usize,
            seed: self.random.number(),
        }
    }

    fn set_size(&mut self, state: &mut Memory) -> Operation {
        let path = self.file(state);
        let size = self.size_of(state, &path);
        let size = match self.random.below(10) {
            0 => 0,
            1..=6 => self.random.below(size + 1),
            7 => self.random.below(size + 1) / 1024 * 1024,
            8 => size + self.random.below(10_000),
            _ => self.random.below(self.profile.content_bytes * 2),
        };
        Operation::SetSize { path, size }
    }

    fn set_times(&mut self) -> Operation {
        let path = self.any();
        let mut time = || {
            let seconds = match self.random.below(10) {
                0 => -self.random.below(1 << 31).cast_signed(),
                1..=6 => self.random.below(1 << 31).cast_signed(),
                7..=8 => self.random.below(1 << 34).cast_signed(),
                _ => self.random.number().cast_signed(),
            };
            let nanoseconds = self.random.below(1_000_000_000) as u32;
            self.random.chance(70).then_some(Timestamp {
                seconds,
                nanoseconds,
            })
        };
        let times = Times {
            accessed: time(),
            modified: time(),
        };
        Operation::SetTimes { path, times }
    }

    fn set_attribute(&mut self) -> Operation {
        let path = self.any();
        let name = self.attribute_name();
        if LISTS.contains(&&name[..]) {
            let value = self.access_list();
            return Operation::SetAttribute { path, name, value };
        }
        if name == b"security.capability" {
            // The kernel takes what is a capability, and nothing else: revision 2 with the effective flag
            // (`include/uapi/linux/capability.h`, `struct vfs_cap_data`).
            let mut value = vec![0; 20];
            value[0] = 1;
            value[3] = 2;
            value[5] = self.random.below(256) as u8;
            return Operation::SetAttribute { path, name, value };
        }
        let most = self.profile.attribute_bytes;
        let length = match self.random.below(10) {
            0 => 0,
            1..=6 => self.random.index(most.min(40) + 1),
            _ => self.random.index(most + 1),
        };
        // Few different values, since equal attributes may share a block.
        let value = vec![self.random.below(4) as u8; length];
        Operation::SetAttribute { path, name, value }
    }

    /// Mostly removes one that is there, which few files have.
    fn remove_attribute(&mut self, state: &mut Memory) -> Operation {
        for _ in 0..10 {
            let path = self.any();
            let names = find(state, &path).and_then(|file| state.attribute_names(file));
            if let Ok(names) = names
                && !names.is_empty()
            {
                let name = self.random.one(&names).clone();
                return Operation::RemoveAttribute { path, name };
            }
        }
        Operation::RemoveAttribute {
            path: self.any(),
            name: self.attribute_name(),
        }
    }

    fn attribute_name(&mut self) -> Vec<u8> {
        let names: [&[u8]; 8] = [
            b"user.a",
            b"user.longer.name",
            b"trusted.t",
            b"security.selinux",
            b"security.capability",
            LISTS[0],
            LISTS[1],
            b"user.z",
        ];
        self.random.one(&names).to_vec()
    }

    /// Returns the value of a list: mostly a good one.
    fn access_list(&mut self) -> Vec<u8> {
        let mut entries = vec![(1_u16, u32::MAX), (4, u32::MAX), (32, u32::MAX)];
        if self.random.chance(60) {
            for _ in 0..self.random.below(4) {
                let tag = *self.random.one(&[2, 8]);
                entries.push((tag, self.random.below(70_000) as u32));
            }
            entries.push((16, u32::MAX));
        }
        if self.random.chance(5) {
            entries.remove(self.random.index(entries.len()));
        }
        entries.sort_unstable();
        let mut value = 2_u32.to_le_bytes().to_vec();
        for (tag, id) in entries {
            value.extend(tag.to_le_bytes());
            value.extend((self.random.below(8) as u16).to_le_bytes());
            value.extend(id.to_le_bytes());
        }
        value
    }

    fn length(&mut self) -> u64 {
        let most = self.profile.content_bytes;
        let length = match self.random.below(20) {
            0 => 0,
            1..=7 => 1 + self.random.below(200),
            8..=12 => 1 + self.random.below(5000),
            13..=14 => *self.random.one(&[512, 1024, 2048, 4096, 8192]),
            15..=18 => 1 + self.random.below(most / 8 + 1),
            _ => 1 + self.random.below(most),
        };
        length.min(most)
    }

    fn permissions(&mut self) -> u16 {
        match self.random.below(4) {
            0 => self.random.below(0o10000) as u16,
            1 => 0o2775,
            2 => 0o755,
            _ => 0o644,
        }
    }

    fn owner(&mut self) -> u32 {
        *self
            .random
            .one(&[0, 0, 0, 1000, 65_534, 65_536, 100_000, 0xfffe_ffff])
    }

    fn any(&mut self) -> GuestPath {
        if self.random.chance(25) {
            // The root has no name, so not all operations can be done to it.
            return self.random.one(&self.directories).clone();
        }
        self.other()
    }

    fn other(&mut self) -> GuestPath {
        if self.others.is_empty() || self.random.chance(2) {
            return self.new_path();
        }
        self.random.one(&self.others).clone()
    }

    /// Returns what is mostly a regular file.
    fn file(&mut self, state: &mut Memory) -> GuestPath {
        for _ in 0..5 {
            let path = self.other();
            if let Ok(file) = find(state, &path)
                && let Ok(attributes) = state.attributes(file)
                && attributes.kind == Kind::File
            {
                return path;
            }
        }
        self.other()
    }

    fn size_of(&self, state: &mut Memory, path: &GuestPath) -> u64 {
        find(state, path)
            .and_then(|file| state.attributes(file))
            .map_or(0, |attributes| attributes.size)
    }

    /// Returns a path in a directory that there mostly is, with a name that there may be.
    fn new_path(&mut self) -> GuestPath {
        let directory = self.random.one(&self.directories).clone();
        let number = self.random.below(self.profile.names);
        let name = match number % 10 {
            0 => {
                let mut name = format!("{number:03} ").into_bytes();
                name.resize(100 + (number * 37 % 156) as usize, b'l');
                name
            }
            1 => [&b"\xff\xfe "[..], number.to_string().as_bytes()].concat(),
            2 => format!("{} {number}", "n".repeat((number % 40) as usize)).into_bytes(),
            _ => format!("f{number}").into_bytes(),
        };
        directory.join(&name)
    }
}
