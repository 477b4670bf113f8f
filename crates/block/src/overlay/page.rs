//! Pages of a file that are held in memory.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// What is held at once.
pub(crate) const PAGE: usize = 4096;
/// What is known to have changed or not.
pub(crate) const SECTOR: usize = 512;

/// A page of which some sectors are known and some of those were written.
#[derive(Debug)]
pub(crate) struct Page {
    /// A bit for each sector whose bytes are right; every dirty one is valid.
    pub(crate) valid: u8,
    /// A bit for each sector that was written.
    pub(crate) dirty: u8,
    pub(crate) bytes: Box<[u8; PAGE]>,
}

impl Page {
    pub(crate) fn empty() -> Self {
        Self {
            valid: 0,
            dirty: 0,
            bytes: Box::new([0; PAGE]),
        }
    }

    /// Takes over the sectors that are not valid yet.
    pub(crate) fn complete(&mut self, content: &[u8; PAGE]) {
        for sector in 0..PAGE / SECTOR {
            if self.valid & (1 << sector) == 0 {
                let range = sector * SECTOR..(sector + 1) * SECTOR;
                self.bytes[range.clone()].copy_from_slice(&content[range]);
            }
        }
        self.valid = u8::MAX;
    }
}

/// Returns the sectors that a range of a page touches, as bits.
pub(crate) fn touched(start: usize, end: usize) -> u8 {
    bits(start / SECTOR, end.div_ceil(SECTOR))
}

/// Returns the sectors that a range of a page covers whole, as bits.
pub(crate) fn covered(start: usize, end: usize) -> u8 {
    bits(start.div_ceil(SECTOR), end / SECTOR)
}

fn bits(from: usize, to: usize) -> u8 {
    if from >= to {
        return 0;
    }
    // At most eight sectors, so the difference is in 1..=8.
    ((((1_u16 << (to - from)) - 1) << from) & 0xff) as u8
}

/// Pages by their number.
pub(crate) type PageMap = HashMap<u64, Page, BuildHasherDefault<PageHasher>>;

/// A hash for page numbers, which nobody can choose to collide but at a cost of their own: an image has as many pages as it has.
#[derive(Debug, Default)]
pub(crate) struct PageHasher(u64);

impl Hasher for PageHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio, as in Knuth's multiplicative hashing; the table uses the low bits and the top seven.
        let product = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_of_a_range() {
        assert_eq!(touched(0, 1), 0b1);
        assert_eq!(touched(0, 4096), 0xff);
        assert_eq!(touched(511, 513), 0b11);
        assert_eq!(touched(4095, 4096), 0x80);
        assert_eq!(covered(0, 4096), 0xff);
        assert_eq!(covered(1, 1023), 0);
        assert_eq!(covered(1, 1024), 0b10);
        assert_eq!(covered(512, 1023), 0);
    }
}
