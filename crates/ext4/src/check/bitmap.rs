//! A bitmap as long as a filesystem that needs memory only where bits are set.

use std::collections::BTreeMap;

const WORDS: u64 = 512;
const BITS: u64 = WORDS * 64;

/// Bits that are 0 until they are set, in pieces of 4 KiB.
#[derive(Debug, Default)]
pub(super) struct SparseBitmap {
    pieces: BTreeMap<u64, Box<[u64; WORDS as usize]>>,
}

impl SparseBitmap {
    /// Sets a bit and tells whether it was set before.
    pub(super) fn set(&mut self, bit: u64) -> bool {
        let piece = self
            .pieces
            .entry(bit / BITS)
            .or_insert_with(|| Box::new([0; WORDS as usize]));
        let word = &mut piece[(bit % BITS / 64) as usize];
        let mask = 1 << (bit % 64);
        let before = *word & mask != 0;
        *word |= mask;
        before
    }

    /// Sets a range of bits and returns the first that was set before.
    pub(super) fn set_range(&mut self, start: u64, length: u64) -> Option<u64> {
        let mut first = None;
        let mut at = start;
        let end = start + length;
        while at < end {
            let piece = self
                .pieces
                .entry(at / BITS)
                .or_insert_with(|| Box::new([0; WORDS as usize]));
            let stop = end.min((at / BITS + 1) * BITS);
            while at < stop {
                let word = &mut piece[(at % BITS / 64) as usize];
                let count = (64 - at % 64).min(stop - at);
                let mask = (u64::MAX >> (64 - count)) << (at % 64);
                let common = *word & mask;
                if common != 0 && first.is_none() {
                    first = Some(at - at % 64 + u64::from(common.trailing_zeros()));
                }
                *word |= mask;
                at += count;
            }
        }
        first
    }

    /// Returns 64 bits from any place on.
    pub(super) fn word(&self, start: u64) -> u64 {
        let shift = start % 64;
        let low = self.aligned_word(start - shift) >> shift;
        if shift == 0 {
            return low;
        }
        low | self.aligned_word(start - shift + 64) << (64 - shift)
    }

    fn aligned_word(&self, start: u64) -> u64 {
        self.pieces
            .get(&(start / BITS))
            .map_or(0, |piece| piece[(start % BITS / 64) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_what_single_bits_are() {
        let mut ranges = SparseBitmap::default();
        assert_eq!(ranges.set_range(100, 70_000), None);
        for start in 0..70_200 {
            let expected = (0..64).fold(0, |word, bit| {
                word | u64::from((100..70_100).contains(&(start + bit))) << bit
            });
            assert_eq!(ranges.word(start), expected, "{start}");
        }
        assert_eq!(ranges.set_range(50, 49), None);
        assert_eq!(ranges.set_range(64, 300), Some(64));
        assert_eq!(ranges.set_range(90, 30), Some(90));
        assert_eq!(ranges.set_range(1 << 40, 1), None);
        assert!(ranges.set(1 << 40));
    }
}
