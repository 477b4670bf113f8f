//! Auditing a drive: its structure by the specification, its label, that its trees agree,
//! and the documents in it.
//!
//! Reading ([`Drive::entries`]) takes what a guest's kernel takes; this tells what it
//! lets pass.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

mod documents;
mod ec2;
mod label;
mod network_config;
mod network_data;
mod nocloud;
mod openstack;
mod schema;
mod structure;
mod trees;
mod user_data;

use std::fmt;

use christen_instance::Dialect;

use crate::read::printable;
use crate::{Drive, Error};

/// Findings kept; a drive with more is broken enough.
const MAX_FINDINGS: usize = 2000;

/// Characters of a place and of a message.
const MAX_LINE_CHARACTERS: usize = 600;

/// What the drive is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Whose documents it carries; `None` tells it by the label, then by the tree.
    pub dialect: Option<Dialect>,
    /// Permission bits of the image file, when it is one: others than its owner should
    /// not read an `admin_pass`. `None` does not check.
    pub image_mode: Option<u32>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Against the specification or the custom; the usual readers get by.
    Warning,
    /// Some reader fails, or sees something else than was meant.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A short stable name, such as `both-endian` or `dangling-content-path`.
    pub code: &'static str,
    /// Where: a path on the drive with a place within the document, or a structure with
    /// its byte.
    pub place: String,
    /// What is wrong. Never holds a document's secret.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} [{}] {}: {}",
            self.severity, self.code, self.place, self.message
        )
    }
}

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The findings, in the order of the checks.
    pub findings: Vec<Finding>,
    /// What was checked, one sentence each, so that silence can be told from neglect.
    pub checked: Vec<String>,
}

impl Report {
    /// Returns the worst severity; `None` when nothing was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    fn add(&mut self, severity: Severity, code: &'static str, place: &str, message: String) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding {
                severity,
                code,
                // Names and values come from the drive.
                place: short(place),
                message: short(&message),
            });
        }
    }

    fn error(&mut self, code: &'static str, place: &str, message: impl Into<String>) {
        self.add(Severity::Error, code, place, message.into());
    }

    fn warning(&mut self, code: &'static str, place: &str, message: impl Into<String>) {
        self.add(Severity::Warning, code, place, message.into());
    }

    fn note(&mut self, code: &'static str, place: &str, message: impl Into<String>) {
        self.add(Severity::Note, code, place, message.into());
    }

    fn checked(&mut self, what: impl Into<String>) {
        self.checked.push(what.into());
    }
}

/// Bounds what a drive can put into one line, and escapes what could steer a terminal.
fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_LINE_CHARACTERS) {
        Some((end, _)) => {
            let start = text.get(..end).unwrap_or_default();
            format!("{}...", printable(start.as_bytes()))
        }
        None => printable(text.as_bytes()),
    }
}

/// Audits a drive. Reads all of its structures and documents, and other files only where
/// two trees hold them in different places.
///
/// # Errors
///
/// [`Error::Read`] alone: whatever is wrong with the drive is a finding.
pub fn verify(drive: &Drive<'_>, options: &VerifyOptions) -> Result<Report, Error> {
    let mut report = Report::default();
    let trees = structure::check(drive, &mut report)?;
    trees::check(drive, &trees, &mut report)?;
    let best = trees.first().map(|(_, entries)| entries.as_slice());
    let documents = documents::Files::new(drive, best.unwrap_or_default());
    let dialect = options.dialect.unwrap_or_else(|| documents.guess_dialect());
    label::check(drive, dialect, &mut report);
    match dialect {
        Dialect::OpenStack => {
            openstack::check(&documents, &mut report)?;
            ec2::check(&documents, &mut report)?;
        }
        Dialect::NoCloud => nocloud::check(&documents, &mut report)?,
    }
    if let Some(mode) = options.image_mode {
        report.checked("the permissions of the image file");
        if mode & 0o077 != 0 {
            report.warning(
                "image-mode",
                "the image file",
                format!(
                    "its mode is {:04o}: others than its owner can read it, and it may hold passwords; 0600 is enough",
                    mode & 0o7777
                ),
            );
        }
    }
    Ok(report)
}

/// Lets a fault of reading be a finding, and an error of the host an error.
fn tolerate<T>(
    result: Result<T, Error>,
    place: &str,
    report: &mut Report,
) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Corrupt(fault)) => {
            report.error(fault.code(), place, fault.to_string());
            Ok(None)
        }
        Err(Error::Unsupported(what)) => {
            report.error("unsupported", place, what.to_string());
            Ok(None)
        }
        Err(error @ Error::TooLong { .. }) => {
            report.error("too-long", place, error.to_string());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
