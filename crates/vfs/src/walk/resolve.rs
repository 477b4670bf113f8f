//! From a path to the file that it names.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::filesystem::{FileId, FileSystem, Kind};
use crate::path::{GuestPath, split};

/// How many symbolic links one path goes through at most (Linux `include/linux/namei.h`, `MAXSYMLINKS`).
pub const LINKS_FOLLOWED: usize = 40;

/// What is done with a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastLink {
    /// The path names what the link leads to.
    Followed,
    /// The path names the link.
    Kept,
}

/// A place in the tree: an entry that is there or could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The directory that has or would have the entry; of the root, the root.
    pub directory: FileId,
    /// The names from the root to the entry, links resolved; none for the root.
    pub names: Vec<Vec<u8>>,
    /// The file, if there is one.
    pub file: Option<FileId>,
}

impl Place {
    /// Returns the name of the entry; the root has none.
    pub fn name(&self) -> Option<&[u8]> {
        self.names.last().map(Vec::as_slice)
    }

    /// Returns the file, which must be there.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn existing(&self) -> Result<FileId> {
        self.file.ok_or(Error::NotFound)
    }
}

/// Finds the file that a path names.
///
/// `..` stops at the root, and an absolute link leads from the root, so nothing outside the guest is ever named.
///
/// # Errors
///
/// [`Error::NotFound`], [`Error::NotDirectory`] for what the path goes through, [`Error::LinkLoop`] after 40 links.
pub fn resolve(fs: &mut dyn FileSystem, path: &GuestPath, last: LastLink) -> Result<FileId> {
    let mut walk = Walk::new(fs);
    walk.push(path.components());
    while let Some((name, is_last)) = walk.next() {
        if is_last && last == LastLink::Kept && name != b"." {
            return walk.entry(&name)?.ok_or(Error::NotFound);
        }
        walk.enter(&name)?;
    }
    Ok(walk.at)
}

/// As [`resolve`], with `None` where nothing has the name.
///
/// # Errors
///
/// [`Error::NotDirectory`] and [`Error::LinkLoop`].
pub fn try_resolve(
    fs: &mut dyn FileSystem,
    path: &GuestPath,
    last: LastLink,
) -> Result<Option<FileId>> {
    match resolve(fs, path, last) {
        Ok(file) => Ok(Some(file)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Finds the place that a path names. The last name may be missing, all before it must be there; a link at the end that leads to what is
/// missing names the place where it would be.
///
/// # Errors
///
/// As [`resolve`].
pub fn resolve_place(fs: &mut dyn FileSystem, path: &GuestPath, last: LastLink) -> Result<Place> {
    let mut walk = Walk::new(fs);
    walk.push(path.components());
    while let Some((name, is_last)) = walk.next() {
        if is_last && !matches!(&name[..], b"." | b"..") {
            let file = walk.entry(&name)?;
            let follows = last == LastLink::Followed && walk.is_link(file)?;
            if !follows {
                let mut names = walk.names;
                names.push(name);
                return Ok(Place {
                    directory: walk.at,
                    names,
                    file,
                });
            }
        }
        walk.enter(&name)?;
    }
    Ok(Place {
        directory: walk.above.last().copied().unwrap_or(walk.at),
        names: walk.names,
        file: Some(walk.at),
    })
}

/// One walk along one path.
pub(super) struct Walk<'a> {
    pub(super) fs: &'a mut dyn FileSystem,
    /// Where the walk stands.
    pub(super) at: FileId,
    /// The directories above, the root first.
    above: Vec<FileId>,
    /// The names from the root to where the walk stands: as many as there are directories above.
    names: Vec<Vec<u8>>,
    /// What is still to go.
    rest: VecDeque<Vec<u8>>,
    /// How much of that is from the target of a link.
    from_links: usize,
    /// Whether the component taken last was from the target of a link.
    took_from_link: bool,
    links: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(fs: &'a mut dyn FileSystem) -> Self {
        let at = fs.root();
        Self {
            fs,
            at,
            above: Vec::new(),
            names: Vec::new(),
            rest: VecDeque::new(),
            from_links: 0,
            took_from_link: false,
            links: 0,
        }
    }

    /// Puts components before what is still to go.
    pub(super) fn push<'n>(&mut self, components: impl DoubleEndedIterator<Item = &'n [u8]>) {
        for component in components.rev() {
            self.rest.push_front(component.to_vec());
        }
    }

    /// Takes the next component, and says whether it is the last.
    pub(super) fn next(&mut self) -> Option<(Vec<u8>, bool)> {
        let name = self.rest.pop_front()?;
        self.took_from_link = self.from_links > 0;
        self.from_links = self.from_links.saturating_sub(1);
        Some((name, self.rest.is_empty()))
    }

    /// Whether the component taken last stands in the path itself.
    pub(super) fn is_in_path(&self) -> bool {
        !self.took_from_link
    }

    /// Finds an entry of the directory where the walk stands; `..` is one.
    fn entry(&mut self, name: &[u8]) -> Result<Option<FileId>> {
        if name == b".." {
            // What is no directory has no `..`, and a lookup says so.
            self.fs.lookup(self.at, b".")?;
            return Ok(Some(self.above.last().copied().unwrap_or(self.at)));
        }
        self.fs.lookup(self.at, name)
    }

    /// Goes on to an entry, or to where it leads if it is a link.
    pub(super) fn enter(&mut self, name: &[u8]) -> Result<()> {
        if name == b"." {
            // Only a directory has entries; this one need not be there.
            return self.fs.lookup(self.at, b".").map(|_| ());
        }
        let file = self.entry(name)?.ok_or(Error::NotFound)?;
        if name == b".." {
            self.at = file;
            self.above.pop();
            self.names.pop();
            return Ok(());
        }
        self.enter_file(name, file)
    }

    fn is_link(&mut self, file: Option<FileId>) -> Result<bool> {
        match file {
            Some(file) => Ok(self.fs.attributes(file)?.kind == Kind::SymbolicLink),
            None => Ok(false),
        }
    }

    /// Goes on to a file that stands where the walk does.
    pub(super) fn enter_file(&mut self, name: &[u8], file: FileId) -> Result<()> {
        if !self.is_link(Some(file))? {
            self.above.push(self.at);
            self.names.push(name.to_vec());
            self.at = file;
            return Ok(());
        }
        self.links += 1;
        if self.links > LINKS_FOLLOWED {
            return Err(Error::LinkLoop);
        }
        let target = self.fs.read_link(file)?;
        if target.is_empty() {
            return Err(Error::NotFound);
        }
        if target.first() == Some(&b'/') {
            self.at = self.fs.root();
            self.above.clear();
            self.names.clear();
        }
        let before = self.rest.len();
        // As in Linux, what ends with `/` or `/.` is a directory. `.` leads nowhere, but asks for one.
        if target.ends_with(b"/") || target.ends_with(b"/.") {
            self.rest.push_front(b".".to_vec());
        }
        self.push(split(&target));
        self.from_links += self.rest.len() - before;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::walk::{DirectoryOwner, create_directories};
    use crate::{NewFile, NewKind};

    fn path(text: &str) -> GuestPath {
        GuestPath::new(text).unwrap()
    }

    fn make(fs: &mut Memory, at: &str, kind: NewKind<'_>) -> FileId {
        let place = resolve_place(fs, &path(at), LastLink::Kept).unwrap();
        let new = NewFile {
            kind,
            permissions: 0o644,
            uid: 0,
            gid: 0,
        };
        fs.create(place.directory, place.name().unwrap(), &new)
            .unwrap()
    }

    fn guest() -> Memory {
        let mut fs = Memory::new();
        for directory in ["/usr/lib/os", "/etc"] {
            create_directories(&mut fs, &path(directory), &DirectoryOwner::ROOT).unwrap();
        }
        make(&mut fs, "/usr/lib/os/release", NewKind::File);
        for (at, target) in [
            ("/lib", "usr/lib"),
            ("/etc/release", "../usr/lib/os/release"),
            ("/etc/absolute", "/lib/os"),
            ("/etc/out", "../../../../etc"),
            ("/etc/loop", "loop"),
            ("/etc/dangling", "nothing"),
            ("/etc/slash", "../usr/lib/os/release/"),
            ("/etc/dot", "."),
        ] {
            make(&mut fs, at, NewKind::SymbolicLink(target.as_bytes()));
        }
        fs
    }

    #[test]
    fn links_lead_inside_the_root() {
        let mut fs = guest();
        let mut follow = |text: &str| resolve(&mut fs, &path(text), LastLink::Followed);
        let release = follow("/usr/lib/os/release").unwrap();
        let etc = follow("/etc").unwrap();
        let root = follow("/").unwrap();
        for same in [
            "/lib/os/release",
            "/etc/release",
            "/etc/absolute/release",
            "/etc/out/release",
            "/../../etc/release",
            "/lib/os/../os/release",
            "/etc/dot/dot/release",
        ] {
            assert_eq!(follow(same).unwrap(), release, "{same}");
        }
        assert_eq!(follow("/etc/out").unwrap(), etc);
        assert_eq!(follow("/..").unwrap(), root);
        // `..` leads above what the link leads to, not above the link.
        assert_eq!(follow("/lib/../../etc").unwrap(), etc);
    }

    #[test]
    fn what_leads_nowhere_says_why() {
        let mut fs = guest();
        let mut follow = |text: &str| resolve(&mut fs, &path(text), LastLink::Followed);
        assert!(matches!(follow("/etc/loop"), Err(Error::LinkLoop)));
        assert!(matches!(follow("/etc/dangling"), Err(Error::NotFound)));
        assert!(matches!(follow("/etc/nothing/x"), Err(Error::NotFound)));
        assert!(matches!(follow("/etc/slash"), Err(Error::NotDirectory)));
        for through in ["/etc/release/x", "/etc/release/..", "/etc/release/../x"] {
            assert!(
                matches!(follow(through), Err(Error::NotDirectory)),
                "{through}"
            );
        }
    }

    #[test]
    fn the_last_link_is_kept_when_asked() {
        let mut fs = guest();
        let link = resolve(&mut fs, &path("/etc/loop"), LastLink::Kept).unwrap();
        assert_eq!(fs.read_link(link).unwrap(), b"loop");
        let mut kept = |text: &str| resolve_place(&mut fs, &path(text), LastLink::Kept).unwrap();
        let place = kept("/etc/out/loop");
        assert_eq!(place.file, Some(link));
        assert_eq!(place.names, [b"etc".to_vec(), b"loop".to_vec()]);
        let place = kept("/lib/new");
        assert_eq!(place.file, None);
        assert_eq!(place.names.concat(), b"usrlibnew");
        for none in ["/", "/etc/.."] {
            assert_eq!(kept(none).name(), None);
        }
        assert_eq!(
            try_resolve(&mut fs, &path("/nothing"), LastLink::Kept).unwrap(),
            None
        );
    }

    #[test]
    fn the_place_of_a_link_is_where_it_leads() {
        let mut fs = guest();
        let mut place = |text: &str| resolve_place(&mut fs, &path(text), LastLink::Followed);
        let etc = place("/etc").unwrap();
        assert_eq!(place("/etc/dot/out").unwrap(), etc);
        let dangling = place("/etc/dangling").unwrap();
        assert_eq!(dangling.directory, etc.file.unwrap());
        assert_eq!(dangling.names, [b"etc".to_vec(), b"nothing".to_vec()]);
        assert_eq!(dangling.file, None);
        assert!(matches!(dangling.existing(), Err(Error::NotFound)));
        assert!(matches!(place("/etc/slash"), Err(Error::NotDirectory)));
        assert!(matches!(place("/etc/loop"), Err(Error::LinkLoop)));
        assert!(matches!(place("/etc/nothing/x"), Err(Error::NotFound)));
    }

    #[test]
    fn forty_links_are_followed_and_no_more() {
        let mut fs = Memory::new();
        let end = make(&mut fs, "/0", NewKind::File);
        for number in 1..=41 {
            let target = (number - 1).to_string();
            let at = format!("/{number}");
            make(&mut fs, &at, NewKind::SymbolicLink(target.as_bytes()));
        }
        let found = resolve(&mut fs, &path("/40"), LastLink::Followed).unwrap();
        assert_eq!(found, end);
        assert!(matches!(
            resolve(&mut fs, &path("/41"), LastLink::Followed),
            Err(Error::LinkLoop)
        ));
    }
}
