//! Globally unique identifiers as UEFI stores them.

use std::fmt;

/// A GUID in the mixed byte order of UEFI 2.10, appendix A: the first three fields little-endian, the rest as it stands.
///
/// It is shown in lower case with hyphens, as Linux and `blkid` show a `PARTUUID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guid([u8; 16]);

impl Guid {
    /// Takes the bytes as they are stored.
    pub const fn from_stored(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns whether all bytes are zero, which marks an unused entry.
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 16]
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        for (position, index) in ORDER.into_iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                formatter.write_str("-")?;
            }
            write!(formatter, "{:02x}", self.0[index])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_fields_are_turned() {
        // The type of an EFI system partition, as it stands in a table.
        let stored = *b"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b";
        assert_eq!(
            Guid::from_stored(stored).to_string(),
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
        );
    }
}
