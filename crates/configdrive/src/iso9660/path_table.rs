//! Path tables: every directory, its place and the one above it (ECMA-119 §9.4).

use super::directory_record::Locations;
use super::hierarchy::{Directory, Hierarchy};
use super::pad;

/// Identifies the root (ECMA-119 §9.4.5).
const ROOT: &[u8] = &[0];

fn identifier<'a>(hierarchy: &'a Hierarchy, directory: &Directory) -> &'a [u8] {
    directory
        .identifier
        .map_or(ROOT, |identifier| identifier.bytes(&hierarchy.identifiers))
}

/// Returns the length of one table, in bytes.
pub(super) fn length(hierarchy: &Hierarchy) -> u64 {
    let record = |directory| 8 + identifier(hierarchy, directory).len().next_multiple_of(2) as u64;
    hierarchy.directories.iter().map(record).sum()
}

/// Appends the little-endian table (type L) and the big-endian one (type M), each filled up to a sector.
///
/// | offset | size | field                                   |
/// |-------:|-----:|-----------------------------------------|
/// |      0 |    1 | length of the identifier                |
/// |      1 |    1 | length of extended attributes, 0        |
/// |      2 |    4 | first sector of the directory           |
/// |      6 |    2 | number of the directory above, from 1   |
/// |      8 |      | identifier, a zero after an odd length  |
pub(super) fn write(out: &mut Vec<u8>, hierarchy: &Hierarchy, locations: &Locations) {
    for big_endian in [false, true] {
        for (directory, place) in hierarchy.directories.iter().zip(&locations.directories) {
            let identifier = identifier(hierarchy, directory);
            // The hierarchy has at most 65,535 directories.
            let parent = directory.parent as u16 + 1;
            out.extend_from_slice(&[identifier.len() as u8, 0]);
            if big_endian {
                out.extend_from_slice(&place.sector.to_be_bytes());
                out.extend_from_slice(&parent.to_be_bytes());
            } else {
                out.extend_from_slice(&place.sector.to_le_bytes());
                out.extend_from_slice(&parent.to_le_bytes());
            }
            out.extend_from_slice(identifier);
            if !identifier.len().is_multiple_of(2) {
                out.push(0);
            }
        }
        pad(out);
    }
}
