//! The same operations done to a backend and to the model.

use std::fmt;

use super::operation::find;
use crate::error::{Error, Result};
use crate::filesystem::{FileSystem, Timestamp};
use crate::memory::Memory;
use crate::model::Operation;
use crate::tree::{Aspects, Tree, TreeOptions, differences};
use crate::{Attributes, GuestPath};

/// How many differences a message shows.
const SHOWN: usize = 8;

/// How a replay compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayOptions {
    /// After how many operations the trees are compared; they are at the end in any case.
    pub compare_every: usize,
    /// What of the trees is.
    pub aspects: Aspects,
    /// The largest file that is compared, in bytes.
    pub content_bytes: u64,
}

impl ReplayOptions {
    /// Everything, after every 50 operations.
    pub const ALL: Self = Self {
        compare_every: 50,
        aspects: Aspects::ALL,
        content_bytes: 64 << 20,
    };
}

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Operations that both did.
    pub done: usize,
    /// Operations that both refused for the same reason.
    pub refused: usize,
    /// Operations that the backend had no space for.
    pub full: usize,
}

/// Where a backend and the model differ.
#[derive(Debug, Clone)]
pub struct Mismatch {
    /// How many operations came before.
    pub step: usize,
    /// The operation, unless the trees were compared.
    pub operation: Option<Operation>,
    /// How they differ.
    pub how: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.operation {
            Some(operation) => write!(
                formatter,
                "operation {} {operation:?}: {}",
                self.step, self.how
            ),
            None => write!(
                formatter,
                "the trees after {} operations: {}",
                self.step, self.how
            ),
        }
    }
}

/// Returns the moment of an operation of a sequence.
pub fn moment(step: usize) -> Timestamp {
    Timestamp {
        seconds: 1_600_000_000 + step as i64,
        nanoseconds: (step as u32).wrapping_mul(7_654_321) % 1_000_000_000,
    }
}

/// Does operations to a backend and to its copy in memory, and compares what comes of each, and the trees.
///
/// What the backend has no space for is not done to the model: how much room a format needs is its own affair.
///
/// # Errors
///
/// Where the two differ.
pub fn replay(
    operations: &[Operation],
    fs: &mut dyn FileSystem,
    model: &mut Memory,
    options: &ReplayOptions,
) -> std::result::Result<Replayed, Mismatch> {
    let mut replayed = Replayed::default();
    for (step, operation) in operations.iter().enumerate() {
        let mismatch = |how: String| Mismatch {
            step,
            operation: Some(operation.clone()),
            how,
        };
        fs.set_now(moment(step));
        model.set_now(moment(step));
        let outcome = operation.apply(fs);
        if is_full(&outcome) {
            replayed.full += 1;
        } else {
            let expected = operation.apply(model);
            if sort(&outcome) != sort(&expected) {
                return Err(mismatch(format!(
                    "the backend says {outcome:?}, the model {expected:?}"
                )));
            }
            match outcome {
                Ok(()) => replayed.done += 1,
                Err(_) => replayed.refused += 1,
            }
        }
        for path in operation.paths() {
            for path in [Some(path.clone()), path.parent()].into_iter().flatten() {
                let found = seen(fs, &path, &options.aspects);
                let expected = seen(model, &path, &options.aspects);
                if found != expected {
                    return Err(mismatch(format!(
                        "`{path}` is {found:?} in the backend, {expected:?} in the model"
                    )));
                }
            }
        }
        if (step + 1) % options.compare_every.max(1) == 0 {
            compare(step + 1, fs, model, options)?;
        }
    }
    compare(operations.len(), fs, model, options)?;
    Ok(replayed)
}

fn is_full(outcome: &Result<()>) -> bool {
    matches!(
        outcome,
        Err(Error::NoSpace | Error::NoInodes | Error::NoAttributeSpace)
    )
}

/// Returns which error it is, without what caused it.
fn sort(outcome: &Result<()>) -> Option<std::mem::Discriminant<Error>> {
    outcome.as_ref().err().map(std::mem::discriminant)
}

/// Returns what is to be the same of one file.
fn seen(fs: &mut dyn FileSystem, path: &GuestPath, aspects: &Aspects) -> Option<Attributes> {
    let file = find(fs, path).ok()?;
    let mut attributes = fs.attributes(file).ok()?;
    attributes.allocated = 0;
    if attributes.kind == crate::Kind::Directory {
        attributes.size = 0;
        if !aspects.directory_links {
            attributes.links = 0;
        }
    }
    if !aspects.owners {
        attributes.permissions = 0;
        attributes.uid = 0;
        attributes.gid = 0;
    }
    if !aspects.links {
        attributes.links = 0;
    }
    for (time, compared) in [
        (&mut attributes.accessed, aspects.accessed),
        (&mut attributes.modified, aspects.modified),
        (&mut attributes.changed, aspects.changed),
    ] {
        if !compared {
            *time = Timestamp::default();
        }
    }
    if !aspects.created {
        attributes.created = None;
    }
    Some(attributes)
}

fn compare(
    step: usize,
    fs: &mut dyn FileSystem,
    model: &mut Memory,
    options: &ReplayOptions,
) -> std::result::Result<(), Mismatch> {
    let mismatch = |how: String| Mismatch {
        step,
        operation: None,
        how,
    };
    let read = |fs: &mut dyn FileSystem| {
        let root = fs.root();
        let tree_options = TreeOptions {
            content_bytes: options.content_bytes,
        };
        Tree::read(fs, root, &tree_options)
    };
    let found = read(fs).map_err(|error| mismatch(format!("the backend's: {error:?}")))?;
    let expected = read(model).map_err(|error| mismatch(format!("the model's: {error:?}")))?;
    let all = differences(&found, &expected, &options.aspects);
    if all.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    Err(mismatch(format!(
        "{} differences, backend first:\n    {}",
        all.len(),
        shown.join("\n    ")
    )))
}
