//! NTFS, whose label is an attribute of its fourth file.

use super::bytes::{read, u16_at, u32_at, u64_at, utf16_text};
use super::{Volume, VolumeKind};
use crate::device::BlockDevice;
use crate::error::Result;

/// Records are 1 KiB or 4 KiB; more than this is no NTFS.
const MOST_RECORD_BYTES: u64 = 64 << 10;

/// `ntfs.c`.
pub(super) fn ntfs(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    let Some(sector) = read(device, 0, 512)? else {
        return Ok(None);
    };
    if &sector[3..11] != b"NTFS    " {
        return Ok(None);
    }
    Ok(Some(Volume {
        kind: VolumeKind::Ntfs,
        label: label(device, &sector)?,
        uuid: Some(format!("{:016X}", u64_at(&sector, 72))),
    }))
}

/// Finds the name of the volume, attribute `0x60` of record 3 of the master file table.
fn label(device: &dyn BlockDevice, sector: &[u8]) -> Result<Option<String>> {
    let sector_bytes = u64::from(u16_at(sector, 11));
    let cluster_bytes = match sector[13] {
        count @ ..=128 => u64::from(count) * sector_bytes,
        // A negative number is the exponent of two.
        exponent => sector_bytes << (256 - u32::from(exponent)).min(20),
    };
    let record_bytes = match sector[64] {
        count @ ..128 => u64::from(count) * cluster_bytes,
        exponent => 1 << (256 - u32::from(exponent)).min(20),
    };
    if !(256..=MOST_RECORD_BYTES).contains(&record_bytes) {
        return Ok(None);
    }
    let offset = u64_at(sector, 48)
        .checked_mul(cluster_bytes)
        .and_then(|table| table.checked_add(3 * record_bytes));
    let Some(offset) = offset else {
        return Ok(None);
    };
    let Some(record) = read(device, offset, record_bytes as usize)? else {
        return Ok(None);
    };
    if !record.starts_with(b"FILE") {
        return Ok(None);
    }
    let mut rest = record
        .get(usize::from(u16_at(&record, 20))..)
        .unwrap_or_default();
    while rest.len() >= 24 {
        let (kind, length) = (u32_at(rest, 0), u32_at(rest, 4) as usize);
        let Some((attribute, behind)) = rest.split_at_checked(length) else {
            break;
        };
        if length < 24 || kind == u32::MAX {
            break;
        }
        if kind == 0x60 {
            let start = usize::from(u16_at(attribute, 20));
            let value = attribute
                .get(start..)
                .and_then(|value| value.get(..u32_at(attribute, 16) as usize));
            return Ok(value.and_then(utf16_text));
        }
        rest = behind;
    }
    Ok(None)
}
