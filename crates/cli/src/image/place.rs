//! Where a path leads in a guest.

use christen_vfs::{Error, FileId, FileSystem, GuestPath, Kind, Result};

/// Links that are followed in one path, as Linux does it (`MAXSYMLINKS` in `include/linux/namei.h`).
const MAX_LINKS: usize = 40;

/// A place in the tree: an entry that is there or could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The directory that has or would have the entry; of the root, the root.
    pub(crate) directory: FileId,
    /// The names from the root to the entry, links resolved; empty for the root.
    pub(crate) names: Vec<Vec<u8>>,
    /// The file, if there is one.
    pub(crate) file: Option<FileId>,
}

impl Place {
    /// The name of the entry; the root has none.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        self.names.last().map(Vec::as_slice)
    }

    /// The file, which must be there.
    pub(crate) fn existing(&self) -> Result<FileId> {
        self.file.ok_or(Error::NotFound)
    }
}

/// What happens to a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    /// It is the place.
    Link,
    /// The place is where it leads.
    Target,
}

/// Finds the place of a path inside the guest's root.
///
/// The last component may be missing, all others must be there.
pub(crate) fn find(fs: &mut dyn FileSystem, path: &GuestPath, last: Last) -> Result<Place> {
    // The directories from the root to where the walk is, each with its name in the one before.
    let mut above: Vec<(FileId, Vec<u8>)> = vec![(fs.root(), Vec::new())];
    // What is still to walk, the next component at the end.
    let mut rest: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
    let mut links = 0;
    while let Some(name) = rest.pop() {
        let directory = above.last().map_or_else(|| fs.root(), |(file, _)| *file);
        if name == b".." {
            if above.len() > 1 {
                above.pop();
            }
            continue;
        }
        let place = |file| Place {
            directory,
            names: above
                .iter()
                .skip(1)
                .map(|(_, name)| name.clone())
                .chain([name.clone()])
                .collect(),
            file,
        };
        let Some(file) = fs.lookup(directory, &name)? else {
            return if rest.is_empty() {
                Ok(place(None))
            } else {
                Err(Error::NotFound)
            };
        };
        match fs.attributes(file)?.kind {
            Kind::SymbolicLink if !rest.is_empty() || last == Last::Target => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Error::LinkLoop);
                }
                let target = fs.read_link(file)?;
                if target.first() == Some(&b'/') {
                    above.truncate(1);
                }
                let components = target
                    .split(|byte| *byte == b'/')
                    .filter(|component| !matches!(*component, b"" | b"."));
                rest.extend(components.rev().map(<[u8]>::to_vec));
            }
            Kind::Directory => above.push((file, name)),
            _ if rest.is_empty() => return Ok(place(Some(file))),
            _ => return Err(Error::NotDirectory),
        }
    }
    let directory = above
        .len()
        .checked_sub(2)
        .and_then(|place| above.get(place))
        .map_or_else(|| fs.root(), |(file, _)| *file);
    Ok(Place {
        directory,
        file: above.last().map(|(file, _)| *file),
        names: above.into_iter().skip(1).map(|(_, name)| name).collect(),
    })
}

/// Finds a file that must be there, links at the end followed.
pub(crate) fn file(fs: &mut dyn FileSystem, path: &GuestPath) -> Result<FileId> {
    find(fs, path, Last::Target)?.existing()
}
