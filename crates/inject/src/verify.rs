//! Proof after the fact: what was meant, held against what another reader finds.
//!
//! The reader is `christen-witness`, which shares nothing with what wrote. A place of which it cannot tell is told as not verified; nothing is
//! ever taken for right because nobody looked.

use christen_vfs::{GuestPath, Kind};
use christen_witness::{self as witness, Reader, Seen, Witness};

use crate::{Change, Item, State};

/// What is said of one place.
#[derive(Debug)]
pub struct Verdict {
    /// The place.
    pub path: GuestPath,
    /// What it was looked after for.
    pub items: Vec<Item>,
    /// What was found.
    pub outcome: Outcome,
}

/// What was found at a place.
#[derive(Debug)]
pub enum Outcome {
    /// It is as it was meant; these read it.
    Verified(Vec<Reader>),
    /// It is another.
    Differs {
        /// In what.
        aspect: &'static str,
        /// Who read it.
        reader: Reader,
    },
    /// Nobody but the writer could read it.
    NotVerified(NotVerified),
}

/// Why a place is not verified.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    /// No second reader knows the filesystem of the place.
    #[error("no second reader knows its filesystem")]
    NoReader,
    /// The attribute is kept in another form than the one that was given.
    #[error("no second reader knows access control lists")]
    AccessControlList,
    /// The attribute is read by nobody else.
    #[error("no second reader knows its extended attributes")]
    Attributes,
    /// The kernel cannot read it.
    #[error("the kernel cannot read it")]
    Kernel(#[source] std::io::Error),
    /// The second reader cannot read it.
    #[error("the second reader cannot read it")]
    Unreadable(#[source] witness::Error),
}

impl Verdict {
    /// Whether it is as it was meant.
    pub fn is_verified(&self) -> bool {
        matches!(self.outcome, Outcome::Verified(_))
    }
}

/// Where a place is read.
pub struct Seat<'a> {
    /// The reader of the filesystem that holds it.
    pub witness: &'a mut Witness,
    /// The names from that filesystem's top to it.
    pub names: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Seat<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Seat").finish_non_exhaustive()
    }
}

/// Gives, for a place, the reader of the filesystem that holds it; `None` if there is none.
pub trait Seats {
    /// Returns where a place is read.
    fn seat(&mut self, path: &GuestPath) -> Option<Seat<'_>>;
}

/// Looks at every place of an injection: those that it changed, and those that it found to be right.
pub fn verify(changes: &[Change], seats: &mut dyn Seats) -> Vec<Verdict> {
    let verdict = |change: &Change| Verdict {
        path: change.path.clone(),
        items: change.items.clone(),
        outcome: match seats.seat(&change.path) {
            Some(mut seat) => look(change.after.as_ref(), &mut seat)
                .unwrap_or_else(|error| Outcome::NotVerified(NotVerified::Unreadable(error))),
            None => Outcome::NotVerified(NotVerified::NoReader),
        },
    };
    changes.iter().map(verdict).collect()
}

fn look(meant: Option<&State>, seat: &mut Seat<'_>) -> witness::Result<Outcome> {
    let names: Vec<_> = seat.names.iter().map(Vec::as_slice).collect();
    let size = meant.and_then(|it| Some(it.content.as_ref()?.size));
    let seen = seat.witness.look(&names, size)?;
    // Both readers go through the same directories, so the one that was asked first has seen that there is nothing.
    let mut readers = match hold(meant, seen.as_ref(), seat.witness.first_reader()) {
        Outcome::Verified(readers) => readers,
        other => return Ok(other),
    };
    for (name, value) in meant.iter().flat_map(|it| &it.attributes) {
        if name.starts_with(b"system.") {
            return Ok(Outcome::NotVerified(NotVerified::AccessControlList));
        }
        if seat.witness.attribute(&names, name)? != *value {
            return Ok(Outcome::Differs {
                aspect: "an extended attribute is another",
                reader: Reader::Plain,
            });
        }
        if !readers.contains(&Reader::Plain) {
            readers.push(Reader::Plain);
        }
    }
    Ok(Outcome::Verified(readers))
}

/// Holds what was meant against what was seen, but for extended attributes; `reader` is who has seen that nothing is there.
pub fn hold(meant: Option<&State>, seen: Option<&Seen>, reader: Reader) -> Outcome {
    let aspect = match (meant, seen) {
        (Some(meant), Some(seen)) => difference(meant, seen),
        (None, None) => None,
        (Some(_), None) => Some("it is not there"),
        (None, Some(_)) => Some("it is still there"),
    };
    let reader = seen.map_or(reader, |it| it.reader);
    match aspect {
        Some(aspect) => Outcome::Differs { aspect, reader },
        None => Outcome::Verified(vec![reader]),
    }
}

fn difference(meant: &State, seen: &Seen) -> Option<&'static str> {
    let kind = match meant.kind {
        Kind::File => witness::Kind::File,
        Kind::Directory => witness::Kind::Directory,
        Kind::SymbolicLink => witness::Kind::SymbolicLink,
        _ => witness::Kind::Special,
    };
    if seen.kind != kind {
        return Some("its kind is another");
    }
    if seen.permissions != meant.permissions {
        return Some("its permission bits are others");
    }
    if (seen.uid, seen.gid) != (meant.uid, meant.gid) {
        return Some("its owner is another");
    }
    if let Some(content) = &meant.content {
        if seen.size != content.size {
            return Some("its size is another");
        }
        if seen.hash.as_ref() != Some(content.hash.bytes()) {
            return Some("its content is another");
        }
    }
    (seen.target != meant.target).then_some("its target is another")
}
