//! Files that are taken over from elsewhere, piece by piece: for a filesystem that keeps its changes in memory above files that it
//! reads only when they are needed. Nothing here stamps a time.

use super::content::Content;
use super::node::{Body, Node};
use super::{Memory, ROOT};
use crate::error::{Error, Result};
use crate::filesystem::{Attributes, FileId, Kind};

impl Memory {
    /// Gives the root what another root has; it has no entries and no extended attributes before they are adopted too.
    pub fn adopt_root(&mut self, found: &Attributes) {
        let body = Body::Directory {
            entries: Default::default(),
            parent: ROOT,
        };
        self.nodes.insert(ROOT, adopted(body, found));
    }

    /// Adds a file as it is elsewhere, without a name, content, entries and extended attributes; the target is a symbolic link's.
    pub fn adopt(&mut self, found: &Attributes, target: &[u8]) -> FileId {
        let body = match found.kind {
            Kind::File => Body::File(Content::default()),
            Kind::Directory => Body::Directory {
                entries: Default::default(),
                parent: ROOT,
            },
            Kind::SymbolicLink => Body::SymbolicLink(target.to_vec()),
            special => Body::Special(special),
        };
        let number = self.next;
        self.next += 1;
        self.nodes.insert(number, adopted(body, found));
        FileId::new(number)
    }

    /// Gives a file that was adopted one of its names, which its number of links counts already.
    ///
    /// # Errors
    ///
    /// [`Error::NotDirectory`], and [`Error::NotFound`] for what is not here.
    pub fn adopt_entry(&mut self, directory: FileId, name: &[u8], file: FileId) -> Result<()> {
        self.node(directory.number())?.directory()?;
        self.node_mut(file.number())?.set_parent(directory.number());
        self.node_mut(directory.number())?
            .directory_mut()?
            .insert(name.to_vec(), file.number());
        Ok(())
    }

    /// Puts a piece of its content into a file that was adopted, and lets it end no sooner than `size`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFile`], [`Error::FileTooLarge`], [`Error::NotFound`] for what is not here.
    pub fn adopt_content(
        &mut self,
        file: FileId,
        data: &[u8],
        offset: u64,
        size: u64,
    ) -> Result<()> {
        let before = self.node(file.number())?.content()?.pages();
        let end = offset.checked_add(data.len() as u64);
        if end.is_none_or(|end| end > self.limits.file_bytes) || size > self.limits.file_bytes {
            return Err(Error::FileTooLarge);
        }
        let content = self.node_mut(file.number())?.content_mut()?;
        content.write(data, offset);
        if content.size() < size {
            content.set_size(size);
        }
        let after = content.pages();
        self.pages += after - before;
        Ok(())
    }

    /// Gives a file that was adopted one of its extended attributes, as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for what is not here.
    pub fn adopt_attribute(&mut self, file: FileId, name: &[u8], value: &[u8]) -> Result<()> {
        self.node_mut(file.number())?
            .attributes
            .insert(name.to_vec(), value.to_vec());
        Ok(())
    }
}

fn adopted(body: Body, found: &Attributes) -> Node {
    let mut node = Node::new(body, found.changed);
    node.permissions = found.permissions;
    node.uid = found.uid;
    node.gid = found.gid;
    node.links = found.links;
    node.accessed = found.accessed;
    node.modified = found.modified;
    node.created = found.created;
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::{FileSystem, NewFile, NewKind, Timestamp};

    #[test]
    fn what_is_adopted_is_as_it_was() {
        let mut from = Memory::new();
        from.set_now(Timestamp {
            seconds: 7,
            nanoseconds: 8,
        });
        let new = NewFile {
            kind: NewKind::File,
            permissions: 0o640,
            uid: 3,
            gid: 4,
        };
        let root = from.root();
        let file = from.create(root, b"a", &new).unwrap();
        from.link(file, root, b"b").unwrap();
        from.write_at(file, b"content", 5000).unwrap();
        let found = from.attributes(file).unwrap();

        let mut to = Memory::new();
        to.adopt_root(&from.attributes(root).unwrap());
        let root = to.root();
        let file = to.adopt(&found, b"");
        to.adopt_entry(root, b"a", file).unwrap();
        to.adopt_entry(root, b"b", file).unwrap();
        to.adopt_content(file, b"content", 5000, 5007).unwrap();
        to.adopt_attribute(file, b"user.x", b"y").unwrap();
        assert_eq!(to.attributes(file).unwrap(), found);
        assert_eq!(to.attribute(file, b"user.x").unwrap().unwrap(), b"y");
        to.remove(root, b"a").unwrap();
        to.remove(root, b"b").unwrap();
        assert!(to.attributes(file).is_err());
        assert_eq!(to.pages, 0);
    }
}
