//! What is to be done to the directory so that it becomes what is staged.
//!
//! The order makes every path mean one thing: first single files are replaced where they are, in the old tree; then what leaves its
//! place is taken into the journal, the deepest first; then what arrives is placed from the journal, the highest first; then
//! attributes are settled, in the new tree. Undone in the other order, every path means the same again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use christen_vfs::{Attributes, FileId, FileSystem, Kind};

use crate::directory::{Content, HostDirectory};
use crate::error::{Error, Result, guest_path};
use crate::manifest::Slot;

type Path = Vec<Vec<u8>>;

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) directory: FileId,
    /// The directory's path: in the old tree for what is replaced and taken, in the new one for what is placed.
    pub(crate) path: Path,
    pub(crate) name: Vec<u8>,
}

/// What a slot of `new` is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filling {
    /// A file that is made.
    Made(FileId),
    /// Another name of what is in another slot.
    Again(u64),
    /// Another name of a file that is there.
    Below(FileId),
}

#[derive(Debug)]
pub(crate) struct Replace {
    pub(crate) site: Site,
    /// What is there.
    pub(crate) file: FileId,
    pub(crate) new: u64,
    pub(crate) old: u64,
}

#[derive(Debug)]
pub(crate) struct Take {
    pub(crate) site: Site,
    pub(crate) file: FileId,
    pub(crate) old: u64,
}

#[derive(Debug)]
pub(crate) struct PlaceAt {
    pub(crate) site: Site,
    pub(crate) file: FileId,
    pub(crate) slot: Slot,
}

/// Attributes that a file is to have, besides those that it was made with.
#[derive(Debug)]
pub(crate) struct Settle {
    pub(crate) path: Path,
    pub(crate) file: FileId,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// What each slot of `new` is filled with, by its number.
    pub(crate) fillings: Vec<Filling>,
    pub(crate) replaces: Vec<Replace>,
    pub(crate) takes: Vec<Take>,
    pub(crate) places: Vec<PlaceAt>,
    pub(crate) settles: Vec<Settle>,
    /// Files that were there, whose attributes may have to be restored.
    pub(crate) restored: BTreeSet<FileId>,
}

impl Plan {
    pub(crate) fn is_empty(&self) -> bool {
        self.replaces.is_empty()
            && self.takes.is_empty()
            && self.places.is_empty()
            && self.settles.is_empty()
    }
}

/// What became of the names of one file.
#[derive(Debug, Default)]
struct Names {
    kept: Vec<Site>,
    gone: Vec<Site>,
    come: Vec<Site>,
}

#[derive(Debug)]
struct Planner<'d> {
    directory: &'d mut HostDirectory,
    /// The paths of the directories of the new tree whose entries are known.
    paths: BTreeMap<FileId, Path>,
    names: BTreeMap<FileId, Names>,
    plan: Plan,
    old_slots: u64,
}

pub(crate) fn plan(directory: &mut HostDirectory) -> Result<Plan> {
    let mut planner = Planner {
        directory,
        paths: BTreeMap::new(),
        names: BTreeMap::new(),
        plan: Plan::default(),
        old_slots: 0,
    };
    planner.find_paths()?;
    planner.compare_names()?;
    planner.move_files()?;
    planner.settle()?;
    let mut plan = planner.plan;
    plan.takes
        .sort_by_key(|it| (Reverse(it.site.path.len()), it.old));
    plan.places.sort_by_key(|it| it.site.path.len());
    Ok(plan)
}

impl Planner<'_> {
    /// Whether a file is to be made anew.
    fn is_fresh(&self, file: FileId) -> bool {
        match self.directory.origins.get(&file) {
            Some(origin) => origin.content == Content::Changed,
            None => true,
        }
    }

    fn is_known(&self, directory: FileId) -> bool {
        match self.directory.origins.get(&directory) {
            Some(origin) => origin.entries.is_some(),
            None => true,
        }
    }

    fn find_paths(&mut self) -> Result<()> {
        let mut left = vec![(self.directory.memory.root(), Path::new())];
        while let Some((at, path)) = left.pop() {
            if !self.is_known(at) {
                continue;
            }
            for entry in self.directory.memory.entries(at)? {
                if self.directory.memory.attributes(entry.file)?.kind == Kind::Directory {
                    let mut below = path.clone();
                    below.push(entry.name);
                    left.push((entry.file, below));
                }
            }
            self.paths.insert(at, path);
        }
        Ok(())
    }

    fn compare_names(&mut self) -> Result<()> {
        let origins = &self.directory.origins;
        let before: Vec<_> = origins
            .iter()
            .filter_map(|(id, origin)| {
                let entries = origin.entries.clone()?;
                Some((*id, origin.path.clone(), entries))
            })
            .collect();
        for (id, old_path, entries) in before {
            let now = self.entries_now(id)?;
            for (name, file) in &entries {
                let site = Site {
                    directory: id,
                    path: old_path.clone(),
                    name: name.clone(),
                };
                let names = self.names.entry(*file).or_default();
                if now.get(name) == Some(file) {
                    names.kept.push(site);
                } else {
                    names.gone.push(site);
                }
            }
            self.note_arrivals(id, &now, &entries);
        }
        let made: Vec<_> = self.paths.keys().copied().collect();
        for id in made {
            if !self.directory.origins.contains_key(&id) {
                let now = self.entries_now(id)?;
                self.note_arrivals(id, &now, &BTreeMap::new());
            }
        }
        Ok(())
    }

    /// Returns the entries of a directory in the new tree; one that is not in it has none.
    fn entries_now(&mut self, directory: FileId) -> Result<BTreeMap<Vec<u8>, FileId>> {
        if !self.paths.contains_key(&directory) {
            return Ok(BTreeMap::new());
        }
        let entries = self.directory.memory.entries(directory)?;
        Ok(entries.into_iter().map(|it| (it.name, it.file)).collect())
    }

    fn note_arrivals(
        &mut self,
        directory: FileId,
        now: &BTreeMap<Vec<u8>, FileId>,
        before: &BTreeMap<Vec<u8>, FileId>,
    ) {
        let Some(path) = self.paths.get(&directory) else {
            return;
        };
        for (name, file) in now {
            if before.get(name) != Some(file) {
                let site = Site {
                    directory,
                    path: path.clone(),
                    name: name.clone(),
                };
                self.names.entry(*file).or_default().come.push(site);
            }
        }
    }

    fn move_files(&mut self) -> Result<()> {
        // What leaves a place for good, by the place: it can be replaced by what arrives there.
        let mut gone = BTreeMap::new();
        let mut come = Vec::new();
        for (file, names) in std::mem::take(&mut self.names) {
            let is_fresh = self.is_fresh(file);
            let stays = !names.kept.is_empty() || !names.come.is_empty();
            if is_fresh && stays {
                self.check_names(file, &names)?;
                let slot = self.fill(Filling::Made(file));
                let mut next = Some(slot);
                let mut uses = Vec::new();
                for _ in 0..names.kept.len() + names.come.len() {
                    let used = next.take();
                    uses.push(used.unwrap_or_else(|| self.fill(Filling::Again(slot))));
                }
                let (kept, come_slots) = uses.split_at(names.kept.len());
                for (site, new) in names.kept.into_iter().zip(kept) {
                    self.replace(site, file, *new);
                }
                for (site, new) in names.come.into_iter().zip(come_slots) {
                    come.push((site, file, Slot::New(*new)));
                }
                for site in names.gone {
                    gone.insert((site.directory, site.name.clone()), (site, file));
                }
                continue;
            }
            let mut left = names.gone.into_iter();
            for site in names.come {
                let slot = match left.next() {
                    Some(from) => Slot::Old(self.take(from, file)),
                    None => Slot::New(self.fill(Filling::Below(file))),
                };
                come.push((site, file, slot));
            }
            for site in left {
                gone.insert((site.directory, site.name.clone()), (site, file));
            }
        }
        for (site, file, slot) in come {
            let key = (site.directory, site.name.clone());
            let leaves = gone.get(&key).map(|(_, leaving)| *leaving);
            if let (Slot::New(new), Some(leaving)) = (slot, leaves)
                && !self.is_directory(leaving)
                && !self.is_directory(file)
                && let Some((site, leaving)) = gone.remove(&key)
            {
                self.replace(site, leaving, new);
                continue;
            }
            self.plan.places.push(PlaceAt { site, file, slot });
        }
        for (site, file) in gone.into_values() {
            // What is in a directory that goes leaves with it.
            if self.paths.contains_key(&site.directory) {
                self.take(site, file);
            }
        }
        Ok(())
    }

    fn is_directory(&self, file: FileId) -> bool {
        match self.directory.origins.get(&file) {
            Some(origin) => origin.seen.attributes.kind == Kind::Directory,
            None => self.paths.contains_key(&file),
        }
    }

    /// New content for a file with several names goes to all of them, so all must be known.
    fn check_names(&self, file: FileId, names: &Names) -> Result<()> {
        let Some(origin) = self.directory.origins.get(&file) else {
            return Ok(());
        };
        let known = names.kept.len() + names.gone.len();
        let links = origin.seen.attributes.links;
        if u64::from(links) > known as u64 {
            return Err(Error::OtherNames {
                path: guest_path(&origin.path),
                links,
            });
        }
        Ok(())
    }

    fn fill(&mut self, filling: Filling) -> u64 {
        self.plan.fillings.push(filling);
        self.plan.fillings.len() as u64 - 1
    }

    fn old_slot(&mut self) -> u64 {
        self.old_slots += 1;
        self.old_slots
    }

    fn replace(&mut self, site: Site, file: FileId, new: u64) {
        let old = self.old_slot();
        self.plan.replaces.push(Replace {
            site,
            file,
            new,
            old,
        });
    }

    fn take(&mut self, site: Site, file: FileId) -> u64 {
        let old = self.old_slot();
        self.plan.takes.push(Take { site, file, old });
        old
    }

    /// Finds whose attributes are to be set: those that differ, and the times of every directory that is touched.
    fn settle(&mut self) -> Result<()> {
        let mut touched = BTreeSet::new();
        let plan = &self.plan;
        let sites = plan.replaces.iter().map(|it| &it.site);
        let sites = sites.chain(plan.takes.iter().map(|it| &it.site));
        let sites = sites.chain(plan.places.iter().map(|it| &it.site));
        for site in sites {
            touched.insert(site.directory);
        }
        // A directory that moves has another one above it, which a filesystem may note in it.
        for place in &plan.places {
            if self.is_directory(place.file) {
                touched.insert(place.file);
            }
        }
        let mut seen = BTreeSet::new();
        let top = self.directory.memory.root();
        let mut files = vec![(top, Path::new())];
        for (id, path) in self.paths.clone() {
            for entry in self.directory.memory.entries(id)? {
                let mut below = path.clone();
                below.push(entry.name);
                files.push((entry.file, below));
            }
        }
        for (file, path) in files {
            if !seen.insert(file) {
                continue;
            }
            let is_fresh_file = self.is_fresh(file) && !self.paths.contains_key(&file);
            if is_fresh_file || !(touched.contains(&file) || self.differs(file)?) {
                continue;
            }
            self.plan.settles.push(Settle { path, file });
            touched.insert(file);
        }
        let origins = &self.directory.origins;
        self.plan.restored = touched
            .into_iter()
            .filter(|file| origins.contains_key(file))
            .collect();
        Ok(())
    }

    fn differs(&mut self, file: FileId) -> Result<bool> {
        let now = self.directory.memory.attributes(file)?;
        let Some(origin) = self.directory.origins.get(&file) else {
            return Ok(true);
        };
        let before = self.directory.to_guest(&origin.seen);
        if kept_attributes(&now) != kept_attributes(&before) {
            return Ok(true);
        }
        match origin.attributes.clone() {
            Some(attributes) => Ok(attributes != extended(self.directory, file)?),
            None => Ok(false),
        }
    }
}

fn kept_attributes(it: &Attributes) -> impl PartialEq + use<> {
    (it.permissions, it.uid, it.gid, it.accessed, it.modified)
}

/// Returns the extended attributes that a file is to have.
pub(crate) fn extended(
    directory: &mut HostDirectory,
    file: FileId,
) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut attributes = BTreeMap::new();
    for name in directory.memory.attribute_names(file)? {
        if let Some(value) = directory.memory.attribute(file, &name)? {
            attributes.insert(name, value);
        }
    }
    Ok(attributes)
}
