//! Whether a guest would take an identity: asked before its first boot.
//!
//! A rule looks for one fault. It is an entry of a table with its name, what it looks for and what comes of the fault;
//! `docs/doctor.md` is made from the table. A finding says what is wrong in this guest, and what to do about it.

mod case;
mod clones;
mod cloud_init;
mod filesystem;
mod login;
mod network;
mod reference;
mod system;

#[cfg(test)]
mod tests;

use std::fmt;

use christen_instance::Instance;
use christen_vfs::FileSystem;

pub use self::reference::markdown;

use self::case::Case;
use crate::Result;
use crate::guest::Inspection;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is wrong; it is good to know.
    Note,
    /// Something will be otherwise than people expect.
    Warning,
    /// The identity, or a part of it, will not arrive.
    Error,
}

impl Severity {
    /// Returns the name, as messages and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The sort of drive on which an identity comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// A config drive, label `config-2`.
    ConfigDrive,
    /// A NoCloud seed, label `cidata`.
    NoCloud,
}

/// What the caller knows and the guest's files do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// Whether every filesystem of the guest was left in order: unmounted, its journal empty. `None` if that is not known.
    pub clean: Option<bool>,
    /// Whether a filesystem of the guest notes errors in itself. `None` if that is not known.
    pub has_errors: Option<bool>,
    /// The drive on which the identity is to come; `None` if it is injected, or if that is not decided.
    pub drive: Option<Drive>,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The rule's name.
    pub rule: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong: a sentence without a full stop, as it may be shown.
    pub reason: String,
    /// What to do about it: a sentence without a full stop.
    pub remedy: String,
}

/// A rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// The severities that its findings can have, the highest first.
    pub severities: &'static [Severity],
    /// What it looks for, and when a finding has which severity.
    pub about: &'static str,
    /// What comes of the fault.
    pub consequence: &'static str,
    check: fn(&mut Case<'_, '_>),
}

impl fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rule")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Returns every rule, in the order in which they are asked.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        system::RULES,
        filesystem::RULES,
        cloud_init::RULES,
        network::RULES,
        login::RULES,
        clones::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Asks every rule, and returns the findings: the gravest first, else in the order of the rules.
///
/// The guest's whole tree is given: what is mounted below its root is part of it. Without an instance only those faults are found that
/// every identity would meet.
///
/// # Errors
///
/// [`Error::File`](crate::Error::File) if the filesystem cannot say how much room it has. What else cannot be read is a finding.
pub fn examine(
    fs: &mut dyn FileSystem,
    facts: &Facts,
    instance: Option<&Instance>,
) -> Result<Vec<Diagnosis>> {
    let inspection = Inspection::read(fs);
    diagnose(fs, &inspection, facts, instance)
}

/// As [`examine`], for a guest that was inspected already.
///
/// # Errors
///
/// As [`examine`].
pub fn diagnose(
    fs: &mut dyn FileSystem,
    inspection: &Inspection,
    facts: &Facts,
    instance: Option<&Instance>,
) -> Result<Vec<Diagnosis>> {
    let mut case = Case::new(fs, inspection, facts, instance)?;
    for rule in rules() {
        case.begin(rule);
        (rule.check)(&mut case);
    }
    let mut found = case.into_found();
    found.sort_by_key(|it| std::cmp::Reverse(it.severity));
    Ok(found)
}
