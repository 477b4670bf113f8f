//! Little-endian numbers in bytes, and the checksum over them.

/// Reads 16 bits; past the end they are 0.
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    let mut word = [0; 2];
    copy(bytes, offset, &mut word);
    u16::from_le_bytes(word)
}

/// Reads 32 bits; past the end they are 0.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut word = [0; 4];
    copy(bytes, offset, &mut word);
    u32::from_le_bytes(word)
}

/// Reads 32 bits in network order, as the journal has them; past the end they are 0.
pub(super) fn big_u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32_at(bytes, offset).swap_bytes()
}

/// Reads 64 bits; past the end they are 0.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from(u32_at(bytes, offset)) | u64::from(u32_at(bytes, offset + 4)) << 32
}

/// Joins two halves.
pub(super) fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn copy(bytes: &[u8], offset: usize, word: &mut [u8]) {
    if let Some(source) = bytes.get(offset..offset + word.len()) {
        word.copy_from_slice(source);
    }
}

/// Goes on with a CRC-32C as the kernel keeps it: not inverted at the end.
pub(super) fn crc32c(state: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!state, bytes)
}

/// Goes on with the CRC-16 of `uninit_bg`: polynomial 0x8005, reflected. Linux `lib/crc16.c`.
pub(super) fn crc16(state: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(state, |state, byte| {
        (0..8).fold(state ^ u16::from(*byte), |state, _| {
            (state >> 1) ^ if state & 1 == 1 { 0xa001 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_have_their_known_values() {
        // The check values of both in the catalogue of CRC algorithms (CRC-16/ARC starts from 0).
        assert_eq!(crc16(0, b"123456789"), 0xbb3d);
        assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn there_is_nothing_past_the_end() {
        assert_eq!(u32_at(&[1, 2, 3], 0), 0);
        assert_eq!(u16_at(&[1, 2, 3], 1), 0x0302);
        assert_eq!(u64_at(&[1, 0, 0, 0, 2, 0, 0, 0], 0), 0x2_0000_0001);
    }
}
