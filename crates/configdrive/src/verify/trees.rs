//! Whether the trees of one drive tell the same story.

use std::collections::{HashMap, HashSet};

use super::{Report, tolerate};
use crate::read::{Extent, Storage, content, limits};
use crate::{Drive, Entry, Error, View};

/// Compares each tree with the best one.
pub(super) fn check(
    drive: &Drive<'_>,
    trees: &[(View, Vec<Entry>)],
    report: &mut Report,
) -> Result<(), Error> {
    let Some(((best, reference), others)) = trees.split_first() else {
        return Ok(());
    };
    let mut budget = limits::MAX_COMPARED_BYTES_OF_TREES;
    for (view, entries) in others {
        compare(
            drive,
            (*best, reference),
            (*view, entries),
            &mut budget,
            report,
        )?;
        report.checked(format!(
            "that the {view} tree holds what the {best} tree holds"
        ));
    }
    Ok(())
}

fn compare(
    drive: &Drive<'_>,
    (best, reference): (View, &[Entry]),
    (view, entries): (View, &[Entry]),
    budget: &mut u64,
    report: &mut Report,
) -> Result<(), Error> {
    let by_path: HashMap<&[u8], &Entry> = files(entries)
        .map(|entry| (entry.path.as_slice(), entry))
        .collect();
    let there: HashSet<&[Extent]> = files(entries).map(extents).collect();
    for entry in files(reference) {
        match by_path.get(entry.path.as_slice()) {
            Some(other) if !same(drive, entry, other, budget, report)? => report.error(
                "trees-differ",
                &entry.path_text(),
                format!("its content is not the same in the {best} and the {view} tree"),
            ),
            Some(_) => {}
            // Under a shortened name it is known by where its content stands.
            None if entry.length == 0 || there.contains(extents(entry)) => {}
            None => report.warning(
                "missing-in-tree",
                &entry.path_text(),
                format!("the {view} tree does not have it"),
            ),
        }
    }
    let known: HashSet<&[Extent]> = files(reference).map(extents).collect();
    let names: HashSet<&[u8]> = reference
        .iter()
        .map(|entry| entry.path.as_slice())
        .collect();
    for entry in files(entries) {
        let shown = names.contains(entry.path.as_slice()) || known.contains(extents(entry));
        if entry.length > 0 && !shown {
            report.warning(
                "missing-in-tree",
                &entry.path_text(),
                format!("the {view} tree has it, the {best} tree does not"),
            );
        }
    }
    Ok(())
}

fn files(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    entries.iter().filter(|entry| entry.is_file())
}

fn extents(entry: &Entry) -> &[Extent] {
    match &entry.storage {
        Storage::Extents(extents) => extents,
        _ => &[],
    }
}

/// Compares two files by place, else by length, else by bytes.
fn same(
    drive: &Drive<'_>,
    left: &Entry,
    right: &Entry,
    budget: &mut u64,
    report: &mut Report,
) -> Result<bool, Error> {
    if left.storage == right.storage {
        return Ok(true);
    }
    if left.length != right.length {
        return Ok(false);
    }
    let Some(rest) = budget.checked_sub(left.length) else {
        report.note(
            "not-compared",
            &left.path_text(),
            "too much content to compare; this file was left out",
        );
        return Ok(true);
    };
    *budget = rest;
    let result = content::same((drive, left), (drive, right));
    // A fault was told already; then there is nothing to say about sameness.
    Ok(tolerate(result, &left.path_text(), report)?.unwrap_or(true))
}
