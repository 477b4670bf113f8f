//! The path tables (ECMA-119 §9.4). Linux does not read them; other readers do, so
//! `verify` compares them with the tree.

use std::collections::HashMap;

use super::tree::Directory;
use super::volume_descriptor::Descriptor;
use crate::Error;
use crate::read::{Corrupt, Place, Rule, Source, limits};

/// One record: length of identifier, blocks of extended attributes, location, number of
/// the parent, identifier, a byte of padding when that is odd.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    block: u32,
    parent: u16,
    identifier: Vec<u8>,
}

/// Compares both tables of a tree with each other and with the directories.
pub(super) fn check(
    source: &Source<'_>,
    descriptor: &Descriptor,
    directories: &[Directory],
) -> Result<Vec<Corrupt>, Error> {
    let mut faults = Vec::new();
    let little = read(source, descriptor, false, &mut faults)?;
    let big = read(source, descriptor, true, &mut faults)?;
    let place = Place::at("L path table", offset(descriptor, descriptor.type_l_block));
    let differs = little
        .iter()
        .zip(&big)
        .position(|(little, big)| little != big)
        .or_else(|| (little.len() != big.len()).then_some(little.len().min(big.len())));
    if let Some(index) = differs {
        faults.push(Corrupt::new(
            place.clone(),
            Rule::PathTablesDiffer {
                index: number(index),
            },
        ));
    }
    if little.len() != directories.len() {
        faults.push(Corrupt::new(
            place.clone(),
            Rule::PathTableCount {
                table: little.len(),
                tree: directories.len(),
            },
        ));
    }
    let tree: HashMap<u32, &Directory> = directories
        .iter()
        .map(|directory| (directory.block, directory))
        .collect();
    for (index, record) in little.iter().enumerate() {
        if faults.len() >= limits::MAX_PROBLEMS {
            break;
        }
        let mut fault = |field, value, expected| {
            faults.push(Corrupt::new(
                place.clone(),
                Rule::PathTable {
                    index: number(index),
                    field,
                    value,
                    expected,
                },
            ));
        };
        let Some(directory) = tree.get(&record.block) else {
            fault("a block without directory,", record.block, 0);
            continue;
        };
        if directory.identifier != record.identifier {
            fault("another name for block", record.block, directory.block);
        }
        let parent = usize::from(record.parent)
            .checked_sub(1)
            .and_then(|parent| little.get(parent))
            .map(|parent| parent.block);
        if parent != Some(directory.parent_block) {
            fault("parent block", parent.unwrap_or(0), directory.parent_block);
        }
    }
    Ok(faults)
}

/// Directories are numbered from 1.
fn number(index: usize) -> usize {
    index.saturating_add(1)
}

fn offset(descriptor: &Descriptor, block: u32) -> u64 {
    u64::from(block).saturating_mul(u64::from(descriptor.block_size))
}

fn read(
    source: &Source<'_>,
    descriptor: &Descriptor,
    big: bool,
    faults: &mut Vec<Corrupt>,
) -> Result<Vec<Record>, Error> {
    let (name, block) = if big {
        ("M path table", descriptor.type_m_block)
    } else {
        ("L path table", descriptor.type_l_block)
    };
    let start = offset(descriptor, block);
    let length = u64::from(descriptor.path_table_bytes);
    if length > limits::MAX_DIRECTORY_BYTES_IN_TREE || !source.contains(start, length) {
        let rule = Rule::PastEnd {
            length,
            drive: source.length(),
        };
        faults.push(Corrupt::new(Place::at(name, start), rule));
        return Ok(Vec::new());
    }
    let bytes = source.bytes(start, length, name)?;
    let mut records = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() && records.len() < limits::MAX_ENTRIES {
        match parse(rest, big) {
            Some((record, behind)) => {
                records.push(record);
                rest = behind;
            }
            None => {
                let rule = Rule::PathTableLength {
                    index: number(records.len()),
                };
                faults.push(Corrupt::new(Place::at(name, start), rule));
                break;
            }
        }
    }
    Ok(records)
}

fn parse(rest: &[u8], big: bool) -> Option<(Record, &[u8])> {
    let (&[length, extended, b0, b1, b2, b3, p0, p1], rest) = rest.split_first_chunk::<8>()?;
    let (block, parent) = if big {
        (
            u32::from_be_bytes([b0, b1, b2, b3]),
            u16::from_be_bytes([p0, p1]),
        )
    } else {
        (
            u32::from_le_bytes([b0, b1, b2, b3]),
            u16::from_le_bytes([p0, p1]),
        )
    };
    if length == 0 {
        return None;
    }
    let (identifier, rest) = rest.split_at_checked(usize::from(length))?;
    let rest = if length % 2 == 0 {
        rest
    } else {
        rest.get(1..)?
    };
    Some((
        Record {
            block: block.saturating_add(u32::from(extended)),
            parent,
            identifier: identifier.to_vec(),
        },
        rest,
    ))
}
