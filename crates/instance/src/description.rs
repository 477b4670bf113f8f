//! A description: what a person writes, or a program, read into an [`Instance`].
//!
//! The form is a table (`fields`); one walk over the positioned tree judges every value
//! by it and collects everything that is wrong, then the instance is put together, short
//! forms expanded and files read. The JSON Schema ([`crate::schema`]) and the reference
//! ([`reference_markdown`]) come from the same table.

mod build;
mod cloud_config;
mod content;
pub(crate) mod fields;
pub(crate) mod format;
mod guest;
mod network;
mod operations;
mod reference;
mod text;
mod walk;

use std::collections::HashSet;
use std::sync::OnceLock;

pub use crate::finding::{Finding, Findings, Severity};
pub use reference::reference_markdown;

use crate::Instance;
use crate::finding::{Draft, place};
use crate::inputs::FileSource;
use crate::tree::{self, Problem, Span, Syntax};

/// Sizes that an operator may raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `[quota] injected_files`: files at most.
    pub injected_files: u64,
    /// `[quota] injected_file_content_bytes`: bytes of each.
    pub injected_file_content_bytes: u64,
    /// `[quota] injected_file_path_length`: bytes of each path.
    pub injected_file_path_length: u64,
    /// Bytes of the user data once it is in base64 (Nova's API, `MAX_USERDATA_SIZE`).
    pub user_data_base64_bytes: u64,
    /// `[quota] metadata_items`.
    pub metadata_items: u64,
    /// Bytes of each file of `guest.files`, which are no files of Nova's.
    pub guest_file_bytes: u64,
}

impl Default for Limits {
    /// Nova's limits; for guest files 1 MiB, as they travel inside a JSON document.
    fn default() -> Self {
        Self {
            injected_files: 5,
            injected_file_content_bytes: 10 * 1024,
            injected_file_path_length: 255,
            user_data_base64_bytes: 65_535,
            metadata_items: 128,
            guest_file_bytes: 1 << 20,
        }
    }
}

/// A description that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The instance.
    pub instance: Instance,
    /// What is allowed and yet probably not meant.
    pub warnings: Vec<Finding>,
}

/// Parses a description.
///
/// `origin` names the text in messages; when it ends in `.json` the text must be JSON, else
/// it may be YAML or JSON. Files that the description names are read through `files`.
///
/// # Errors
///
/// Everything that is wrong with the text, in the order of the text, warnings included.
pub fn parse(
    text: &str,
    origin: &str,
    files: &dyn FileSource,
    limits: &Limits,
) -> Result<Parsed, Findings> {
    let failed = |list| Findings {
        origin: origin.to_owned(),
        list,
    };
    let parsed = if origin.ends_with(".json") {
        tree::parse(text, Syntax::Json)
    } else {
        tree::parse_any(text).map(|(node, _)| node)
    };
    let root = parsed.map_err(|problems| {
        let drafts = problems.into_iter().map(Draft::from).collect();
        failed(place(text, drafts, &[], false))
    })?;

    let mut walk = walk::Walk::new(text);
    walk.root(&root);
    let instance = build::Builder::new(&mut walk, files, limits).instance(&root);
    let (drafts, secrets) = walk.finish();
    let findings = place(text, drafts, &secrets, true);
    if findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
    {
        return Err(failed(findings));
    }
    Ok(Parsed {
        instance,
        warnings: findings,
    })
}

impl From<Problem> for Draft {
    fn from(problem: Problem) -> Self {
        Self {
            severity: Severity::Error,
            span: problem.span,
            path: String::new(),
            message: problem.message,
            offending: None,
            hint: problem.hint,
        }
    }
}

/// Names of fields, by whether their values may be shown.
pub(crate) struct FieldNames {
    pub(crate) public: HashSet<&'static str>,
    pub(crate) secret: HashSet<&'static str>,
}

/// The names of all fields of the format.
pub(crate) fn field_names() -> &'static FieldNames {
    static NAMES: OnceLock<FieldNames> = OnceLock::new();
    NAMES.get_or_init(|| {
        let fields = || {
            fields::objects()
                .into_iter()
                .flat_map(|object| object.fields)
        };
        let secret: HashSet<_> = fields()
            .filter(|field| field.secret)
            .map(|field| field.name)
            .collect();
        let public = fields()
            .map(|field| field.name)
            .filter(|name| !secret.contains(name))
            .collect();
        FieldNames { public, secret }
    })
}

/// Finds the known name that was probably meant.
pub(crate) fn suggest<'n>(written: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    /// Longer names are not compared: the cost is the product of the lengths.
    const LONGEST: usize = 40;
    if written.chars().count() > LONGEST {
        return None;
    }
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    let written = plain(written);
    known
        .map(|name| (distance(&written, &plain(name)), name))
        .filter(|(distance, name)| *distance <= name.chars().count().div_ceil(3).min(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// The span of something that has no place of its own: the beginning of the text.
pub(crate) const NOWHERE: Span = Span { start: 0, end: 0 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near_the_word() {
        #[track_caller]
        fn check(written: &str, expected: Option<&str>) {
            let known = ["hostname", "name", "user_data", "mac", "metadata"];
            assert_eq!(suggest(written, known.into_iter()), expected);
        }
        check("hostnmae", Some("hostname"));
        check("Hostname", Some("hostname"));
        check("user-data", Some("user_data"));
        check("mc", Some("mac"));
        check("colour", None);
        check(&"x".repeat(10_000), None);
    }
}
