//! Filesystems whose superblock says everything, and swap areas.

use super::bytes::{read, text_at, u16_at, u32_at, utf16_text, uuid_at};
use super::{Volume, VolumeKind};
use crate::device::BlockDevice;
use crate::error::Result;

/// `ext.c`: which of the three it is depends on the features.
pub(super) fn ext(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    const HAS_JOURNAL: u32 = 0x4;
    const JOURNAL_DEVICE: u32 = 0x8;
    /// What ext3 knows: filetype, recover, meta_bg; sparse_super, large_file, btree_dir.
    const EXT3_INCOMPATIBLE: u32 = 0x2 | 0x4 | 0x10;
    const EXT3_READ_ONLY: u32 = 0x1 | 0x2 | 0x4;

    let Some(bytes) = read(device, 1024, 256)? else {
        return Ok(None);
    };
    if u16_at(&bytes, 56) != 0xef53 {
        return Ok(None);
    }
    let compatible = u32_at(&bytes, 92);
    let incompatible = u32_at(&bytes, 96);
    let read_only = u32_at(&bytes, 100);
    let kind = if incompatible & JOURNAL_DEVICE != 0 {
        VolumeKind::ExtJournal
    } else if incompatible & !EXT3_INCOMPATIBLE != 0 || read_only & !EXT3_READ_ONLY != 0 {
        VolumeKind::Ext4
    } else if compatible & HAS_JOURNAL != 0 {
        VolumeKind::Ext3
    } else {
        VolumeKind::Ext2
    };
    Ok(Some(Volume {
        kind,
        label: text_at(&bytes, 120, 16),
        uuid: uuid_at(&bytes, 104),
    }))
}

/// `xfs.c`.
pub(super) fn xfs(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    let Some(bytes) = read(device, 0, 512)? else {
        return Ok(None);
    };
    Ok(bytes.starts_with(b"XFSB").then(|| Volume {
        kind: VolumeKind::Xfs,
        label: text_at(&bytes, 108, 12),
        uuid: uuid_at(&bytes, 32),
    }))
}

/// `btrfs.c`.
pub(super) fn btrfs(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    let Some(bytes) = read(device, 64 << 10, 1024)? else {
        return Ok(None);
    };
    Ok((&bytes[64..72] == b"_BHRfS_M").then(|| Volume {
        kind: VolumeKind::Btrfs,
        label: text_at(&bytes, 299, 256),
        uuid: uuid_at(&bytes, 32),
    }))
}

/// `f2fs.c`.
pub(super) fn f2fs(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    let Some(bytes) = read(device, 1024, 1148)? else {
        return Ok(None);
    };
    Ok((u32_at(&bytes, 0) == 0xf2f5_2010).then(|| Volume {
        kind: VolumeKind::F2fs,
        label: utf16_text(&bytes[124..1148]),
        uuid: uuid_at(&bytes, 108),
    }))
}

/// `erofs.c`.
pub(super) fn erofs(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    let Some(bytes) = read(device, 1024, 128)? else {
        return Ok(None);
    };
    Ok((u32_at(&bytes, 0) == 0xe0f5_e1e2).then(|| Volume {
        kind: VolumeKind::Erofs,
        label: text_at(&bytes, 64, 16),
        uuid: uuid_at(&bytes, 48),
    }))
}

/// `squashfs.c`: version 4 and, as `blkid` tells them apart, no version before 3.
pub(super) fn squashfs(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    let Some(bytes) = read(device, 0, 96)? else {
        return Ok(None);
    };
    let found = bytes.starts_with(b"hsqs") && u16_at(&bytes, 28) > 3;
    Ok(found.then_some(Volume {
        kind: VolumeKind::Squashfs,
        label: None,
        uuid: None,
    }))
}

/// `iso9660.c`: the identity is the time of the last change or, if there is none, of the making.
pub(super) fn iso9660(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    let Some(bytes) = read(device, 32 << 10, 2048)? else {
        return Ok(None);
    };
    if &bytes[1..6] != b"CD001" {
        return Ok(None);
    }
    Ok(Some(Volume {
        kind: VolumeKind::Iso9660,
        label: text_at(&bytes, 40, 32),
        uuid: iso_moment(&bytes[830..847]).or_else(|| iso_moment(&bytes[813..830])),
    }))
}

/// Sixteen digits, year to hundredths of a second, and a zone.
fn iso_moment(field: &[u8]) -> Option<String> {
    let digits = &field[..16];
    if !digits.iter().all(u8::is_ascii_digit) || digits.iter().all(|digit| *digit == b'0') {
        return None;
    }
    let mut text = String::with_capacity(22);
    for (index, digit) in digits.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10 | 12 | 14) {
            text.push('-');
        }
        text.push(char::from(*digit));
    }
    Some(text)
}

/// `swap.c`: the signature is at the end of the first page, whose size is that of the machine which made it.
pub(super) fn swap(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    for page in [4096, 8192, 16384, 65536] {
        let Some(signature) = read(device, page - 10, 10)? else {
            break;
        };
        if &signature != b"SWAPSPACE2" {
            continue;
        }
        let Some(bytes) = read(device, 1024, 64)? else {
            break;
        };
        return Ok(Some(Volume {
            kind: VolumeKind::Swap,
            label: text_at(&bytes, 28, 16),
            uuid: uuid_at(&bytes, 12),
        }));
    }
    Ok(None)
}

/// `exfat.c`. The label is in the root directory and not read.
pub(super) fn exfat(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    let Some(bytes) = read(device, 0, 512)? else {
        return Ok(None);
    };
    let serial = u32_at(&bytes, 100);
    Ok((&bytes[3..11] == b"EXFAT   ").then(|| Volume {
        kind: VolumeKind::Exfat,
        label: None,
        uuid: Some(format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff)),
    }))
}
