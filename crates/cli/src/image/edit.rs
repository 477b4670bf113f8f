//! Does operations to a filesystem, and keeps what was asked so that it can be read back.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use christen_vfs::walk::{LastLink, Place, resolve_place};
use christen_vfs::{
    Error, FileId, FileSystem, GuestPath, Kind, NewFile, NewKind, Times, Timestamp,
};

use super::accounts::{self, Register};
use super::checksum::{Checksum, Summed};
use super::operation::{Operation, Ownership, Step};
use super::owner::Owner;
use super::record::Record;
use crate::progress::Reading;

/// The levels of a tree that `rm -r` goes down: a longer path could not be named.
const MAX_DEPTH: usize = 2048;

const FILE_PERMISSIONS: u16 = 0o644;
const DIRECTORY_PERMISSIONS: u16 = 0o755;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    /// The filesystem refused.
    #[error(transparent)]
    FileSystem(#[from] Error),
    /// A file of this host cannot be read.
    #[error("cannot open `{}`", .path.display())]
    Host {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The guest has no account of that name.
    #[error("the guest's `{register}` has no `{name}`")]
    UnknownName {
        name: String,
        register: &'static str,
    },
    /// The root cannot be made, moved or removed.
    #[error("the root stays where it is")]
    Root,
}

/// An operation that failed.
#[derive(Debug)]
pub(crate) struct Trouble<'a> {
    pub(crate) step: &'a Step,
    pub(crate) cause: Cause,
}

/// Does the operations in order, and returns what is to be found afterwards.
pub(crate) fn apply<'a>(
    fs: &mut dyn FileSystem,
    steps: &'a [Step],
    now: Timestamp,
) -> Result<Record, Trouble<'a>> {
    fs.set_now(now);
    let mut editor = Editor {
        fs,
        now,
        record: Record::default(),
    };
    for step in steps {
        editor
            .apply(&step.operation)
            .map_err(|cause| Trouble { step, cause })?;
    }
    Ok(editor.record)
}

struct Editor<'f> {
    fs: &'f mut dyn FileSystem,
    now: Timestamp,
    record: Record,
}

impl Editor<'_> {
    fn apply(&mut self, operation: &Operation) -> Result<(), Cause> {
        match operation {
            Operation::MakeDirectory {
                path,
                parents,
                ownership,
            } => self.make_directory(path, *parents, ownership),
            Operation::Put {
                source,
                path,
                ownership,
            } => {
                let host = |source_error| Cause::Host {
                    path: source.clone(),
                    source: source_error,
                };
                if source.as_os_str() == "-" {
                    self.put(path, &mut io::stdin().lock(), ownership)
                } else {
                    let file = File::open(source).map_err(host)?;
                    let size = file.metadata().map_err(host)?.len();
                    self.put(path, &mut Reading::new(file, size), ownership)
                }
            }
            Operation::Write {
                path,
                content,
                ownership,
            } => self.put(path, &mut content.0.as_slice(), ownership),
            Operation::Append { path, content } => self.append(path, &content.0),
            Operation::Truncate { path, size } => self.truncate(path, *size),
            Operation::Remove {
                path,
                recursive,
                force,
            } => self.remove(path, *recursive, *force),
            Operation::ChangePermissions { path, permissions } => {
                let (_, file) = self.existing(path, LastLink::Followed)?;
                self.set_permissions(file, *permissions)
            }
            Operation::ChangeOwner {
                path,
                owner,
                link_itself,
            } => {
                let last = if *link_itself {
                    LastLink::Kept
                } else {
                    LastLink::Followed
                };
                let (_, file) = self.existing(path, last)?;
                self.set_owner(file, owner)
            }
            Operation::SymbolicLink { target, path } => self.symbolic_link(target, path),
            Operation::HardLink { existing, path } => self.hard_link(existing, path),
            Operation::Move { from, to } => self.rename(from, to),
            Operation::SetAttribute { path, name, value } => {
                let (_, file) = self.existing(path, LastLink::Followed)?;
                self.fs.set_attribute(file, name, &value.0)?;
                self.record.attribute(file, name, Some(&value.0));
                Ok(())
            }
            Operation::RemoveAttribute { path, name } => {
                let (_, file) = self.existing(path, LastLink::Followed)?;
                self.fs.remove_attribute(file, name)?;
                self.record.attribute(file, name, None);
                Ok(())
            }
            Operation::Touch { path, time } => self.touch(path, *time),
        }
    }

    fn find(&mut self, path: &GuestPath, last: LastLink) -> Result<Place, Cause> {
        Ok(resolve_place(self.fs, path, last)?)
    }

    /// Finds a file that is there, and notes that it is touched.
    fn existing(&mut self, path: &GuestPath, last: LastLink) -> Result<(Place, FileId), Cause> {
        let place = self.find(path, last)?;
        let file = place.existing()?;
        self.record.found(&place.names, file);
        Ok((place, file))
    }

    /// Makes a file at a place that is free.
    fn create(
        &mut self,
        place: &Place,
        kind: NewKind<'_>,
        permissions: u16,
    ) -> Result<FileId, Cause> {
        let new = NewFile {
            kind,
            permissions,
            uid: 0,
            gid: 0,
        };
        let name = place.name().ok_or(Cause::Root)?;
        let file = self.fs.create(place.directory, name, &new)?;
        self.record.made(&place.names, file);
        Ok(file)
    }

    /// Gives a file what was said of its owner and its permission bits. The owner first: that takes set-user-ID away.
    fn own(&mut self, file: FileId, ownership: &Ownership) -> Result<(), Cause> {
        if ownership.owner != Owner::default() {
            self.set_owner(file, &ownership.owner)?;
        }
        match ownership.permissions {
            Some(permissions) => self.set_permissions(file, permissions),
            None => Ok(()),
        }
    }

    fn set_permissions(&mut self, file: FileId, permissions: u16) -> Result<(), Cause> {
        self.fs.set_permissions(file, permissions)?;
        self.record.permissions(file, permissions);
        Ok(())
    }

    fn set_owner(&mut self, file: FileId, owner: &Owner) -> Result<(), Cause> {
        let before = self.fs.attributes(file)?;
        let uid = match &owner.user {
            Some(user) => accounts::number(self.fs, user, Register::Users)?,
            None => before.uid,
        };
        let gid = match &owner.group {
            Some(group) => accounts::number(self.fs, group, Register::Groups)?,
            None => before.gid,
        };
        self.fs.set_owner(file, uid, gid)?;
        self.record.owner(file, uid, gid);
        Ok(())
    }

    fn make_directory(
        &mut self,
        path: &GuestPath,
        parents: bool,
        ownership: &Ownership,
    ) -> Result<(), Cause> {
        if parents {
            return self.make_directories(path, ownership);
        }
        let place = self.find(path, LastLink::Kept)?;
        if place.file.is_some() {
            return Err(Error::Exists.into());
        }
        let permissions = ownership.permissions.unwrap_or(DIRECTORY_PERMISSIONS);
        let file = self.create(&place, NewKind::Directory, permissions)?;
        self.own(file, ownership)
    }

    fn make_directories(&mut self, path: &GuestPath, ownership: &Ownership) -> Result<(), Cause> {
        let mut reached = GuestPath::root();
        let mut file = self.fs.root();
        for component in path.components() {
            reached = reached.join(component);
            let mut place = self.find(&reached, LastLink::Kept)?;
            if let Some(found) = place.file
                && self.fs.attributes(found)?.kind == Kind::SymbolicLink
            {
                place = self.find(&reached, LastLink::Followed)?;
                // As mkdir(1): a link that leads nowhere is in the way.
                if place.file.is_none() {
                    return Err(Error::Exists.into());
                }
            }
            file = match place.file {
                Some(found) if self.fs.attributes(found)?.kind == Kind::Directory => {
                    self.record.found(&place.names, found);
                    found
                }
                Some(_) => return Err(Error::NotDirectory.into()),
                None => self.create(&place, NewKind::Directory, DIRECTORY_PERMISSIONS)?,
            };
        }
        self.own(file, ownership)
    }

    fn put(
        &mut self,
        path: &GuestPath,
        content: &mut dyn io::Read,
        ownership: &Ownership,
    ) -> Result<(), Cause> {
        let place = self.find(path, LastLink::Followed)?;
        let file = match place.file {
            Some(file) => {
                match self.fs.attributes(file)?.kind {
                    Kind::File => {}
                    Kind::Directory => return Err(Error::IsDirectory.into()),
                    _ => return Err(Error::NotFile.into()),
                }
                self.record.found(&place.names, file);
                file
            }
            None => self.create(
                &place,
                NewKind::File,
                ownership.permissions.unwrap_or(FILE_PERMISSIONS),
            )?,
        };
        let mut summed = Summed::new(content);
        self.fs.replace(file, &mut summed)?;
        self.record.content(file, summed.checksum);
        self.own(file, ownership)
    }

    fn append(&mut self, path: &GuestPath, content: &[u8]) -> Result<(), Cause> {
        let (_, file) = self.existing(path, LastLink::Followed)?;
        let size = self.regular(file)?;
        self.fs.write_at(file, content, size)?;
        let mut checksum = match self.record.known_content(file) {
            Some(known) if known.end() == size => known,
            _ => Checksum::begin(size),
        };
        checksum.add(content);
        self.record.content(file, checksum);
        Ok(())
    }

    /// Returns the size of what must be a regular file.
    fn regular(&mut self, file: FileId) -> Result<u64, Cause> {
        let attributes = self.fs.attributes(file)?;
        match attributes.kind {
            Kind::File => Ok(attributes.size),
            Kind::Directory => Err(Error::IsDirectory.into()),
            _ => Err(Error::NotFile.into()),
        }
    }

    fn truncate(&mut self, path: &GuestPath, size: u64) -> Result<(), Cause> {
        let (_, file) = self.existing(path, LastLink::Followed)?;
        self.regular(file)?;
        self.fs.set_size(file, size)?;
        self.record.size(file, size);
        Ok(())
    }

    fn remove(&mut self, path: &GuestPath, recursive: bool, force: bool) -> Result<(), Cause> {
        let place = match self.find(path, LastLink::Kept) {
            Err(Cause::FileSystem(Error::NotFound)) if force => return Ok(()),
            other => other?,
        };
        let name = place.name().ok_or(Cause::Root)?;
        let file = match place.file {
            None if force => return Ok(()),
            None => return Err(Error::NotFound.into()),
            Some(file) => file,
        };
        if recursive && self.fs.attributes(file)?.kind == Kind::Directory {
            self.empty(file)?;
        }
        self.fs.remove(place.directory, name)?;
        self.record.removed(&place.names, file);
        Ok(())
    }

    /// Removes all that is in a directory. Names below are not recorded: that the directory is gone says it all.
    fn empty(&mut self, directory: FileId) -> Result<(), Cause> {
        // Each directory with its entries that are left and the name that it has in the one before.
        let mut open = vec![(directory, self.fs.entries(directory)?, Vec::new())];
        while let Some((directory, entries, _)) = open.last_mut() {
            let directory = *directory;
            if let Some(entry) = entries.pop() {
                if self.fs.attributes(entry.file)?.kind == Kind::Directory {
                    if open.len() >= MAX_DEPTH {
                        return Err(Error::NameTooLong.into());
                    }
                    let below = self.fs.entries(entry.file)?;
                    open.push((entry.file, below, entry.name));
                } else {
                    self.fs.remove(directory, &entry.name)?;
                    self.record.forget(entry.file);
                }
                continue;
            }
            let emptied = open.pop();
            if let (Some((file, _, name)), Some((above, ..))) = (emptied, open.last()) {
                self.fs.remove(*above, &name)?;
                self.record.forget(file);
            }
        }
        Ok(())
    }

    fn symbolic_link(&mut self, target: &[u8], path: &GuestPath) -> Result<(), Cause> {
        let place = self.find(path, LastLink::Kept)?;
        if place.file.is_some() {
            return Err(Error::Exists.into());
        }
        let file = self.create(&place, NewKind::SymbolicLink(target), 0o777)?;
        self.record.target(file, target);
        Ok(())
    }

    fn hard_link(&mut self, existing: &GuestPath, path: &GuestPath) -> Result<(), Cause> {
        let (_, file) = self.existing(existing, LastLink::Kept)?;
        let place = self.find(path, LastLink::Kept)?;
        let name = place.name().ok_or(Error::Exists)?;
        if place.file.is_some() {
            return Err(Error::Exists.into());
        }
        self.fs.link(file, place.directory, name)?;
        self.record.came(&place.names, file);
        Ok(())
    }

    fn rename(&mut self, from: &GuestPath, to: &GuestPath) -> Result<(), Cause> {
        let (old, file) = self.existing(from, LastLink::Kept)?;
        let new = self.find(to, LastLink::Kept)?;
        let old_name = old.name().ok_or(Cause::Root)?;
        let new_name = new.name().ok_or(Cause::Root)?;
        if new.file == Some(file) {
            return Ok(());
        }
        self.fs
            .rename(old.directory, old_name, new.directory, new_name)?;
        self.record.moved(&old.names, &new.names, new.file);
        Ok(())
    }

    fn touch(&mut self, path: &GuestPath, time: Option<Timestamp>) -> Result<(), Cause> {
        let place = self.find(path, LastLink::Followed)?;
        let file = match place.file {
            Some(file) => {
                self.record.found(&place.names, file);
                file
            }
            None => self.create(&place, NewKind::File, FILE_PERMISSIONS)?,
        };
        let time = Some(time.unwrap_or(self.now));
        self.fs.set_times(
            file,
            Times {
                accessed: time,
                modified: time,
            },
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
