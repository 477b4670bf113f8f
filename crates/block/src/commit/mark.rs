//! How an image says that a commit is under way.

use crate::redo::SECTOR;

/// What keeps QEMU from opening an image for writing while a change is half applied.
///
/// QEMU `docs/interop/qcow2.rst`, "Header". The mark is made in the first sector, which is written first and alone, and
/// made durable before anything else is written; it goes with the last write. A raw image has no place for a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// None: raw images, and data files of qcow2 images.
    None,
    /// qcow2 version 2, which has no feature bits: the version number is one that no program knows.
    Qcow2V2,
    /// qcow2 version 3: the `corrupt` bit of the incompatible features.
    Qcow2V3,
}

pub(crate) type Sector = [u8; SECTOR as usize];

/// A version number that nobody has given to anything, and that says what it stands for when the bits are looked at.
const VERSION_2_IN_CHANGE: [u8; 4] = 0x8000_0002_u32.to_be_bytes();
const VERSION_2: [u8; 4] = 2_u32.to_be_bytes();
/// Bytes 72 to 79 are the incompatible features, big-endian; bit 1 is `corrupt`.
const CORRUPT_BYTE: usize = 79;
const CORRUPT_BIT: u8 = 1 << 1;

impl Mark {
    /// Returns the number that stands for it in a redo file.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Qcow2V2 => 2,
            Self::Qcow2V3 => 3,
        }
    }

    pub(crate) fn parse(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            2 => Some(Self::Qcow2V2),
            3 => Some(Self::Qcow2V3),
            _ => None,
        }
    }

    /// Makes the mark.
    pub(crate) fn set(self, sector: &mut Sector) {
        match self {
            Self::None => {}
            Self::Qcow2V2 => sector[4..8].copy_from_slice(&VERSION_2_IN_CHANGE),
            Self::Qcow2V3 => sector[CORRUPT_BYTE] |= CORRUPT_BIT,
        }
    }

    /// Returns the sector as it was before it was marked, if it is marked.
    pub(crate) fn cleared(self, sector: &Sector) -> Option<Sector> {
        let mut cleared = *sector;
        match self {
            Self::None => return None,
            Self::Qcow2V2 if sector[4..8] == VERSION_2_IN_CHANGE => {
                cleared[4..8].copy_from_slice(&VERSION_2);
            }
            Self::Qcow2V3 if sector[CORRUPT_BYTE] & CORRUPT_BIT != 0 => {
                cleared[CORRUPT_BYTE] &= !CORRUPT_BIT;
            }
            Self::Qcow2V2 | Self::Qcow2V3 => return None,
        }
        Some(cleared)
    }
}
