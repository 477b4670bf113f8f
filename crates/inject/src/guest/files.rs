//! A guest's files, read so that one odd file ends nothing.

use std::ops::ControlFlow;

use christen_vfs::walk::{LastLink, resolve_place, try_resolve};
use christen_vfs::{Attributes, Error as FsError, FileId, FileSystem, GuestPath, Kind};

use super::Unread;

/// The most that is read of one file. Databases of packages are the largest files of interest, with a few MiB.
const FILE_BYTES: u64 = 16 << 20;

/// The most that is read of all files together.
const ALL_BYTES: u64 = 64 << 20;

/// The most entries that are taken of one directory.
const ENTRIES: usize = 20_000;

/// The most that is told of what could not be read.
const UNREAD: usize = 100;

/// A guest's files. What is missing is missing; what is there and cannot be read is noted once, and is then taken for missing.
#[derive(Debug)]
pub(crate) struct Files<'fs> {
    fs: &'fs mut dyn FileSystem,
    unread: Vec<Unread>,
    bytes: u64,
}

impl<'fs> Files<'fs> {
    pub(crate) fn new(fs: &'fs mut dyn FileSystem) -> Self {
        Self {
            fs,
            unread: Vec::new(),
            bytes: ALL_BYTES,
        }
    }

    /// Returns what could not be read, and forgets it.
    pub(crate) fn take_unread(&mut self) -> Vec<Unread> {
        std::mem::take(&mut self.unread)
    }

    /// Returns the content of a regular file, links followed.
    pub(crate) fn read(&mut self, path: &str) -> Option<Vec<u8>> {
        self.read_at_most(path, FILE_BYTES, true)
    }

    /// Returns the first bytes of a regular file, links followed.
    pub(crate) fn head(&mut self, path: &str, bytes: usize) -> Option<Vec<u8>> {
        self.read_at_most(path, bytes as u64, false)
    }

    fn read_at_most(&mut self, path: &str, most: u64, is_whole: bool) -> Option<Vec<u8>> {
        let path = Self::path(path)?;
        let file = self.find(&path, LastLink::Followed)?;
        match self.content(file, most, is_whole) {
            Ok(content) => Some(content),
            Err(reason) => {
                self.note(&path, reason);
                None
            }
        }
    }

    fn content(&mut self, file: FileId, most: u64, is_whole: bool) -> Result<Vec<u8>, String> {
        let attributes = self.fs.attributes(file).map_err(|error| chain(&error))?;
        if attributes.kind != Kind::File {
            return Err(FsError::NotFile.to_string());
        }
        if is_whole && attributes.size > most {
            return Err(format!(
                "it has {} bytes, and at most {most} are read",
                attributes.size
            ));
        }
        let size = attributes.size.min(most);
        self.bytes = self.bytes.checked_sub(size).ok_or_else(|| {
            format!("the files read before have {ALL_BYTES} bytes together, and no more is read")
        })?;
        // Not more than FILE_BYTES, which fits into any `usize`.
        let mut content = vec![0; size as usize];
        let mut filled = 0;
        while filled < content.len() {
            match self
                .fs
                .read_at(file, &mut content[filled..], filled as u64)
                .map_err(|error| chain(&error))?
            {
                0 => break,
                count => filled += count,
            }
        }
        content.truncate(filled);
        Ok(content)
    }

    /// Whether something is there, links followed.
    pub(crate) fn has(&mut self, path: &str) -> bool {
        Self::path(path)
            .and_then(|path| self.find(&path, LastLink::Followed))
            .is_some()
    }

    /// Whether something has the name, be it a link that leads nowhere.
    pub(crate) fn has_name(&mut self, path: &str) -> bool {
        Self::path(path)
            .and_then(|path| self.find(&path, LastLink::Kept))
            .is_some()
    }

    /// Whether any of these is there.
    pub(crate) fn has_any(&mut self, paths: &[&str]) -> bool {
        paths.iter().any(|path| self.has(path))
    }

    /// Returns what is known of a file, links followed.
    pub(crate) fn attributes(&mut self, path: &str) -> Option<Attributes> {
        let path = Self::path(path)?;
        let file = self.find(&path, LastLink::Followed)?;
        match self.fs.attributes(file) {
            Ok(attributes) => Some(attributes),
            Err(error) => {
                self.note(&path, chain(&error));
                None
            }
        }
    }

    /// Whether a directory is there, links followed.
    pub(crate) fn is_directory(&mut self, path: &str) -> bool {
        self.attributes(path)
            .is_some_and(|it| it.kind == Kind::Directory)
    }

    /// Whether a regular file is there, links followed.
    pub(crate) fn is_file(&mut self, path: &str) -> bool {
        self.attributes(path)
            .is_some_and(|it| it.kind == Kind::File)
    }

    /// Returns where a symbolic link leads; `None` for what is none.
    pub(crate) fn target(&mut self, path: &str) -> Option<Vec<u8>> {
        let path = Self::path(path)?;
        let file = self.find(&path, LastLink::Kept)?;
        if self.fs.attributes(file).ok()?.kind != Kind::SymbolicLink {
            return None;
        }
        match self.fs.read_link(file) {
            Ok(target) => Some(target),
            Err(error) => {
                self.note(&path, chain(&error));
                None
            }
        }
    }

    /// Returns the names in a directory, sorted, those that are UTF-8 and fit to be asked for; none if it is not there.
    pub(crate) fn names(&mut self, path: &str) -> Vec<String> {
        let entries = self.entries(path);
        entries.into_iter().map(|(name, _)| name).collect()
    }

    /// As [`names`](Self::names), with where each symbolic link leads: without a walk from the root for each of many.
    pub(crate) fn names_and_targets(&mut self, path: &str) -> Vec<(String, Option<Vec<u8>>)> {
        let entries = self.entries(path);
        let target = |file| match self.fs.attributes(file) {
            Ok(attributes) if attributes.kind == Kind::SymbolicLink => self.fs.read_link(file).ok(),
            _ => None,
        };
        let (names, links): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        names
            .into_iter()
            .zip(links.into_iter().map(target))
            .collect()
    }

    fn entries(&mut self, path: &str) -> Vec<(String, FileId)> {
        let Some(path) = Self::path(path) else {
            return Vec::new();
        };
        let Some(directory) = self.find(&path, LastLink::Followed) else {
            return Vec::new();
        };
        let mut entries = Vec::new();
        let mut is_cut = false;
        let listed = self.fs.list(directory, &mut |entry| {
            if entries.len() >= ENTRIES {
                is_cut = true;
                return ControlFlow::Break(());
            }
            if let Ok(name) = String::from_utf8(entry.name) {
                entries.push((name, entry.file));
            }
            ControlFlow::Continue(())
        });
        match listed {
            Ok(()) if is_cut => self.note(
                &path,
                format!("it has more than {ENTRIES} entries, and no more are looked at"),
            ),
            Ok(()) => {}
            Err(error) => self.note_error(&path, &error),
        }
        entries.sort_unstable();
        entries
    }

    /// Whether something has an extended attribute; what has the name itself, be it a link.
    pub(crate) fn has_attribute(&mut self, path: &str, name: &str) -> bool {
        Self::path(path)
            .and_then(|path| self.find(&path, LastLink::Kept))
            .is_some_and(|file| {
                let value = self.fs.attribute(file, name.as_bytes());
                value.is_ok_and(|value| value.is_some())
            })
    }

    /// Returns the path of what is there, all links followed.
    pub(crate) fn real(&mut self, path: &str) -> Option<GuestPath> {
        let path = Self::path(path)?;
        let place = resolve_place(self.fs, &path, LastLink::Followed).ok()?;
        place.file?;
        let root = GuestPath::root();
        Some(place.names.iter().fold(root, |path, name| path.join(name)))
    }

    fn path(path: &str) -> Option<GuestPath> {
        // What comes from the guest may be too long for a path: then nothing is there.
        GuestPath::new(path).ok()
    }

    fn find(&mut self, path: &GuestPath, last: LastLink) -> Option<FileId> {
        match try_resolve(self.fs, path, last) {
            Ok(found) => found,
            Err(FsError::NotDirectory) => None,
            Err(error) => {
                self.note_error(path, &error);
                None
            }
        }
    }

    /// Notes why something cannot be read; of all that would be on one volume that is not at hand, the first.
    fn note_error(&mut self, path: &GuestPath, error: &FsError) {
        let reason = chain(error);
        let is_of_volume = matches!(error, FsError::NotMounted(_));
        if !is_of_volume || self.unread.iter().all(|it| it.reason != reason) {
            self.note(path, reason);
        }
    }

    pub(super) fn note(&mut self, path: &GuestPath, reason: String) {
        if self.unread.len() < UNREAD && self.unread.iter().all(|it| it.path != *path) {
            self.unread.push(Unread {
                path: path.clone(),
                reason,
            });
        }
    }
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &FsError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
