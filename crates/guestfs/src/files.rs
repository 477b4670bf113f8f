//! Which path leads to which inode: libguestfs knows paths only, the trait identities only.

use std::collections::HashMap;

use christen_vfs::{Error, FileId};

/// The names under which inodes were seen. A path is the guest's, absolute, without a link before its last component, because each was
/// found by looking up one name in a directory.
#[derive(Debug, Default)]
pub(crate) struct Files {
    paths: HashMap<u64, Vec<Vec<u8>>>,
}

impl Files {
    /// Remembers that `path` leads to the inode.
    pub(crate) fn note(&mut self, inode: u64, path: Vec<u8>) -> FileId {
        let paths = self.paths.entry(inode).or_default();
        if !paths.contains(&path) {
            paths.push(path);
        }
        FileId::new(inode)
    }

    /// Returns a path of the file.
    pub(crate) fn path(&self, file: FileId) -> Result<&[u8], Error> {
        self.paths
            .get(&file.number())
            .and_then(|paths| paths.first())
            .map(Vec::as_slice)
            .ok_or(Error::NotFound)
    }

    /// Returns the path of an entry.
    pub(crate) fn entry(&self, directory: FileId, name: &[u8]) -> Result<Vec<u8>, Error> {
        let mut path = self.path(directory)?.to_vec();
        if path != b"/" {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Ok(path)
    }

    /// Forgets a path that is gone.
    pub(crate) fn forget(&mut self, path: &[u8]) {
        self.paths.retain(|_, paths| {
            paths.retain(|known| known != path);
            !paths.is_empty()
        });
    }

    /// Follows a rename: of the file, and of all that was seen below it.
    pub(crate) fn moved(&mut self, from: &[u8], to: &[u8]) {
        self.forget(to);
        for path in self.paths.values_mut().flatten() {
            if let Some(rest) = path.strip_prefix(from)
                && (rest.is_empty() || rest.first() == Some(&b'/'))
            {
                *path = [to, rest].concat();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_takes_along_what_is_below() {
        let mut files = Files::default();
        let root = files.note(2, b"/".to_vec());
        let directory = files.note(3, files.entry(root, b"a").unwrap());
        let file = files.note(4, files.entry(directory, b"b").unwrap());
        let other = files.note(5, b"/ab".to_vec());
        files.moved(b"/a", b"/c");
        assert_eq!(files.path(file).unwrap(), b"/c/b");
        assert_eq!(files.path(other).unwrap(), b"/ab");
    }

    #[test]
    fn a_file_with_another_name_stays() {
        let mut files = Files::default();
        files.note(4, b"/a".to_vec());
        let file = files.note(4, b"/b".to_vec());
        files.forget(b"/a");
        assert_eq!(files.path(file).unwrap(), b"/b");
        files.forget(b"/b");
        assert!(matches!(files.path(file), Err(Error::NotFound)));
    }
}
