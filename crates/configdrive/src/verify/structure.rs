//! The structures of the format.

use std::collections::HashSet;

use super::{Report, Severity};
use crate::read::{Corrupt, Extent, Place, Rule, Storage, Volume, Weight, printable};
use crate::{Drive, Entry, Error, View};

/// Walks each tree, tells what is wrong with it, and returns the trees, the best first.
pub(super) fn check(
    drive: &Drive<'_>,
    report: &mut Report,
) -> Result<Vec<(View, Vec<Entry>)>, Error> {
    let mut trees = Vec::new();
    let mut faults = Vec::new();
    match &drive.volume {
        Volume::Fat(fat) => {
            let (entries, problems) = fat.check(&drive.source)?;
            faults.extend(problems);
            report.checked("the boot sector, each copy of the FAT, and every cluster chain");
            trees.push((View::Vfat, entries));
        }
        Volume::Iso(iso) => {
            faults.extend_from_slice(iso.problems());
            report.checked("the volume descriptors");
            let mut spans = Vec::new();
            for view in drive.views() {
                let tree = iso.tree(&drive.source, *view)?;
                faults.extend_from_slice(&tree.problems);
                if *view != View::RockRidge {
                    let tables = iso.check_path_tables(&drive.source, *view, &tree)?;
                    faults.extend(tables);
                    report.checked(format!("both path tables of the {view} tree"));
                    for directory in &tree.directories {
                        let block = u64::from(iso.block_size());
                        spans.push(Span {
                            extent: Extent {
                                offset: u64::from(directory.block).saturating_mul(block),
                                length: u64::from(directory.length),
                            },
                            path: directory.path.clone(),
                        });
                    }
                }
                for entry in &tree.entries {
                    if let Storage::Extents(extents) = &entry.storage {
                        spans.extend(extents.iter().map(|extent| Span {
                            extent: *extent,
                            path: entry.path.clone(),
                        }));
                    }
                }
                trees.push((*view, tree.entries));
            }
            faults.extend(overlaps(spans));
            report.checked("that no two contents overlap");
        }
    }
    for (view, entries) in &trees {
        report.checked(format!("{} entries of the {view} tree", entries.len()));
    }
    // Rock Ridge and the plain tree are the same records, so a fault is met twice.
    let mut told = HashSet::new();
    for fault in faults {
        if told.insert((fault.offset(), fault.code())) {
            add(report, &fault);
        }
    }
    Ok(trees)
}

fn add(report: &mut Report, fault: &Corrupt) {
    let severity = match fault.rule.weight() {
        Weight::Stops | Weight::Error => Severity::Error,
        Weight::Warning => Severity::Warning,
    };
    report.add(
        severity,
        fault.code(),
        &fault.place.to_string(),
        fault.rule.to_string(),
    );
}

/// A range of the drive and whose it is.
struct Span {
    extent: Extent,
    path: Vec<u8>,
}

/// Finds ranges that share bytes. The same range for two names is a hard link or content
/// stored once, and every maker writes those.
fn overlaps(mut spans: Vec<Span>) -> Vec<Corrupt> {
    spans.retain(|span| span.extent.length > 0);
    spans.sort_by_key(|span| span.extent);
    let mut faults = Vec::new();
    let mut reach: Option<&Span> = None;
    for span in &spans {
        if let Some(before) = reach {
            if before.extent == span.extent {
                continue;
            }
            if span.extent.offset < before.extent.end() {
                faults.push(Corrupt::new(
                    Place::of("content", span.extent.offset, &span.path),
                    Rule::Overlap {
                        other: printable(&before.path),
                    },
                ));
            }
        }
        if reach.is_none_or(|before| span.extent.end() >= before.extent.end()) {
            reach = Some(span);
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_are_found_and_shared_content_is_not_one() {
        let check = |ranges: &[(u64, u64)], expected: usize| {
            let spans = ranges.iter().map(|(offset, length)| Span {
                extent: Extent {
                    offset: *offset,
                    length: *length,
                },
                path: b"x".to_vec(),
            });
            assert_eq!(overlaps(spans.collect()).len(), expected, "{ranges:?}");
        };
        check(&[(0, 10), (10, 5), (20, 0), (20, 1)], 0);
        check(&[(0, 10), (0, 10), (0, 10)], 0);
        check(&[(0, 10), (9, 5)], 1);
        check(&[(0, 10), (0, 5)], 1);
        check(&[(0, 100), (10, 1), (50, 1)], 2);
    }
}
