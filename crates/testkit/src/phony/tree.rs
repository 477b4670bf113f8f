//! A tree in memory that is told in a few words.

use christen_vfs::memory::Memory;
use christen_vfs::walk::{
    DirectoryOwner, LastLink, create_directories, remove_tree, resolve, resolve_place, try_resolve,
};
use christen_vfs::{FileId, FileSystem, GuestPath, NewFile, NewKind};

/// The head of an x86-64 program (System V ABI, "ELF Header": class 2, data 1, `e_machine` 62).
pub const ELF_X86_64: [u8; 64] = elf(62);

/// The head of an AArch64 program (`e_machine` 183).
pub const ELF_AARCH64: [u8; 64] = elf(183);

const fn elf(machine: u16) -> [u8; 64] {
    let mut head = [0; 64];
    [head[0], head[1], head[2], head[3]] = *b"\x7fELF";
    // 64 bits, little-endian, version 1; `e_type` 3, a shared object.
    (head[4], head[5], head[6]) = (2, 1, 1);
    head[16] = 3;
    [head[18], head[19]] = machine.to_le_bytes();
    head[20] = 1;
    head
}

/// A tree in memory that is told in a few words. Directories that lack are made, root's own with mode 0755.
///
/// Its methods panic where the tree cannot be as told: a phony guest is ours.
#[derive(Debug, Clone)]
pub struct PhonyTree {
    fs: Memory,
}

impl Default for PhonyTree {
    fn default() -> Self {
        Self::new()
    }
}

impl PhonyTree {
    /// Begins with an empty root.
    pub fn new() -> Self {
        Self { fs: Memory::new() }
    }

    /// Adds directories with root as owner and mode 0755.
    #[must_use]
    pub fn directories(mut self, paths: &[&str]) -> Self {
        for path in paths {
            self.make_directory(&at(path));
        }
        self
    }

    /// Adds a directory, or sets the mode and the owner of one.
    #[must_use]
    pub fn directory(mut self, path: &str, permissions: u16, uid: u32, gid: u32) -> Self {
        let directory = self.make_directory(&at(path));
        self.own(directory, permissions, uid, gid);
        self
    }

    /// Adds a file with root as owner and mode 0644, or replaces its content.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.file_of(path, content, 0o644, 0, 0)
    }

    /// Adds a program: an ELF head and nothing more.
    #[must_use]
    pub fn program(self, path: &str) -> Self {
        self.file_of(path, ELF_X86_64, 0o755, 0, 0)
    }

    /// Adds a file, or replaces one.
    #[must_use]
    pub fn file_of(
        mut self,
        path: &str,
        content: impl AsRef<[u8]>,
        permissions: u16,
        uid: u32,
        gid: u32,
    ) -> Self {
        let path = at(path);
        self.make_parent(&path);
        let place = resolve_place(&mut self.fs, &path, LastLink::Followed)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let file = match place.file {
            Some(file) => file,
            None => {
                let name = place.name().unwrap_or_else(|| panic!("{path}: no name"));
                let new = NewFile {
                    kind: NewKind::File,
                    permissions,
                    uid,
                    gid,
                };
                self.fs
                    .create(place.directory, name, &new)
                    .unwrap_or_else(|error| panic!("{path}: {error}"))
            }
        };
        self.fs
            .replace(file, &mut content.as_ref())
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        self.own(file, permissions, uid, gid);
        self
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> Self {
        let path = at(path);
        self.make_parent(&path);
        let place = resolve_place(&mut self.fs, &path, LastLink::Kept)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let name = place.name().unwrap_or_else(|| panic!("{path}: no name"));
        let new = NewFile {
            kind: NewKind::SymbolicLink(target.as_bytes()),
            permissions: 0o777,
            uid: 0,
            gid: 0,
        };
        self.fs
            .create(place.directory, name, &new)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        self
    }

    /// Takes away a file, a link, or a directory with all below it; it must be there.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        let path = at(path);
        let place = resolve_place(&mut self.fs, &path, LastLink::Kept)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(place.file.is_some(), "{path} is not there");
        let name = place.name().unwrap_or_else(|| panic!("{path}: no name"));
        remove_tree(&mut self.fs, place.directory, name)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        self
    }

    /// Sets an extended attribute of a file.
    #[must_use]
    pub fn attribute(mut self, path: &str, name: &str, value: &[u8]) -> Self {
        let path = at(path);
        let file = resolve(&mut self.fs, &path, LastLink::Kept)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        self.fs
            .set_attribute(file, name.as_bytes(), value)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        self
    }

    /// Takes away an extended attribute of a file; it must be there.
    #[must_use]
    pub fn without_attribute(mut self, path: &str, name: &str) -> Self {
        let path = at(path);
        let file = resolve(&mut self.fs, &path, LastLink::Kept)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        self.fs
            .remove_attribute(file, name.as_bytes())
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        self
    }

    /// Whether something is there, links followed.
    pub fn has(&mut self, path: &str) -> bool {
        try_resolve(&mut self.fs, &at(path), LastLink::Followed).is_ok_and(|found| found.is_some())
    }

    /// Returns the filesystem.
    pub fn into_fs(self) -> Memory {
        self.fs
    }

    /// Returns the filesystem.
    pub fn fs(&mut self) -> &mut Memory {
        &mut self.fs
    }

    fn make_parent(&mut self, path: &GuestPath) {
        if let Some(parent) = path.parent() {
            self.make_directory(&parent);
        }
    }

    fn make_directory(&mut self, path: &GuestPath) -> FileId {
        create_directories(&mut self.fs, path, &DirectoryOwner::ROOT)
            .unwrap_or_else(|error| panic!("{path}: {error}"))
            .directory
    }

    fn own(&mut self, file: FileId, permissions: u16, uid: u32, gid: u32) {
        self.fs
            .set_owner(file, uid, gid)
            .and_then(|()| self.fs.set_permissions(file, permissions))
            .unwrap_or_else(|error| panic!("owner and permissions: {error}"));
    }
}

fn at(path: &str) -> GuestPath {
    GuestPath::new(path).unwrap_or_else(|error| panic!("`{path}`: {error}"))
}
