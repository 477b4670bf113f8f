//! What the guest has.

use christen_vfs::walk::{LastLink, Place, resolve_place, try_resolve};
use christen_vfs::{Attributes, Error as FsError, FileId, GuestPath, Kind};

use super::{MAX_READ_BYTES, Stage};
use crate::error::{Error, Result};

impl Stage<'_> {
    /// Returns the whole content of a regular file, links followed; `None` if nothing is there.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for what is no regular file, [`Error::TooLarge`] beyond [`MAX_READ_BYTES`].
    pub fn read(&mut self, path: &GuestPath) -> Result<Option<Vec<u8>>> {
        match self.find(path, LastLink::Followed)? {
            Some(file) => self.read_file(path, file).map(Some),
            None => Ok(None),
        }
    }

    /// Returns what is known of a file, or `None` if nothing is there.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn look(&mut self, path: &GuestPath, last: LastLink) -> Result<Option<Attributes>> {
        match self.find(path, last)? {
            Some(file) => self
                .fs
                .attributes(file)
                .map(Some)
                .map_err(failed("look at", path)),
            None => Ok(None),
        }
    }

    /// Whether something is there, links followed: what a dangling link names is not there.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn exists(&mut self, path: &GuestPath) -> Result<bool> {
        Ok(self.find(path, LastLink::Followed)?.is_some())
    }

    /// Whether a directory is there, links followed.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn is_directory(&mut self, path: &GuestPath) -> Result<bool> {
        let found = self.look(path, LastLink::Followed)?;
        Ok(found.is_some_and(|it| it.kind == Kind::Directory))
    }

    /// Returns the names in a directory, sorted; none if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for what is no directory.
    pub fn names(&mut self, path: &GuestPath) -> Result<Vec<Vec<u8>>> {
        let Some(directory) = self.find(path, LastLink::Followed)? else {
            return Ok(Vec::new());
        };
        let entries = self.fs.entries(directory).map_err(failed("list", path))?;
        let mut names: Vec<_> = entries.into_iter().map(|it| it.name).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Returns the value of an extended attribute; `None` if it, or the file, is not there.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn attribute_of(
        &mut self,
        path: &GuestPath,
        last: LastLink,
        name: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        match self.find(path, last)? {
            Some(file) => self
                .fs
                .attribute(file, name)
                .map_err(failed("read an attribute of", path)),
            None => Ok(None),
        }
    }

    /// Returns the target of a symbolic link.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for what is no link, and where nothing is.
    pub fn link_target(&mut self, path: &GuestPath) -> Result<Vec<u8>> {
        let Some(file) = self.find(path, LastLink::Kept)? else {
            return Err(failed("read", path)(FsError::NotFound));
        };
        self.fs.read_link(file).map_err(failed("read", path))
    }

    fn find(&mut self, path: &GuestPath, last: LastLink) -> Result<Option<FileId>> {
        match try_resolve(self.fs, path, last) {
            // What should be above it is something else: then it is not there.
            Err(FsError::NotDirectory) => Ok(None),
            other => other.map_err(failed("find", path)),
        }
    }

    pub(super) fn place(&mut self, path: &GuestPath, last: LastLink) -> Result<Place> {
        resolve_place(self.fs, path, last).map_err(failed("reach", path))
    }

    pub(super) fn read_file(&mut self, path: &GuestPath, file: FileId) -> Result<Vec<u8>> {
        let attributes = self.fs.attributes(file).map_err(failed("read", path))?;
        if attributes.kind != Kind::File {
            return Err(failed("read", path)(FsError::NotFile));
        }
        if attributes.size > MAX_READ_BYTES {
            return Err(Error::TooLarge {
                path: path.clone(),
                size: attributes.size,
                limit: MAX_READ_BYTES,
            });
        }
        let mut content = vec![0; attributes.size as usize];
        let mut filled = 0;
        while filled < content.len() {
            match self
                .fs
                .read_at(file, &mut content[filled..], filled as u64)
                .map_err(failed("read", path))?
            {
                0 => break,
                count => filled += count,
            }
        }
        content.truncate(filled);
        Ok(content)
    }
}

/// Says what was to be done, and where.
pub(super) fn failed(
    action: &'static str,
    path: &GuestPath,
) -> impl FnOnce(FsError) -> Error + use<> {
    let path = path.clone();
    move |source| Error::File {
        action,
        path,
        source,
    }
}
