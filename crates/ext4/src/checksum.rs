//! The checksums of the format: CRC32c with `metadata_csum`, CRC16 with `uninit_bg`.
//!
//! Linux runs CRC32c without inverting before and after (`fs/ext4/ext4.h`, `ext4_chksum`), so that a checksum can be the seed
//! of the next one: all of a filesystem begin with its seed, those of what belongs to an inode with the inode's.

use zerocopy::IntoBytes as _;
use zerocopy::byteorder::little_endian::U32;

use crate::number::InodeNumber;

/// A CRC32c that more bytes can be added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    /// Takes a value as stored in the superblock (`s_checksum_seed`).
    pub(crate) const fn new(value: u32) -> Self {
        Self(value)
    }

    /// What a checksum with no seed begins with: of the superblock, and of the UUID for the filesystem's seed.
    pub(crate) const START: Self = Self(!0);

    /// Adds bytes.
    pub(crate) fn with(self, bytes: &[u8]) -> Self {
        Self(!crc32c::crc32c_append(!self.0, bytes))
    }

    /// Adds a number as four bytes, the least significant first.
    pub(crate) fn with_u32(self, number: u32) -> Self {
        self.with(U32::new(number).as_bytes())
    }

    /// Returns the seed of what belongs to an inode (`fs/ext4/inode.c`, `__ext4_iget`: `i_csum_seed`).
    pub(crate) fn of_inode(self, inode: InodeNumber, generation: u32) -> Self {
        self.with_u32(inode.0).with_u32(generation)
    }

    /// Returns the checksum.
    pub(crate) const fn value(self) -> u32 {
        self.0
    }

    /// Returns the checksum's lower half, which is all that some structures have room for.
    pub(crate) const fn low(self) -> u16 {
        // The lower 16 bits are what is meant.
        self.0 as u16
    }

    /// Returns the checksum's upper half.
    pub(crate) const fn high(self) -> u16 {
        (self.0 >> 16) as u16
    }
}

/// The CRC16 of group descriptors with `uninit_bg`: polynomial 0x8005, reflected (Linux `lib/crc16.c`).
pub(crate) fn crc16(mut crc: u16, bytes: &[u8]) -> u16 {
    for byte in bytes {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 0 {
                crc >> 1
            } else {
                (crc >> 1) ^ 0xa001
            };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_algorithms() {
        // CRC-32C's check value is E3069283 with the final inversion that Linux leaves out; CRC-16/ARC's is BB3D.
        assert_eq!(Seed::START.with(b"123456789").value(), !0xe306_9283);
        assert_eq!(crc16(0, b"123456789"), 0xbb3d);
    }

    #[test]
    fn bytes_can_be_added_in_parts() {
        assert_eq!(
            Seed::START.with(b"1234").with(b"56789"),
            Seed::START.with(b"123456789")
        );
        assert_eq!(
            Seed::new(7).with_u32(0x0403_0201),
            Seed::new(7).with(&[1, 2, 3, 4])
        );
    }
}
