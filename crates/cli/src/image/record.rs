//! What an edit asked for, and whether it is there.

use std::collections::{BTreeMap, HashMap};

use christen_vfs::{Attributes, Error, FileId, FileSystem, GuestPath, Kind, Result};

use super::checksum::Checksum;

type Names = Vec<Vec<u8>>;

/// What was asked of one file.
#[derive(Debug, Clone, Default)]
struct Asked {
    permissions: Option<u16>,
    owner: Option<(u32, u32)>,
    size: Option<u64>,
    content: Option<Checksum>,
    target: Option<Vec<u8>>,
    attributes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

/// What an edit touched and asked for.
///
/// Places are kept by the names from the root, links resolved, and follow the moves of what is above them; files are kept
/// by their identity, so that what is asked of one name is asked of all names of the file.
#[derive(Debug, Default)]
pub(crate) struct Record {
    places: BTreeMap<Names, Option<Entry>>,
    files: HashMap<FileId, Asked>,
}

/// What has a place now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    file: FileId,
    /// It was not at this place before the edit.
    is_new: bool,
}

/// What the filesystem that wrote holds to be there.
#[derive(Debug)]
pub(crate) struct Written(HashMap<FileId, Attributes>);

/// A place that was touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) path: GuestPath,
    /// What is there was there before the edit too.
    pub(crate) stays: bool,
}

impl Record {
    fn asked(&mut self, file: FileId) -> &mut Asked {
        self.files.entry(file).or_default()
    }

    /// A file was found at a place, and is about to be changed.
    pub(super) fn found(&mut self, names: &[Vec<u8>], file: FileId) {
        let entry = self.places.entry(names.to_vec()).or_insert(None);
        let is_new = entry.is_some_and(|it| it.file == file && it.is_new);
        *entry = Some(Entry { file, is_new });
    }

    /// A file was made. Its identity may be one that was free again.
    pub(super) fn made(&mut self, names: &[Vec<u8>], file: FileId) {
        self.files.remove(&file);
        self.came(names, file);
    }

    /// A file got a name at a place.
    pub(super) fn came(&mut self, names: &[Vec<u8>], file: FileId) {
        let entry = Entry { file, is_new: true };
        self.places.insert(names.to_vec(), Some(entry));
    }

    pub(super) fn permissions(&mut self, file: FileId, permissions: u16) {
        self.asked(file).permissions = Some(permissions);
    }

    /// An owner takes set-user-ID and capabilities away.
    pub(super) fn owner(&mut self, file: FileId, uid: u32, gid: u32) {
        let asked = self.asked(file);
        asked.owner = Some((uid, gid));
        asked.permissions = None;
        asked.attributes.remove(&b"security.capability"[..]);
    }

    pub(super) fn content(&mut self, file: FileId, checksum: Checksum) {
        let asked = self.asked(file);
        asked.size = Some(checksum.end());
        asked.content = Some(checksum);
    }

    pub(super) fn known_content(&self, file: FileId) -> Option<Checksum> {
        self.files.get(&file)?.content
    }

    pub(super) fn size(&mut self, file: FileId, size: u64) {
        let asked = self.asked(file);
        asked.size = Some(size);
        asked.content = asked.content.filter(|content| content.end() <= size);
    }

    pub(super) fn target(&mut self, file: FileId, target: &[u8]) {
        self.asked(file).target = Some(target.to_vec());
    }

    /// An attribute was set or removed. An access control list comes back in another form, and has to do with the permission bits.
    pub(super) fn attribute(&mut self, file: FileId, name: &[u8], value: Option<&[u8]>) {
        let asked = self.asked(file);
        if name.starts_with(b"system.") {
            asked.permissions = None;
        } else {
            let value = value.map(<[u8]>::to_vec);
            asked.attributes.insert(name.to_vec(), value);
        }
    }

    /// An entry was removed, with all that was below it.
    pub(super) fn removed(&mut self, names: &[Vec<u8>], file: FileId) {
        self.take_below(names);
        self.forget(file);
        self.places.insert(names.to_vec(), None);
    }

    /// A name of a file was removed that no place is kept for. If it was the last one, the identity may come again.
    pub(super) fn forget(&mut self, file: FileId) {
        let has_place = |it: &Option<Entry>| it.is_some_and(|it| it.file == file);
        if self.files.contains_key(&file) && !self.places.values().any(has_place) {
            self.files.remove(&file);
        }
    }

    /// An entry was moved, with all that was below it, and took the place of another file perhaps.
    pub(super) fn moved(&mut self, from: &[Vec<u8>], to: &[Vec<u8>], replaced: Option<FileId>) {
        self.take_below(to);
        let below = self.take_below(from);
        if let Some(replaced) = replaced {
            self.forget(replaced);
        }
        for (names, entry) in below {
            let new = to.iter().chain(&names[from.len()..]).cloned().collect();
            let entry = entry.map(|it| Entry { is_new: true, ..it });
            self.places.insert(new, entry);
        }
        self.places.insert(from.to_vec(), None);
    }

    /// Takes out a place and all that are below it.
    fn take_below(&mut self, names: &[Vec<u8>]) -> Vec<(Names, Option<Entry>)> {
        let below: Vec<_> = self
            .places
            .range(names.to_vec()..)
            .take_while(|(place, _)| place.starts_with(names))
            .map(|(place, _)| place.clone())
            .collect();
        below
            .into_iter()
            .filter_map(|place| self.places.remove_entry(&place))
            .collect()
    }

    /// Returns the places that were touched, sorted.
    pub(crate) fn places(&self) -> impl Iterator<Item = Touched> {
        self.places.iter().map(|(names, entry)| Touched {
            path: path(names),
            stays: entry.is_some_and(|it| !it.is_new),
        })
    }

    /// Asks the filesystem that wrote what it holds to be at the places that were touched.
    ///
    /// # Errors
    ///
    /// A failure of the filesystem.
    pub(crate) fn written(
        &self,
        fs: &mut dyn FileSystem,
    ) -> std::result::Result<Written, NotThere> {
        let mut written = HashMap::new();
        for (names, entry) in &self.places {
            let Some(Entry { file, .. }) = entry else {
                continue;
            };
            let attributes = fs.attributes(*file).map_err(|source| NotThere::Failed {
                path: path(names).to_string(),
                source,
            })?;
            written.insert(*file, attributes);
        }
        Ok(Written(written))
    }

    /// Compares what was asked with what a fresh look at the same bytes finds, and with what the filesystem that wrote them
    /// holds to be there.
    ///
    /// # Errors
    ///
    /// A place and what is wrong with it, or a failure of the filesystem.
    pub(crate) fn check(
        &self,
        written: &Written,
        fresh: &mut dyn FileSystem,
    ) -> std::result::Result<Checked, NotThere> {
        let mut checked = Checked::default();
        for (names, entry) in &self.places {
            let file = &entry.map(|it| it.file);
            let wrong = |what| NotThere::Differs {
                path: path(names).to_string(),
                what,
            };
            let failed = |source| NotThere::Failed {
                path: path(names).to_string(),
                source,
            };
            let found = find(fresh, names).map_err(failed)?;
            let (Some(file), Some(found)) = (file, found) else {
                match (file, found) {
                    (None, None) => checked.entries += 1,
                    (Some(_), _) => return Err(wrong("it is missing")),
                    (None, Some(_)) => return Err(wrong("it is still there")),
                }
                continue;
            };
            let attributes = fresh.attributes(found).map_err(failed)?;
            if let Some(expected) = written.0.get(file)
                && let Some(what) = difference(expected, &attributes)
            {
                return Err(wrong(what));
            }
            if let Some(asked) = self.files.get(file)
                && let Some(what) =
                    compare(asked, fresh, found, &attributes, &mut checked).map_err(failed)?
            {
                return Err(wrong(what));
            }
            checked.entries += 1;
        }
        Ok(checked)
    }
}

/// What was found to be as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Checked {
    /// Entries that were looked for.
    pub(crate) entries: u64,
    /// Bytes of content that were read.
    pub(crate) bytes: u64,
}

/// Something that was written is not there when it is read back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotThere {
    /// It is not as it was asked for.
    #[error("`{path}`: {what}")]
    Differs { path: String, what: &'static str },
    /// It cannot be read.
    #[error("`{path}` cannot be read back")]
    Failed { path: String, source: Error },
}

fn path(names: &[Vec<u8>]) -> GuestPath {
    names
        .iter()
        .fold(GuestPath::root(), |path, name| path.join(name))
}

/// Goes down the names, none of which is a link.
fn find(fs: &mut dyn FileSystem, names: &[Vec<u8>]) -> Result<Option<FileId>> {
    let mut file = fs.root();
    for name in names {
        match fs.lookup(file, name) {
            Ok(Some(found)) => file = found,
            // What is above it may have been removed or replaced later.
            Ok(None) | Err(Error::NotDirectory) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(file))
}

/// What the filesystem that wrote holds to be there, and what is read.
fn difference(written: &Attributes, read: &Attributes) -> Option<&'static str> {
    if written.kind != read.kind {
        return Some("its kind is another");
    }
    if written.permissions != read.permissions {
        return Some("its permission bits are others");
    }
    if (written.uid, written.gid) != (read.uid, read.gid) {
        return Some("its owner is another");
    }
    if written.size != read.size {
        return Some("its size is another");
    }
    if written.links != read.links {
        return Some("it has another number of links");
    }
    // How much room it takes is not compared: filesystems of Linux settle that when they write.
    let times = |it: &Attributes| (it.accessed, it.modified, it.changed, it.created);
    (times(written) != times(read)).then_some("its times are others")
}

/// What was asked for, and what is read.
fn compare(
    asked: &Asked,
    fs: &mut dyn FileSystem,
    file: FileId,
    attributes: &Attributes,
    checked: &mut Checked,
) -> Result<Option<&'static str>> {
    if asked
        .permissions
        .is_some_and(|it| it != attributes.permissions)
    {
        return Ok(Some(
            "its permission bits are not those that were asked for",
        ));
    }
    if asked
        .owner
        .is_some_and(|it| it != (attributes.uid, attributes.gid))
    {
        return Ok(Some("its owner is not the one that was asked for"));
    }
    if asked.size.is_some_and(|it| it != attributes.size) {
        return Ok(Some("its size is not the one that was asked for"));
    }
    if let Some(content) = &asked.content {
        let read = content.read_again(fs, file)?;
        checked.bytes += read.length;
        if read != *content {
            return Ok(Some("its content is not what was written"));
        }
    }
    if let Some(target) = &asked.target
        && (attributes.kind != Kind::SymbolicLink || fs.read_link(file)? != *target)
    {
        return Ok(Some("it does not lead where it was asked to"));
    }
    for (name, value) in &asked.attributes {
        if fs.attribute(file, name)? != *value {
            return Ok(Some(
                "an extended attribute is not the one that was asked for",
            ));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
