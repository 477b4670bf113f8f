//! Text of a guest: bytes that may be anything.

use christen_vfs::shown;

/// Returns the lines without their ends; a final newline ends the last line and begins none.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.split(|byte| *byte == b'\n')
}

/// Returns what blanks, tabs and carriage returns separate.
pub(crate) fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
        .filter(|field| !field.is_empty())
}

/// As [`shown`], of at most so many bytes: a hostile field must not fill a report.
pub(crate) fn shown_short(bytes: &[u8]) -> String {
    const MOST: usize = 200;
    if bytes.len() <= MOST {
        return shown(bytes);
    }
    format!("{}...", shown(&bytes[..MOST]))
}
