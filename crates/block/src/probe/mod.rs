//! What an image file, or a volume, is: told from the first bytes, for reading and for reports.
//!
//! A guess never decides how something is written. Names, labels and identities are those that `blkid` prints, and the places of
//! signatures are those of `libblkid/src/superblocks/*.c` (util-linux 2.38), cited there by the format's own name.

mod bytes;
mod containers;
mod fat;
mod filesystems;
mod image;
mod ntfs;

use std::fmt;

use crate::device::BlockDevice;
use crate::error::Result;

pub use image::{IMAGE_PROBE_BYTES, ImageFormat, image_format};

/// What stands at the start of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The format.
    pub kind: VolumeKind,
    /// Its label as `blkid` prints it, without escapes: it may hold any character.
    pub label: Option<String>,
    /// Its identity as `blkid` prints it.
    pub uuid: Option<String>,
}

/// A format that is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VolumeKind {
    /// The second extended filesystem.
    Ext2,
    /// Ext2 with a journal.
    Ext3,
    /// Ext3 with more.
    Ext4,
    /// A journal of an ext filesystem on a device of its own.
    ExtJournal,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
    /// FAT12, FAT16 or FAT32.
    Vfat,
    /// exFAT.
    Exfat,
    /// NTFS.
    Ntfs,
    /// F2FS.
    F2fs,
    /// EROFS.
    Erofs,
    /// SquashFS.
    Squashfs,
    /// ISO 9660.
    Iso9660,
    /// A swap area.
    Swap,
    /// A member of a ZFS pool.
    ZfsMember,
    /// An encrypted volume of dm-crypt.
    Luks,
    /// A volume encrypted by Windows.
    BitLocker,
    /// A physical volume of LVM2.
    Lvm2Member,
    /// A member of a Linux software RAID.
    LinuxRaidMember,
    /// A device of bcache.
    Bcache,
}

impl VolumeKind {
    /// Returns the name that `blkid` prints as `TYPE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::ExtJournal => "jbd",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Vfat => "vfat",
            Self::Exfat => "exfat",
            Self::Ntfs => "ntfs",
            Self::F2fs => "f2fs",
            Self::Erofs => "erofs",
            Self::Squashfs => "squashfs",
            Self::Iso9660 => "iso9660",
            Self::Swap => "swap",
            Self::ZfsMember => "zfs_member",
            Self::Luks => "crypto_LUKS",
            Self::BitLocker => "BitLocker",
            Self::Lvm2Member => "LVM2_member",
            Self::LinuxRaidMember => "linux_raid_member",
            Self::Bcache => "bcache",
        }
    }
}

impl fmt::Display for VolumeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Looks for the signature of one format.
type Probe = fn(&dyn BlockDevice) -> Result<Option<Volume>>;

/// Returns every format whose signature stands in a volume; what holds other volumes comes first.
///
/// More than one means that something was not wiped before the volume was used anew, or that an image is several things on
/// purpose. Whoever is to write there should then be told by its owner which one it is.
///
/// # Errors
///
/// Whatever the device reports. Damage behind a signature is no error: then the label or the identity is missing.
pub fn volumes(device: &dyn BlockDevice) -> Result<Vec<Volume>> {
    let probes: [Probe; 17] = [
        containers::raid,
        containers::luks,
        containers::lvm2,
        containers::bcache,
        containers::bitlocker,
        containers::zfs,
        filesystems::ext,
        filesystems::xfs,
        filesystems::btrfs,
        filesystems::f2fs,
        filesystems::erofs,
        filesystems::squashfs,
        filesystems::iso9660,
        filesystems::swap,
        filesystems::exfat,
        ntfs::ntfs,
        fat::vfat,
    ];
    let mut found = Vec::new();
    for probe in probes {
        found.extend(probe(device)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::MemoryDevice;

    #[test]
    fn nothing_is_found_in_nothing() {
        for length in [0, 1, 511, 4096, 300_000] {
            assert_eq!(volumes(&MemoryDevice::new(vec![0; length])).unwrap(), []);
        }
    }

    /// Signatures alone, with all the rest as large or as small as it can be.
    #[test]
    fn a_signature_with_rubbish_behind_it_is_no_fault() {
        let signatures: [(usize, &[u8]); 8] = [
            (3, b"NTFS    "),
            (82, b"FAT32   "),
            (512, b"LABELONE"),
            (0, b"LUKS\xba\xbe"),
            (1080, b"\x53\xef"),
            (32769, b"CD001"),
            (65600, b"_BHRfS_M"),
            (4086, b"SWAPSPACE2"),
        ];
        for (offset, signature) in signatures {
            for fill in [0, 0x7f, 0x80, 0xff] {
                for length in [offset + signature.len(), 70_000, 200_001] {
                    let mut bytes = vec![fill; length.max(offset + signature.len())];
                    bytes[offset..offset + signature.len()].copy_from_slice(signature);
                    volumes(&MemoryDevice::new(bytes)).unwrap();
                }
            }
        }
    }
}
