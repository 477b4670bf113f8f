//! What is to be in the guest.

use std::collections::BTreeMap;
use std::io::Read;

use christen_vfs::walk::{LastLink, Place, remove_tree};
use christen_vfs::{
    Attributes, Error as FsError, FileId, GuestPath, Kind, NewFile, NewKind, Times, Timestamp,
};

use super::reading::failed;
use super::{Existing, MAX_READ_BYTES, Ownership, Secrecy, Stage, Touched};
use crate::change::{Content, State};
use crate::error::{Error, Result};

impl Stage<'_> {
    /// A file has this content. A link at the end is followed; the directory above must be there.
    ///
    /// # Errors
    ///
    /// [`Error::File`], also where something that is no regular file has the name; [`Error::TooLarge`] beyond [`MAX_READ_BYTES`].
    pub fn write(
        &mut self,
        path: &GuestPath,
        content: &[u8],
        new: Ownership,
        existing: Existing,
        secrecy: Secrecy,
    ) -> Result<()> {
        let (at, file, is_new) = self.put(path, content, new, secrecy)?;
        if is_new || existing == Existing::Set {
            self.settle(path, &at, file, new)?;
        }
        Ok(())
    }

    /// As a program of root's with umask 022 writes a file: one that is there keeps its owner and permission bits; a new one is root's with
    /// mode 0644, unless its directory passes on something else.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn overwrite(&mut self, path: &GuestPath, content: &[u8], secrecy: Secrecy) -> Result<()> {
        self.put(path, content, Ownership::root(0o644), secrecy)?;
        Ok(())
    }

    /// Gives a file its content; says where it is, and whether it was made.
    fn put(
        &mut self,
        path: &GuestPath,
        content: &[u8],
        new: Ownership,
        secrecy: Secrecy,
    ) -> Result<(GuestPath, FileId, bool)> {
        // Or the next injection could not read it, and would neither find it done nor do it again.
        if content.len() as u64 > MAX_READ_BYTES {
            return Err(Error::TooLarge {
                path: path.clone(),
                size: content.len() as u64,
                limit: MAX_READ_BYTES,
            });
        }
        let place = self.place(path, LastLink::Followed)?;
        let at = at(&place);
        let Some(file) = place.file else {
            let file = self.create(path, &place, NewKind::File, new, secrecy)?;
            self.fs
                .replace(file, &mut &content[..])
                .map_err(failed("write", path))?;
            self.after(&at).content = Some(Content::of(content));
            return Ok((at, file, true));
        };
        self.regular(path, file)?;
        self.touch_content(&place, secrecy)?;
        let after = Content::of(content);
        let is_there = self.places[&at]
            .after
            .as_ref()
            .is_some_and(|it| it.content.as_ref() == Some(&after));
        if !is_there {
            self.fs
                .replace(file, &mut &content[..])
                .map_err(failed("write", path))?;
            self.after(&at).content = Some(after);
        }
        Ok((at, file, false))
    }

    /// A file of the guest's configuration has this content: a new one is root's with mode 0644, one that is there keeps its owner and
    /// permission bits.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn configure(&mut self, path: &GuestPath, content: &[u8]) -> Result<()> {
        let new = Ownership::root(0o644);
        self.write(path, content, new, Existing::Keep, Secrecy::Public)
    }

    /// As [`write`](Self::write), with content that is too much for memory. It is written anew even if it is there already.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), and when the content cannot be read.
    pub fn write_from(
        &mut self,
        path: &GuestPath,
        content: &mut dyn Read,
        new: Ownership,
        existing: Existing,
    ) -> Result<()> {
        let place = self.place(path, LastLink::Followed)?;
        let (file, is_new) = match place.file {
            Some(file) => {
                self.regular(path, file)?;
                self.touch_content(&place, Secrecy::Public)?;
                (file, false)
            }
            None => {
                let file = self.create(path, &place, NewKind::File, new, Secrecy::Public)?;
                (file, true)
            }
        };
        let mut hashed = crate::change::Hashed::new(content);
        self.fs
            .replace(file, &mut hashed)
            .map_err(failed("write", path))?;
        self.after(&at(&place)).content = Some(hashed.finish());
        if is_new || existing == Existing::Set {
            self.settle(path, &at(&place), file, new)?;
        }
        Ok(())
    }

    /// A file ends with these bytes, behind what it has; it is made if it is not there.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), and [`Error::TooLarge`] for a file of more than [`MAX_READ_BYTES`].
    pub fn append(
        &mut self,
        path: &GuestPath,
        bytes: &[u8],
        new: Ownership,
        secrecy: Secrecy,
    ) -> Result<()> {
        let mut content = self.read(path)?.unwrap_or_default();
        content.extend_from_slice(bytes);
        self.write(path, &content, new, Existing::Keep, secrecy)
    }

    /// A directory is there; those that lack above it are made too, root's own with mode 0755. Links are followed.
    ///
    /// # Errors
    ///
    /// [`Error::File`], also where something else has the name, or a link on the way leads nowhere.
    pub fn directory(
        &mut self,
        path: &GuestPath,
        new: Ownership,
        existing: Existing,
    ) -> Result<()> {
        self.parents(path)?;
        let place = self.place(path, LastLink::Kept)?;
        let is_link = match place.file {
            Some(file) => self.kind(path, file)? == Kind::SymbolicLink,
            None => false,
        };
        let place = if is_link {
            self.place(path, LastLink::Followed)?
        } else {
            place
        };
        match place.file {
            // As `mkdir -p`: what a link leads to is there, or the link is a mistake.
            None if is_link => Err(failed("make", path)(FsError::NotFound)),
            None => {
                let file = self.create(path, &place, NewKind::Directory, new, Secrecy::Public)?;
                self.settle(path, &at(&place), file, new)
            }
            Some(file) => {
                if self.kind(path, file)? != Kind::Directory {
                    return Err(failed("make", path)(FsError::NotDirectory));
                }
                if existing == Existing::Set {
                    self.touch(&place, Secrecy::Public)?;
                    self.settle(path, &at(&place), file, new)?;
                }
                Ok(())
            }
        }
    }

    /// As `mkdir -p` of root's with umask 022: a directory is there, and all above it. Those that are made have mode 0755 and are root's,
    /// unless a directory above passes on something else.
    ///
    /// # Errors
    ///
    /// As [`directory`](Self::directory).
    pub fn make_path(&mut self, path: &GuestPath) -> Result<()> {
        self.parents(&path.join(b"-"))?;
        let (_, file) = self.existing(path, LastLink::Followed)?;
        match self.kind(path, file)? {
            Kind::Directory => Ok(()),
            _ => Err(failed("make", path)(FsError::NotDirectory)),
        }
    }

    /// The directories above a path are there; those that lack are made, root's own with mode 0755.
    ///
    /// # Errors
    ///
    /// As [`directory`](Self::directory).
    pub fn parents(&mut self, path: &GuestPath) -> Result<()> {
        let mut missing = Vec::new();
        let mut above = path.parent();
        while let Some(path) = above {
            if self.exists(&path)? {
                break;
            }
            above = path.parent();
            missing.push(path);
        }
        for path in missing.iter().rev() {
            if self.exists(path)? {
                continue;
            }
            let place = self.place(path, LastLink::Kept)?;
            self.create(
                path,
                &place,
                NewKind::Directory,
                Ownership::root(0o755),
                Secrecy::Public,
            )?;
        }
        Ok(())
    }

    /// Nothing is there: a file, a link itself, or a directory with all that is in it goes.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn remove(&mut self, path: &GuestPath) -> Result<()> {
        if self.look(path, LastLink::Kept)?.is_none() {
            return Ok(());
        }
        let place = self.place(path, LastLink::Kept)?;
        let at = self.touch_content(&place, Secrecy::Public)?;
        let Some(name) = place.name() else {
            return Err(failed("remove", path)(FsError::InvalidName));
        };
        remove_tree(self.fs, place.directory, name).map_err(failed("remove", path))?;
        self.entry(&at).after = None;
        for (_, touched) in self.below(&at) {
            touched.after = None;
        }
        Ok(())
    }

    /// A symbolic link with this target is there. What else has the name is replaced, if it is no directory.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn symbolic_link(&mut self, path: &GuestPath, target: &[u8]) -> Result<()> {
        let place = self.place(path, LastLink::Kept)?;
        let place = match place.file {
            Some(file) => {
                let at = self.touch_content(&place, Secrecy::Public)?;
                if self.places[&at]
                    .after
                    .as_ref()
                    .is_some_and(|it| it.target.as_deref() == Some(target))
                {
                    return Ok(());
                }
                self.unlink(path, &place, file)?;
                self.place(path, LastLink::Kept)?
            }
            None => place,
        };
        let kind = NewKind::SymbolicLink(target);
        self.create(path, &place, kind, Ownership::root(0o777), Secrecy::Public)?;
        Ok(())
    }

    /// A file has one more name. What else has that name is replaced, if it is no directory.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn hard_link(&mut self, file: &GuestPath, path: &GuestPath) -> Result<()> {
        let from = self.place(file, LastLink::Followed)?;
        let source = from.existing().map_err(failed("link", file))?;
        let mut place = self.place(path, LastLink::Kept)?;
        if place.file == Some(source) {
            return Ok(());
        }
        let after = self.state(path, source, true)?;
        let at = self.touch_content(&place, Secrecy::Public)?;
        if let Some(file) = place.file {
            self.unlink(path, &place, file)?;
            place = self.place(path, LastLink::Kept)?;
        }
        let Some(name) = place.name() else {
            return Err(failed("link", path)(FsError::Exists));
        };
        self.fs
            .link(source, place.directory, name)
            .map_err(failed("link", path))?;
        self.entry(&at).after = Some(after);
        Ok(())
    }

    /// What has one name has the other. A file there is replaced.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn rename(&mut self, from: &GuestPath, to: &GuestPath) -> Result<()> {
        let source = self.place(from, LastLink::Kept)?;
        let file = source.existing().map_err(failed("move", from))?;
        let target = self.place(to, LastLink::Kept)?;
        let moved = self.state(from, file, true)?;
        let old = self.touch_content(&source, Secrecy::Public)?;
        let new = self.touch_content(&target, Secrecy::Public)?;
        let (Some(name), Some(new_name)) = (source.name(), target.name()) else {
            return Err(failed("move", from)(FsError::InvalidName));
        };
        self.fs
            .rename(source.directory, name, target.directory, new_name)
            .map_err(failed("move", to))?;
        if old == new {
            return Ok(());
        }
        self.entry(&old).after = None;
        self.entry(&new).after = Some(moved);
        let depth = old.components().count();
        let moved: Vec<_> = self
            .below(&old)
            .map(|(path, touched)| {
                let rest = path.components().skip(depth);
                let path = rest.fold(new.clone(), |path, name| path.join(name));
                let touched = Touched {
                    items: touched.items.clone(),
                    secrecy: touched.secrecy,
                    before: None,
                    after: touched.after.take(),
                };
                (path, touched)
            })
            .collect();
        self.places.extend(moved);
        Ok(())
    }

    /// A file has these permission bits; links are followed.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn permissions(&mut self, path: &GuestPath, permissions: u16) -> Result<()> {
        let (place, file) = self.existing(path, LastLink::Followed)?;
        let at = self.touch(&place, Secrecy::Public)?;
        self.set_permissions(path, &at, file, permissions)
    }

    /// A file has this owner and group; links are followed.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn owner(&mut self, path: &GuestPath, uid: u32, gid: u32) -> Result<()> {
        let (place, file) = self.existing(path, LastLink::Followed)?;
        let at = self.touch(&place, Secrecy::Public)?;
        self.set_owner(path, &at, file, uid, gid)
    }

    /// A file has this extended attribute, or, with `None`, does not have it.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn attribute(
        &mut self,
        path: &GuestPath,
        last: LastLink,
        name: &[u8],
        value: Option<&[u8]>,
    ) -> Result<()> {
        let (place, file) = self.existing(path, last)?;
        let at = self.touch(&place, Secrecy::Public)?;
        let before = self
            .fs
            .attribute(file, name)
            .map_err(failed("read an attribute of", path))?;
        if before.as_deref() != value {
            match value {
                Some(value) => self.fs.set_attribute(file, name, value),
                None => self.fs.remove_attribute(file, name),
            }
            .map_err(failed("set an attribute of", path))?;
        }
        let touched = self.entry(&at);
        if let Some(state) = &mut touched.before {
            state.attributes.entry(name.to_vec()).or_insert(before);
        }
        if let Some(state) = &mut touched.after {
            state
                .attributes
                .insert(name.to_vec(), value.map(<[u8]>::to_vec));
        }
        Ok(())
    }

    /// A file was changed at this moment; it is made, empty, if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn touch_file(&mut self, path: &GuestPath, now: Timestamp, new: Ownership) -> Result<()> {
        let place = self.place(path, LastLink::Followed)?;
        let Some(file) = place.file else {
            return self.write(path, b"", new, Existing::Keep, Secrecy::Public);
        };
        self.touch(&place, Secrecy::Public)?;
        let times = Times {
            accessed: Some(now),
            modified: Some(now),
        };
        self.fs
            .set_times(file, times)
            .map_err(failed("touch", path))
    }

    fn existing(&mut self, path: &GuestPath, last: LastLink) -> Result<(Place, FileId)> {
        let place = self.place(path, last)?;
        let file = place.existing().map_err(failed("find", path))?;
        Ok((place, file))
    }

    fn kind(&mut self, path: &GuestPath, file: FileId) -> Result<Kind> {
        let attributes = self.fs.attributes(file);
        Ok(attributes.map_err(failed("look at", path))?.kind)
    }

    fn regular(&mut self, path: &GuestPath, file: FileId) -> Result<()> {
        match self.kind(path, file)? {
            Kind::File => Ok(()),
            Kind::Directory => Err(failed("write", path)(FsError::IsDirectory)),
            _ => Err(failed("write", path)(FsError::NotFile)),
        }
    }

    fn unlink(&mut self, path: &GuestPath, place: &Place, file: FileId) -> Result<()> {
        if self.kind(path, file)? == Kind::Directory {
            return Err(failed("replace", path)(FsError::IsDirectory));
        }
        // A place with a file that is not the root has a name.
        let name = place.name().unwrap_or_default();
        self.fs
            .remove(place.directory, name)
            .map_err(failed("replace", path))
    }

    /// Makes a file, and notes it with the state that is meant.
    fn create(
        &mut self,
        path: &GuestPath,
        place: &Place,
        kind: NewKind<'_>,
        ownership: Ownership,
        secrecy: Secrecy,
    ) -> Result<FileId> {
        let Some(name) = place.name() else {
            return Err(failed("make", path)(FsError::Exists));
        };
        let at = self.touch(place, secrecy)?;
        let new = NewFile {
            kind,
            permissions: ownership.permissions,
            uid: ownership.uid,
            gid: ownership.gid,
        };
        let file = self
            .fs
            .create(place.directory, name, &new)
            .map_err(failed("make", path))?;
        let attributes = self.fs.attributes(file).map_err(failed("make", path))?;
        self.entry(&at).after = Some(State {
            target: match kind {
                NewKind::SymbolicLink(target) => Some(target.to_vec()),
                _ => None,
            },
            ..state_of(&attributes)
        });
        Ok(file)
    }

    /// Gives a file its owner and permission bits, whatever a directory passed on to it. The owner goes first, because a change of owner
    /// takes permission bits.
    fn settle(
        &mut self,
        path: &GuestPath,
        at: &GuestPath,
        file: FileId,
        ownership: Ownership,
    ) -> Result<()> {
        self.set_owner(path, at, file, ownership.uid, ownership.gid)?;
        self.set_permissions(path, at, file, ownership.permissions)
    }

    fn set_owner(
        &mut self,
        path: &GuestPath,
        at: &GuestPath,
        file: FileId,
        uid: u32,
        gid: u32,
    ) -> Result<()> {
        let found = self.fs.attributes(file).map_err(failed("look at", path))?;
        if (found.uid, found.gid) != (uid, gid) {
            self.fs
                .set_owner(file, uid, gid)
                .map_err(failed("change the owner of", path))?;
            let found = self.fs.attributes(file).map_err(failed("look at", path))?;
            self.after(at).permissions = found.permissions;
        }
        let after = self.after(at);
        (after.uid, after.gid) = (uid, gid);
        Ok(())
    }

    fn set_permissions(
        &mut self,
        path: &GuestPath,
        at: &GuestPath,
        file: FileId,
        permissions: u16,
    ) -> Result<()> {
        let found = self.fs.attributes(file).map_err(failed("look at", path))?;
        if found.permissions != permissions {
            self.fs
                .set_permissions(file, permissions)
                .map_err(failed("change the permissions of", path))?;
        }
        self.after(at).permissions = permissions;
        Ok(())
    }

    /// Notes a place for the current item, before anything is done to it.
    fn touch(&mut self, place: &Place, secrecy: Secrecy) -> Result<GuestPath> {
        let at = at(place);
        if !self.places.contains_key(&at) {
            let before = match place.file {
                Some(file) => Some(self.state(&at, file, false)?),
                None => None,
            };
            let touched = Touched {
                items: Vec::new(),
                secrecy,
                after: before.clone(),
                before,
            };
            self.places.insert(at.clone(), touched);
        }
        let item = self.item.clone();
        let touched = self.entry(&at);
        touched.secrecy = touched.secrecy.max(secrecy);
        if !touched.items.contains(&item) {
            touched.items.push(item);
        }
        Ok(at)
    }

    /// As [`touch`](Self::touch), with the content as it is now.
    fn touch_content(&mut self, place: &Place, secrecy: Secrecy) -> Result<GuestPath> {
        let at = self.touch(place, secrecy)?;
        let Some(file) = place.file else {
            return Ok(at);
        };
        let touched = &self.places[&at];
        let is_known = touched.after.as_ref().is_none_or(|it| it.content.is_some());
        if is_known {
            return Ok(at);
        }
        let content = self.state(&at, file, true)?.content;
        let touched = self.entry(&at);
        // Nothing has written to it since it was noted, or the content would be known.
        for state in [&mut touched.before, &mut touched.after]
            .into_iter()
            .flatten()
        {
            state.content.clone_from(&content);
        }
        Ok(at)
    }

    fn state(&mut self, path: &GuestPath, file: FileId, with_content: bool) -> Result<State> {
        let attributes = self.fs.attributes(file).map_err(failed("look at", path))?;
        let mut state = state_of(&attributes);
        match attributes.kind {
            Kind::File if with_content && attributes.size <= MAX_READ_BYTES => {
                state.content = Some(Content::of(&self.read_file(path, file)?));
            }
            Kind::SymbolicLink => {
                let target = self.fs.read_link(file);
                state.target = Some(target.map_err(failed("read", path))?);
            }
            _ => {}
        }
        Ok(state)
    }

    /// Returns the places in a directory that is no longer there.
    fn below(&mut self, at: &GuestPath) -> impl Iterator<Item = (&GuestPath, &mut Touched)> {
        let depth = at.components().count();
        // Paths are sorted by their components, so those below follow at once.
        let places = self.places.range_mut(at.clone()..).skip(1);
        places.take_while(move |(path, _)| {
            path.components().count() > depth
                && path.components().zip(at.components()).all(|(a, b)| a == b)
        })
    }

    fn entry(&mut self, at: &GuestPath) -> &mut Touched {
        // Every place is noted before anything is done to it.
        self.places.get_mut(at).expect("the place was noted")
    }

    fn after(&mut self, at: &GuestPath) -> &mut State {
        let after = self.entry(at).after.as_mut();
        // What was made or found is there.
        after.expect("the place has a file")
    }
}

fn at(place: &Place) -> GuestPath {
    let root = GuestPath::root();
    place.names.iter().fold(root, |path, name| path.join(name))
}

fn state_of(attributes: &Attributes) -> State {
    State {
        kind: attributes.kind,
        permissions: attributes.permissions,
        uid: attributes.uid,
        gid: attributes.gid,
        content: None,
        target: None,
        attributes: BTreeMap::new(),
    }
}
