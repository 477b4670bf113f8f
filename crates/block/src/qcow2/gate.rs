//! What is asked of a header before anything it points to is read.
//!
//! An image that is refused here has not been touched. Where a bound is not the format's it is QEMU's, named beside
//! it: what QEMU does not open nobody has.

use super::features::{self, FeatureSet};
use super::header::{Header, corrupt};
use crate::access::Access;
use crate::error::{Corrupt, Result, Unsupported};

/// The longest L1 table in bytes (`block/qcow2.h`, `QCOW_MAX_L1_SIZE`).
pub(super) const MAX_L1_BYTES: u64 = 32 << 20;

/// The longest refcount table in bytes (`block/qcow2.h`, `QCOW_MAX_REFTABLE_SIZE`).
pub(super) const MAX_REFCOUNT_TABLE_BYTES: u64 = 8 << 20;

/// The most internal snapshots (`block/qcow2.h`, `QCOW_MAX_SNAPSHOTS`).
const MAX_SNAPSHOTS: u32 = 65536;

/// The most bitmaps that QEMU supports (`docs/interop/qcow2.rst`, "Bitmaps extension").
const MAX_BITMAPS: u32 = 65535;

/// The fewest cluster bits with which 32 subclusters are possible.
const MIN_EXTENDED_CLUSTER_BITS: u32 = 14;

/// The most bits of a host offset (`docs/interop/qcow2.rst`, "Cluster mapping").
const MAX_OFFSET: u64 = 1 << 56;

/// Says whether an image with this header, in a file of `file_bytes` bytes, may be opened.
///
/// # Errors
///
/// [`Unsupported`] names what we do not handle: encryption, unknown incompatible features, and for writing a set dirty
/// bit. [`Corrupt`] names the rule that the header breaks; a set corrupt bit is one of them.
pub fn admit(header: &Header, file_bytes: u64, access: Access) -> Result<()> {
    match header.crypt_method {
        0 => {}
        1 => return refuse("qcow2 images encrypted with AES are"),
        2 => return refuse("qcow2 images encrypted with LUKS are"),
        method => return refuse(&format!("qcow2 encryption method {method} is")),
    }
    check_features(header, access)?;
    check_geometry(header)?;
    check_tables(header, file_bytes)?;
    Ok(())
}

fn refuse(what: &str) -> Result<()> {
    Err(Unsupported::new(what).into())
}

fn check_features(header: &Header, access: Access) -> Result<()> {
    let unknown = header.incompatible & !features::KNOWN_INCOMPATIBLE;
    if unknown != 0 {
        let bit = unknown.trailing_zeros() as u8;
        let name = features::name(header, FeatureSet::Incompatible, bit);
        return refuse(&format!(
            "the incompatible qcow2 feature `{name}` (bit {bit}) is"
        ));
    }
    if header.incompatible & features::CORRUPT != 0 {
        return Err(corrupt(
            72,
            "the image is marked corrupt (`qemu-img check -r all` repairs)",
        )
        .into());
    }
    // Reading needs no refcounts, so QEMU reads such images too; whoever writes would trust wrong ones.
    if header.incompatible & features::DIRTY != 0 && access == Access::Write {
        return refuse("writing to a qcow2 image marked dirty is");
    }
    if header.compression().is_none() {
        let kind = header.compression_type;
        if header.incompatible & features::COMPRESSION != 0 && kind > 1 {
            return refuse(&format!("qcow2 compression type {kind} is"));
        }
        return Err(corrupt(
            104,
            format!("compression type {kind} contradicts the feature bits"),
        )
        .into());
    }
    if header.is_data_file_raw() && header.backing_file.is_some() {
        return Err(corrupt(8, "a raw external data file cannot have a backing file").into());
    }
    if header.autoclear & features::BITMAPS != 0 && header.bitmaps.is_none() {
        return Err(corrupt(
            88,
            "the bitmaps bit is set and there is no bitmaps extension",
        )
        .into());
    }
    Ok(())
}

fn check_geometry(header: &Header) -> Result<(), Corrupt> {
    if header.refcount_order > 6 {
        let order = header.refcount_order;
        return Err(corrupt(
            96,
            format!("refcounts of 2^{order} bits; at most 64 are possible"),
        ));
    }
    if header.has_extended_l2() && header.cluster_bits < MIN_EXTENDED_CLUSTER_BITS {
        let bits = header.cluster_bits;
        return Err(corrupt(
            20,
            format!("extended L2 entries need 14 cluster bits, and there are {bits}"),
        ));
    }
    let l1_bytes = u64::from(header.l1_entries) * 8;
    if l1_bytes > MAX_L1_BYTES {
        return Err(corrupt(
            36,
            format!("an L1 table of {l1_bytes} bytes is longer than 32 MiB"),
        ));
    }
    let l2_entry_bits = if header.has_extended_l2() { 4 } else { 3 };
    let reach_bits = 2 * header.cluster_bits - l2_entry_bits;
    let needed = header.virtual_bytes.div_ceil(1 << reach_bits);
    if needed > u64::from(header.l1_entries) {
        let (size, entries) = (header.virtual_bytes, header.l1_entries);
        return Err(corrupt(
            36,
            format!("an L1 table of {entries} entries cannot map {size} bytes"),
        ));
    }
    Ok(())
}

fn check_tables(header: &Header, file_bytes: u64) -> Result<(), Corrupt> {
    let table_bytes = u64::from(header.refcount_table_clusters) << header.cluster_bits;
    if table_bytes == 0 {
        return Err(corrupt(56, "there is no refcount table"));
    }
    if table_bytes > MAX_REFCOUNT_TABLE_BYTES {
        return Err(corrupt(
            56,
            format!("a refcount table of {table_bytes} bytes is longer than 8 MiB"),
        ));
    }
    let table = header.refcount_table_offset;
    check_table(header, "refcount table", 48, table, table_bytes, file_bytes)?;

    let l1_bytes = u64::from(header.l1_entries) * 8;
    if l1_bytes != 0 {
        check_table(
            header,
            "L1 table",
            40,
            header.l1_table_offset,
            l1_bytes,
            file_bytes,
        )?;
    }
    if header.snapshots > MAX_SNAPSHOTS {
        return Err(corrupt(
            60,
            format!("{} snapshots; at most 65536 are possible", header.snapshots),
        ));
    }
    if header.snapshots != 0 {
        // An entry has 40 bytes at least.
        let bytes = u64::from(header.snapshots) * 40;
        check_table(
            header,
            "snapshot table",
            64,
            header.snapshots_offset,
            bytes,
            file_bytes,
        )?;
    }
    if let Some(bitmaps) = &header.bitmaps
        && header.has_consistent_bitmaps()
    {
        if bitmaps.count == 0 || bitmaps.count > MAX_BITMAPS {
            return Err(corrupt(
                88,
                format!("{} bitmaps; 1 to 65535 are possible", bitmaps.count),
            ));
        }
        let (offset, bytes) = (bitmaps.directory_offset, bitmaps.directory_bytes);
        check_table(header, "bitmap directory", 88, offset, bytes, file_bytes)?;
    }
    Ok(())
}

fn check_table(
    header: &Header,
    what: &str,
    place: u64,
    offset: u64,
    bytes: u64,
    file_bytes: u64,
) -> Result<(), Corrupt> {
    if offset == 0 || !offset.is_multiple_of(header.cluster_bytes()) {
        return Err(corrupt(
            place,
            format!("the {what} at {offset} is not at a cluster boundary after the header"),
        ));
    }
    match offset.checked_add(bytes) {
        Some(end) if end <= file_bytes && end <= MAX_OFFSET => Ok(()),
        _ => Err(corrupt(
            place,
            format!(
                "the {what} of {bytes} bytes at {offset} is not in the file of {file_bytes} bytes"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::header;
    use super::*;
    use crate::error::Error;

    /// Bytes to be changed, each at its offset.
    type Changes<'a> = &'a [(usize, &'a [u8])];

    /// Changes bytes of a good header and says what the gate answers.
    fn answer(changes: Changes<'_>, access: Access) -> String {
        let mut bytes = header();
        for (offset, new) in changes {
            bytes[*offset..offset + new.len()].copy_from_slice(new);
        }
        match Header::parse(&bytes).and_then(|header| admit(&header, 4 << 16, access)) {
            Ok(()) => "admitted".to_owned(),
            Err(Error::Corrupt(error)) => error.to_string(),
            Err(Error::Unsupported(error)) => error.to_string(),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_refused_is_named() {
        let cases: [(Changes<'_>, &str); 21] = [
            (&[], "admitted"),
            (&[(32, &[0, 0, 0, 1])], "encrypted with AES"),
            (&[(32, &[0, 0, 0, 2])], "encrypted with LUKS"),
            (&[(32, &[0, 0, 0, 9])], "encryption method 9"),
            (&[(79, &[1])], "marked dirty"),
            (&[(79, &[2])], "marked corrupt"),
            (&[(79, &[32])], "`incompatible feature 5` (bit 5)"),
            (&[(72, &[128])], "bit 63"),
            (&[(79, &[8])], "contradicts the feature bits"),
            (&[(79, &[8]), (104, &[7])], "compression type 7"),
            (&[(104, &[1])], "contradicts the feature bits"),
            (&[(95, &[1])], "no bitmaps extension"),
            (&[(23, &[8])], "clusters of 2^8 bytes"),
            (&[(23, &[22])], "clusters of 2^22 bytes"),
            (&[(99, &[7])], "refcounts of 2^7 bits"),
            (&[(36, &[1, 0, 0, 0])], "longer than 32 MiB"),
            (&[(36, &[0, 0, 0, 0])], "cannot map"),
            (&[(47, &[1])], "not at a cluster boundary"),
            (&[(45, &[4])], "not in the file"),
            (&[(56, &[0, 0, 4, 0])], "longer than 8 MiB"),
            (&[(60, &[0, 1, 0, 1])], "65537 snapshots"),
        ];
        for (changes, expected) in cases {
            let answer = answer(changes, Access::Write);
            assert!(answer.contains(expected), "{changes:?}: {answer}");
        }
    }

    #[test]
    fn a_dirty_image_can_be_read() {
        assert_eq!(answer(&[(79, &[1])], Access::Read), "admitted");
        assert!(answer(&[(79, &[2])], Access::Read).contains("marked corrupt"));
    }
}
