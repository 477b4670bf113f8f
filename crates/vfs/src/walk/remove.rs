//! A tree removed, as `rm -r` does.

use std::collections::HashSet;

use super::{BrokenTree, DEPTH};
use crate::error::{Error, Result};
use crate::filesystem::{Entry, FileId, FileSystem, Kind};

/// Removes an entry and, if it is a directory, all that is below it; returns how many entries that were. Symbolic links are
/// removed, not followed.
///
/// # Errors
///
/// [`Error::NotFound`]; [`Error::Corrupt`] for a directory that is met twice and for more than [`DEPTH`] directories one in another. What was removed
/// until then stays removed.
pub fn remove_tree(fs: &mut dyn FileSystem, directory: FileId, name: &[u8]) -> Result<u64> {
    let file = fs.lookup(directory, name)?.ok_or(Error::NotFound)?;
    if fs.attributes(file)?.kind != Kind::Directory {
        fs.remove(directory, name)?;
        return Ok(1);
    }
    let mut removed = 0;
    let mut seen = HashSet::from([directory, file]);
    // The directories from above to below; each with its name in the one before it, and its entries that are still to go.
    let mut open = vec![(directory, name.to_vec(), file, fs.entries(file)?)];
    while let Some((above, own_name, at, entries)) = open.last_mut() {
        let Some(Entry { name, file }) = entries.pop() else {
            fs.remove(*above, own_name)?;
            removed += 1;
            open.pop();
            continue;
        };
        let at = *at;
        if fs.attributes(file)?.kind != Kind::Directory {
            fs.remove(at, &name)?;
            removed += 1;
            continue;
        }
        if !seen.insert(file) {
            return Err(BrokenTree::MetTwice(file.number()).into());
        }
        if open.len() >= DEPTH {
            return Err(BrokenTree::TooDeep.into());
        }
        let entries = fs.entries(file)?;
        open.push((at, name, file, entries));
    }
    Ok(removed)
}
