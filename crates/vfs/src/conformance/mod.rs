//! What every backend must do: small cases, each with a name.
//!
//! The suite stands in the library, not in its tests, because backends in other crates run it, and behind no feature, because it
//! needs nothing that the library does not have, and what nobody calls is not linked.
//!
//! It shows that a backend does what the trait says, one rule at a time; that many operations together leave a tree and a
//! filesystem whole is for [`model`](crate::model) and for the format's own judges.

mod attributes;
mod content;
mod links;
mod names;
mod owners;
mod renames;
mod times;

use std::fmt;

use crate::error::Error;
use crate::filesystem::{FileId, FileSystem, NewFile, NewKind, Timestamp};

/// What a backend can do besides what its [`Limits`](crate::Limits) say. A case that needs more is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Devices, pipes and sockets.
    pub special_files: bool,
    /// Access control lists.
    pub access_lists: bool,
    /// Names of any bytes, which differ if their case does.
    pub byte_names: bool,
    /// Files with holes.
    pub holes: bool,
    /// Times that are set by what changes a file, to the moment of [`FileSystem::set_now`].
    pub stamps: bool,
}

impl Capabilities {
    /// All of them.
    pub const ALL: Self = Self {
        special_files: true,
        access_lists: true,
        byte_names: true,
        holes: true,
        stamps: true,
    };
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The backend does it.
    Passed,
    /// The backend does not claim to.
    Skipped,
    /// The backend does something else.
    Failed(String),
}

/// How the cases ended, in the order in which they ran.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Each case with its name.
    pub cases: Vec<(&'static str, Verdict)>,
}

impl Report {
    /// Whether no case failed.
    pub fn is_clean(&self) -> bool {
        self.failed().next().is_none()
    }

    /// Returns the cases that failed, and how.
    pub fn failed(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.cases
            .iter()
            .filter_map(|(name, verdict)| match verdict {
                Verdict::Failed(how) => Some((*name, how.as_str())),
                _ => None,
            })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self
            .cases
            .iter()
            .filter(|(_, verdict)| *verdict == Verdict::Skipped);
        let failed = self.failed().count();
        writeln!(
            formatter,
            "{} cases, {} skipped, {failed} failed",
            self.cases.len(),
            skipped.clone().count()
        )?;
        for (name, _) in skipped {
            writeln!(formatter, "  skipped {name}")?;
        }
        for (name, how) in self.failed() {
            writeln!(formatter, "  failed {name}: {how}")?;
        }
        Ok(())
    }
}

/// Runs every case on a filesystem of its own.
pub fn run(make: &mut dyn FnMut() -> Box<dyn FileSystem>, capabilities: &Capabilities) -> Report {
    let mut report = Report::default();
    for case in all_cases() {
        let mut fs = make();
        report
            .cases
            .push((case.name, case.run(&mut *fs, capabilities)));
    }
    report
}

/// Runs every case on one filesystem, each in a directory of its own below the root.
pub fn run_in(fs: &mut dyn FileSystem, capabilities: &Capabilities) -> Report {
    Report {
        cases: all_cases()
            .map(|case| (case.name, case.run(fs, capabilities)))
            .collect(),
    }
}

fn all_cases() -> impl Iterator<Item = &'static Case> {
    [
        names::CASES,
        content::CASES,
        links::CASES,
        renames::CASES,
        owners::CASES,
        attributes::CASES,
        times::CASES,
    ]
    .into_iter()
    .flatten()
}

/// One case.
struct Case {
    name: &'static str,
    needs: Needs,
    check: fn(&mut Subject<'_>) -> Checked,
}

/// Makes a list of cases, which are functions, with what they need.
macro_rules! cases {
    ($($name:ident: $needs:ident),* $(,)?) => {
        pub(super) const CASES: &[super::Case] = &[$(super::Case {
            name: stringify!($name),
            needs: super::Needs::$needs,
            check: $name,
        }),*];
    };
}
use cases;

/// What a case needs besides files and directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    SymbolicLinks,
    HardLinks,
    Owners,
    /// Owners and symbolic links.
    OwnedLinks,
    Attributes,
    AccessLists,
    SpecialFiles,
    ByteNames,
    Holes,
    Stamps,
}

impl Case {
    fn run(&self, fs: &mut dyn FileSystem, capabilities: &Capabilities) -> Verdict {
        let limits = fs.limits();
        let has = match self.needs {
            Needs::Nothing => true,
            Needs::SymbolicLinks => limits.target_bytes > 0,
            Needs::HardLinks => limits.links > 1,
            Needs::Owners => limits.owners,
            Needs::OwnedLinks => limits.owners && limits.target_bytes > 0,
            Needs::Attributes => limits.attribute_bytes > 0,
            Needs::AccessLists => capabilities.access_lists && limits.owners,
            Needs::SpecialFiles => capabilities.special_files,
            Needs::ByteNames => capabilities.byte_names,
            Needs::Holes => capabilities.holes,
            Needs::Stamps => capabilities.stamps,
        };
        if !has {
            return Verdict::Skipped;
        }
        fs.set_now(MOMENT);
        let root = fs.root();
        let outcome = fs
            .create(root, self.name.as_bytes(), &new(NewKind::Directory))
            .map_err(Problem::from)
            .and_then(|top| {
                let mut subject = Subject { fs, top };
                (self.check)(&mut subject)?;
                Ok(subject.fs.finish()?)
            });
        match outcome {
            Ok(()) => Verdict::Passed,
            Err(Problem(how)) => Verdict::Failed(how),
        }
    }
}

/// The moment at which a case begins; even, so that filesystems with a step of two seconds keep it.
const MOMENT: Timestamp = Timestamp {
    seconds: 1_700_000_000,
    nanoseconds: 0,
};

/// Returns a moment so many seconds after the beginning.
fn later(seconds: i64) -> Timestamp {
    Timestamp {
        seconds: MOMENT.seconds + seconds,
        nanoseconds: 0,
    }
}

/// Why a case failed.
struct Problem(String);

type Checked<T = ()> = Result<T, Problem>;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        use std::error::Error as _;
        let mut text = format!("an operation failed: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

/// Fails the case unless two values are the same.
#[track_caller]
fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Checked {
    if found == expected {
        return Ok(());
    }
    let line = std::panic::Location::caller();
    Err(Problem(format!(
        "{what} is {found:?}, not {expected:?} ({}:{})",
        line.file(),
        line.line()
    )))
}

/// Fails the case unless an operation fails as it must.
macro_rules! refused {
    ($operation:expr, $($error:pat_param)|+) => {
        match $operation {
            Err($($error)|+) => {}
            other => {
                return Err($crate::conformance::Problem(format!(
                    "`{}` gave {other:?}, not `{}` ({}:{})",
                    stringify!($operation).split_whitespace().collect::<Vec<_>>().join(" "),
                    stringify!($($error)|+),
                    file!(),
                    line!(),
                )))
            }
        }
    };
}
use refused;

/// A file of root's that all may read.
const fn new(kind: NewKind<'_>) -> NewFile<'_> {
    NewFile {
        kind,
        permissions: match kind {
            NewKind::Directory => 0o755,
            _ => 0o644,
        },
        uid: 0,
        gid: 0,
    }
}

/// The filesystem of a case, with the directory in which it works.
struct Subject<'a> {
    fs: &'a mut dyn FileSystem,
    top: FileId,
}

impl Subject<'_> {
    fn file(&mut self, name: &str) -> Checked<FileId> {
        Ok(self
            .fs
            .create(self.top, name.as_bytes(), &new(NewKind::File))?)
    }

    fn file_of(&mut self, name: &str, content: &[u8]) -> Checked<FileId> {
        let file = self.file(name)?;
        self.fs.write_at(file, content, 0)?;
        Ok(file)
    }

    fn directory(&mut self, name: &str) -> Checked<FileId> {
        Ok(self
            .fs
            .create(self.top, name.as_bytes(), &new(NewKind::Directory))?)
    }

    fn link(&mut self, name: &str, target: &[u8]) -> Checked<FileId> {
        let new = new(NewKind::SymbolicLink(target));
        Ok(self.fs.create(self.top, name.as_bytes(), &new)?)
    }

    fn content(&mut self, file: FileId) -> Checked<Vec<u8>> {
        let size = self.fs.attributes(file)?.size;
        let mut content = vec![0xaa; usize::try_from(size).unwrap_or(usize::MAX)];
        let length = self.fs.read_at(file, &mut content, 0)?;
        same("the bytes read of the whole file", length as u64, size)?;
        Ok(content)
    }

    /// The names of a directory, sorted.
    fn names(&mut self, directory: FileId) -> Checked<Vec<Vec<u8>>> {
        let mut names: Vec<_> = self
            .fs
            .entries(directory)?
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        names.sort_unstable();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    #[test]
    fn the_filesystem_in_memory_conforms() {
        let report = run(&mut || Box::new(Memory::new()), &Capabilities::ALL);
        assert!(report.is_clean(), "{report}");
        let report = run_in(&mut Memory::new(), &Capabilities::ALL);
        assert!(report.is_clean(), "{report}");
        assert!(report.cases.len() > 50, "{report}");
    }

    #[test]
    fn a_filesystem_that_can_do_little_is_asked_for_little() {
        let mut limits = Memory::new().limits();
        limits.target_bytes = 0;
        limits.links = 1;
        limits.attribute_bytes = 0;
        limits.owners = false;
        limits.time_step = 2_000_000_000;
        let none = Capabilities {
            special_files: false,
            access_lists: false,
            byte_names: false,
            holes: false,
            stamps: false,
        };
        let report = run_in(&mut Memory::with_limits(limits), &none);
        assert!(report.is_clean(), "{report}");
        assert!(
            report
                .cases
                .iter()
                .any(|(_, verdict)| *verdict == Verdict::Skipped)
        );
    }
}
