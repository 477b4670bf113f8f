//! Taking numbers and texts out of bytes that may end too early.

use std::fmt::Write;

use crate::device::BlockDevice;
use crate::error::Result;

/// Reads a range, or nothing if it does not lie in the device.
pub(super) fn read(
    device: &dyn BlockDevice,
    offset: u64,
    length: usize,
) -> Result<Option<Vec<u8>>> {
    let in_device = offset
        .checked_add(length as u64)
        .is_some_and(|end| end <= device.length());
    if !in_device {
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    device.read_at(&mut bytes, offset)?;
    Ok(Some(bytes))
}

fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// Returns the 16-bit little-endian number at an offset; what is missing counts as 0.
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    array(bytes, offset).map_or(0, u16::from_le_bytes)
}

/// Returns the 32-bit little-endian number at an offset; what is missing counts as 0.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    array(bytes, offset).map_or(0, u32::from_le_bytes)
}

/// Returns the 64-bit little-endian number at an offset; what is missing counts as 0.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    array(bytes, offset).map_or(0, u64::from_le_bytes)
}

/// Returns 16 bytes as a UUID in the order in which they stand; zeros are none.
pub(super) fn uuid_at(bytes: &[u8], offset: usize) -> Option<String> {
    let uuid: [u8; 16] = array(bytes, offset)?;
    if uuid == [0; 16] {
        return None;
    }
    let mut text = String::with_capacity(36);
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

/// Returns a text that ends at a NUL or at the end of its field, without the blanks behind it; an empty one is none.
pub(super) fn text_at(bytes: &[u8], offset: usize, length: usize) -> Option<String> {
    let field = bytes.get(offset..offset.checked_add(length)?)?;
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Returns a UTF-16 text, little-endian, that ends at a NUL or at the end of its field.
pub(super) fn utf16_text(field: &[u8]) -> Option<String> {
    let units = field
        .chunks_exact(2)
        .map(|pair| u16_at(pair, 0))
        .take_while(|unit| *unit != 0);
    let text: String = char::decode_utf16(units)
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}
