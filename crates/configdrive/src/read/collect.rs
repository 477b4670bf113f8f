//! Gathering a tree within the limits.

use super::entry::tree_order;
use super::{Corrupt, Entry, Place, Rule, limits};

/// A tree while it is walked.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    pub(crate) entries: Vec<Entry>,
    pub(crate) problems: Vec<Corrupt>,
    path_bytes: u64,
    directory_bytes: u64,
    full: bool,
}

impl Collector {
    /// Remembers what is wrong; after many faults the rest is dropped, but never a fault
    /// that stops the reading when none is there yet.
    pub(crate) fn fault(&mut self, place: Place, rule: Rule) {
        if self.problems.len() < limits::MAX_PROBLEMS {
            self.problems.push(Corrupt::new(place, rule));
        } else if rule.weight() == super::error::Weight::Stops && !self.full {
            self.full = true;
            self.problems.push(Corrupt::new(place, rule));
        }
    }

    /// Takes bytes of directories off the budget; `false` ends the walk.
    pub(crate) fn afford(&mut self, bytes: u64, place: &Place) -> bool {
        self.directory_bytes = self.directory_bytes.saturating_add(bytes);
        if self.directory_bytes > limits::MAX_DIRECTORY_BYTES_IN_TREE {
            self.fault(place.clone(), Rule::TooManyDirectoryBytes);
            return false;
        }
        true
    }

    /// Joins a name to its directory's path; `None` when it cannot be a name.
    pub(crate) fn child_path(
        &mut self,
        directory: &[u8],
        name: &[u8],
        place: &Place,
    ) -> Option<Vec<u8>> {
        if matches!(name, b"" | b"." | b"..") || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
            self.fault(place.clone(), Rule::BadName);
            return None;
        }
        let mut path = directory.to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        if path.len() > limits::MAX_PATH_BYTES {
            self.fault(place.clone(), Rule::TooLongPaths);
            return None;
        }
        Some(path)
    }

    /// Adds an entry; `false` ends the walk.
    pub(crate) fn add(&mut self, entry: Entry, place: &Place) -> bool {
        let length = u64::try_from(entry.path.len()).unwrap_or(u64::MAX);
        self.path_bytes = self.path_bytes.saturating_add(length);
        if self.path_bytes > limits::MAX_PATH_BYTES_IN_TREE {
            self.fault(place.clone(), Rule::TooLongPaths);
            return false;
        }
        if self.entries.len() >= limits::MAX_ENTRIES {
            self.fault(place.clone(), Rule::TooManyEntries);
            return false;
        }
        self.entries.push(entry);
        true
    }

    /// Orders the entries and looks for names that are there twice.
    pub(crate) fn finish(mut self) -> (Vec<Entry>, Vec<Corrupt>) {
        self.entries
            .sort_by(|left, right| tree_order(&left.path, &right.path));
        let twice: Vec<Vec<u8>> = self
            .entries
            .windows(2)
            .filter_map(|pair| match pair {
                [left, right] if left.path == right.path => Some(left.path.clone()),
                _ => None,
            })
            .collect();
        for path in twice {
            let place = Place {
                structure: "directory entry",
                offset: None,
                path: Some(path),
            };
            self.fault(place, Rule::DuplicateName);
        }
        (self.entries, self.problems)
    }
}
