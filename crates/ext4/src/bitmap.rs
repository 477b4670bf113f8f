//! Bitmaps: bit `n` is bit `n % 8` of byte `n / 8`.

use std::ops::Range;

use zerocopy::FromBytes as _;
use zerocopy::byteorder::little_endian::U64;

/// Tells whether a bit is set; what lies behind the end is.
pub(crate) fn is_set(bitmap: &[u8], bit: u32) -> bool {
    bitmap
        .get(bit as usize / 8)
        .is_none_or(|byte| byte & (1 << (bit % 8)) != 0)
}

/// Sets or clears bits.
pub(crate) fn fill(bitmap: &mut [u8], bits: Range<u32>, set: bool) {
    let mut bit = bits.start;
    while bit < bits.end {
        let index = bit as usize / 8;
        let Some(byte) = bitmap.get_mut(index) else {
            return;
        };
        if bit.is_multiple_of(8) && bits.end - bit >= 8 {
            *byte = if set { 0xff } else { 0 };
            bit += 8;
        } else {
            let mask = 1 << (bit % 8);
            if set {
                *byte |= mask;
            } else {
                *byte &= !mask;
            }
            bit += 1;
        }
    }
}

/// Returns the first bit of a range that is set, or clear.
pub(crate) fn first(bitmap: &[u8], bits: Range<u32>, set: bool) -> Option<u32> {
    let mut bit = bits.start;
    while bit < bits.end {
        let word_start = bit / 64 * 64;
        let at = word_start as usize / 8;
        let word = match bitmap
            .get(at..at + 8)
            .and_then(|bytes| U64::ref_from_bytes(bytes).ok())
        {
            Some(word) => word.get(),
            // The last bytes of a bitmap that is no multiple of eight long: none is, but nothing depends on it.
            None => bitmap
                .get(at..)?
                .iter()
                .rev()
                .fold(!0, |word, byte| word << 8 | u64::from(*byte)),
        };
        let wanted = if set { word } else { !word } & (!0 << (bit % 64));
        if wanted != 0 {
            let found = word_start + wanted.trailing_zeros();
            return (found < bits.end).then_some(found);
        }
        bit = word_start + 64;
    }
    None
}

/// Counts the bits of a range, from 0 on, that are clear.
pub(crate) fn count_clear(bitmap: &[u8], bits: u32) -> u32 {
    let whole = (bits as usize / 8).min(bitmap.len());
    let mut clear: u32 = bitmap[..whole].iter().map(|byte| byte.count_zeros()).sum();
    for bit in whole as u32 * 8..bits {
        clear += u32::from(!is_set(bitmap, bit));
    }
    clear
}

/// Returns the first run of at least `wanted` clear bits in a range, or else the longest; `wanted` bits of it at most.
pub(crate) fn clear_run(bitmap: &[u8], bits: Range<u32>, wanted: u32) -> Option<Range<u32>> {
    let mut best: Option<Range<u32>> = None;
    let mut bit = bits.start;
    while let Some(start) = first(bitmap, bit..bits.end, false) {
        let limit = bits.end.min(start.saturating_add(wanted));
        let end = first(bitmap, start..limit, true).unwrap_or(limit);
        if best
            .as_ref()
            .is_none_or(|best| end - start > best.end - best.start)
        {
            best = Some(start..end);
        }
        if end - start >= wanted {
            break;
        }
        bit = end;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found() {
        let mut bitmap = vec![0xff; 32];
        fill(&mut bitmap, 3..5, false);
        fill(&mut bitmap, 60..140, false);
        fill(&mut bitmap, 200..203, false);
        assert_eq!(clear_run(&bitmap, 0..256, 1), Some(3..4));
        assert_eq!(clear_run(&bitmap, 0..256, 2), Some(3..5));
        assert_eq!(clear_run(&bitmap, 0..256, 3), Some(60..63));
        assert_eq!(clear_run(&bitmap, 0..256, 500), Some(60..140));
        assert_eq!(clear_run(&bitmap, 141..256, 500), Some(200..203));
        assert_eq!(clear_run(&bitmap, 203..256, 1), None);
        assert_eq!(count_clear(&bitmap, 256), 85);
        assert_eq!(count_clear(&bitmap, 61), 3);
        fill(&mut bitmap, 3..203, true);
        assert!(bitmap.iter().all(|byte| *byte == 0xff));
    }

    #[test]
    fn every_range_of_bits() {
        for start in 0..70 {
            for end in start..130 {
                let mut bitmap = vec![0; 20];
                fill(&mut bitmap, start..end, true);
                assert_eq!(count_clear(&bitmap, 160), 160 - (end - start));
                let found = first(&bitmap, 0..160, true);
                assert_eq!(found, (start < end).then_some(start));
                assert_eq!(first(&bitmap, start..160, false), Some(end));
            }
        }
    }
}
