//! Extended attributes in the inode, behind its fields.

use super::entry::{Attribute, END_BYTES, Frame, Value, entry_bytes, le32};
use super::name::AttributeName;
use crate::error::Corrupt;

/// What begins the attributes in an inode, and in a block (`EXT4_XATTR_MAGIC`).
pub(super) const MAGIC: u32 = 0xEA02_0000;

const HEADER_BYTES: usize = 4;
const STRUCTURE: &str = "extended attributes in inode";

fn frame(inode: u64) -> Frame {
    Frame {
        structure: STRUCTURE,
        place: inode,
        first: HEADER_BYTES,
        base: HEADER_BYTES,
        hashed: false,
    }
}

/// Reads the attributes in what is left of an inode behind `i_extra_isize`: the magic `0xEA020000`, then entries in no order.
///
/// Without the magic there are none, whatever stands there. `inode` is the inode's number, for errors.
///
/// # Errors
///
/// [`Corrupt`] tells which rule an entry breaks.
pub fn parse(region: &[u8], inode: u64) -> Result<Vec<Attribute>, Corrupt> {
    if region.len() < HEADER_BYTES + END_BYTES || le32(region, 0) != MAGIC {
        return Ok(Vec::new());
    }
    frame(inode).parse(region)
}

/// Writes the attributes into a region; without any it is all zero. Returns `None` if they do not fit.
pub fn encode(attributes: &[Attribute], region_bytes: usize) -> Option<Vec<u8>> {
    let mut region = vec![0; region_bytes];
    if attributes.is_empty() {
        return Some(region);
    }
    if region_bytes < HEADER_BYTES || !frame(0).encode(attributes, &mut region) {
        return None;
    }
    region[..HEADER_BYTES].copy_from_slice(&MAGIC.to_le_bytes());
    Some(region)
}

/// How many bytes the value of an attribute in this region can have at most, beside the others that are there. `None` if not even
/// its entry fits.
///
/// # Errors
///
/// As [`parse`].
pub fn room(region: &[u8], inode: u64, name: &AttributeName) -> Result<Option<usize>, Corrupt> {
    let others: usize = parse(region, inode)?
        .iter()
        .filter(|attribute| attribute.name != *name)
        .map(Attribute::stored_bytes)
        .sum();
    let used = HEADER_BYTES + END_BYTES + others + entry_bytes(name.rest().len());
    Ok(region
        .len()
        .checked_sub(used)
        .map(|room| room / END_BYTES * END_BYTES))
}

/// Returns the value of an attribute that must stand in the region itself, as `system.data` does.
///
/// # Errors
///
/// As [`parse`], and if the value is said to be in an inode.
pub fn value(region: &[u8], inode: u64, name: &AttributeName) -> Result<Option<Vec<u8>>, Corrupt> {
    let found = parse(region, inode)?
        .into_iter()
        .find(|attribute| attribute.name == *name);
    match found.map(|attribute| attribute.value) {
        None => Ok(None),
        Some(Value::Here(value)) => Ok(Some(value)),
        Some(Value::Inode { .. }) => Err(Corrupt::new(
            STRUCTURE,
            inode,
            "the value must stand in the inode",
        )),
    }
}

/// Returns the region with the value of one attribute set, or with that attribute removed; `None` if it does not fit.
///
/// # Errors
///
/// As [`parse`].
pub fn with_value(
    region: &[u8],
    inode: u64,
    name: &AttributeName,
    value: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, Corrupt> {
    let mut attributes = parse(region, inode)?;
    let at = attributes.iter().position(|one| one.name == *name);
    match (at, value) {
        (Some(at), Some(value)) => attributes[at].value = Value::Here(value.to_vec()),
        (None, Some(value)) => attributes.push(Attribute::new(name.clone(), value)),
        (Some(at), None) => {
            attributes.remove(at);
        }
        (None, None) => {}
    }
    Ok(encode(&attributes, region.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_without_the_magic() {
        let mut region = vec![0xFF; 96];
        assert_eq!(parse(&region, 0).unwrap(), []);
        region[..4].copy_from_slice(&MAGIC.to_le_bytes());
        assert!(parse(&region, 0).is_err());
        assert_eq!(parse(&[], 0).unwrap(), []);
        assert_eq!(parse(&region[..4], 0).unwrap(), []);
    }

    #[test]
    fn a_value_of_the_room_told_fits_and_no_larger() {
        let name = AttributeName::inline_data();
        let empty = vec![0; 96];
        // 96 of an inode of 256 bytes with 32 extra: the kernel holds 60 bytes in `i_block` and these.
        let room = room(&empty, 0, &name).unwrap().unwrap();
        assert_eq!(room, 96 - 4 - 4 - 20);
        let region = with_value(&empty, 0, &name, Some(&vec![1; room]))
            .unwrap()
            .unwrap();
        assert_eq!(value(&region, 0, &name).unwrap().unwrap().len(), room);
        assert_eq!(
            with_value(&empty, 0, &name, Some(&vec![1; room + 1])).unwrap(),
            None
        );
        let removed = with_value(&region, 0, &name, None).unwrap().unwrap();
        assert_eq!(removed, empty, "the magic goes with the last attribute");
        assert_eq!(super::room(&[], 0, &name).unwrap(), None);
    }
}
