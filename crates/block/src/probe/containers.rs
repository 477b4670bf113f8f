//! Volumes that hold other volumes.

use super::bytes::{read, text_at, u16_at, u32_at, u64_at, uuid_at};
use super::{Volume, VolumeKind};
use crate::device::BlockDevice;
use crate::error::Result;

/// `linux_raid.c`: versions 1.1, 1.2, 1.0 and 0.90, which differ in where the superblock stands.
pub(super) fn raid(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    const MAGIC: u32 = 0xa92b_4efc;
    let length = device.length();
    let sectors = length / 512;
    // 1.0 is at least 8 KiB from the end, on a boundary of 4 KiB.
    let at_end = sectors.checked_sub(16).map(|sector| (sector & !7) * 512);
    for offset in [Some(0), Some(4096), at_end].into_iter().flatten() {
        let Some(bytes) = read(device, offset, 256)? else {
            continue;
        };
        // A superblock of version 1 names the sector in which it stands.
        if u32_at(&bytes, 0) == MAGIC
            && u32_at(&bytes, 4) == 1
            && u64_at(&bytes, 144) == offset / 512
        {
            return Ok(Some(Volume {
                kind: VolumeKind::LinuxRaidMember,
                label: text_at(&bytes, 32, 32),
                uuid: uuid_at(&bytes, 16),
            }));
        }
    }
    // 0.90 is in the last whole 64 KiB, and only if there are two.
    let Some(offset) = (length & !0xffff).checked_sub(0x1_0000) else {
        return Ok(None);
    };
    let Some(bytes) = read(device, offset, 128)? else {
        return Ok(None);
    };
    if u32_at(&bytes, 0) != MAGIC || u32_at(&bytes, 4) != 0 || offset == 0 {
        return Ok(None);
    }
    let mut set = bytes[20..24].to_vec();
    set.extend_from_slice(&bytes[52..64]);
    Ok(Some(Volume {
        kind: VolumeKind::LinuxRaidMember,
        label: None,
        uuid: uuid_at(&set, 0),
    }))
}

/// `luks.c`. The identity is a text.
pub(super) fn luks(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    let Some(bytes) = read(device, 0, 512)? else {
        return Ok(None);
    };
    if !bytes.starts_with(b"LUKS\xba\xbe") {
        return Ok(None);
    }
    // The version is big-endian; only the second has a label.
    let label = match &bytes[6..8] {
        [0, 2] => text_at(&bytes, 24, 48),
        _ => None,
    };
    Ok(Some(Volume {
        kind: VolumeKind::Luks,
        label,
        uuid: text_at(&bytes, 168, 40),
    }))
}

/// `lvm.c`: the label is in one of the first four sectors.
pub(super) fn lvm2(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    for sector in 0..4 {
        let Some(bytes) = read(device, sector * 512, 512)? else {
            break;
        };
        if !bytes.starts_with(b"LABELONE")
            || u64_at(&bytes, 8) != sector
            || &bytes[24..32] != b"LVM2 001"
        {
            continue;
        }
        let header = u32_at(&bytes, 20) as usize;
        let uuid = text_at(&bytes, header, 32).map(|text| dashed(&text));
        return Ok(Some(Volume {
            kind: VolumeKind::Lvm2Member,
            label: None,
            uuid,
        }));
    }
    Ok(None)
}

/// LVM2 shows an identity of 32 characters in groups.
fn dashed(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 6);
    for (index, character) in text.chars().enumerate() {
        if matches!(index, 6 | 10 | 14 | 18 | 22 | 26) {
            shown.push('-');
        }
        shown.push(character);
    }
    shown
}

/// `bcache.c`.
pub(super) fn bcache(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    const MAGIC: &[u8] = b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81";
    let Some(bytes) = read(device, 4096, 128)? else {
        return Ok(None);
    };
    // The superblock names its own sector.
    let found = &bytes[24..40] == MAGIC && u64_at(&bytes, 8) == 8;
    Ok(found.then(|| Volume {
        kind: VolumeKind::Bcache,
        label: text_at(&bytes, 72, 32),
        uuid: uuid_at(&bytes, 40),
    }))
}

/// `bitlocker.c`.
pub(super) fn bitlocker(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    let Some(bytes) = read(device, 0, 512)? else {
        return Ok(None);
    };
    Ok((&bytes[3..11] == b"-FVE-FS-").then_some(Volume {
        kind: VolumeKind::BitLocker,
        label: None,
        uuid: None,
    }))
}

/// `zfs.c`: the first label has 128 KiB of uberblocks in either byte order. A pool in use has several; one alone may be chance.
pub(super) fn zfs(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    const MAGIC: u64 = 0x00ba_b10c;
    let Some(bytes) = read(device, 128 << 10, 128 << 10)? else {
        return Ok(None);
    };
    let count = bytes
        .chunks_exact(1024)
        .map(|block| u64_at(block, 0))
        .filter(|magic| *magic == MAGIC || magic.swap_bytes() == MAGIC)
        .count();
    Ok((count >= 4).then_some(Volume {
        kind: VolumeKind::ZfsMember,
        label: None,
        uuid: None,
    }))
}

/// Returns whether a first sector ends as a boot sector does.
pub(super) fn has_boot_signature(sector: &[u8]) -> bool {
    u16_at(sector, 510) == 0xaa55
}
