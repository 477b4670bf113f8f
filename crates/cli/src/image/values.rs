//! Values that are typed the same way on the command line and in a script.
//!
//! Each function gives a hint where the text is wrong; the caller says what was expected and where.

use christen_vfs::Timestamp;

/// Permission bits in octal.
pub(crate) fn mode(text: &str) -> Result<u16, &'static str> {
    const HINT: &str = "write one to four octal digits, as `0644`, or five with a 0 before them";
    let digits = match text.len() {
        1..=4 => text,
        5 => text.strip_prefix('0').ok_or(HINT)?,
        _ => return Err(HINT),
    };
    if !digits.bytes().all(|byte| matches!(byte, b'0'..=b'7')) {
        return Err(HINT);
    }
    u16::from_str_radix(digits, 8).map_err(|_| HINT)
}

/// A number of bytes, with `K`, `M`, `G` or `T` for powers of 1024.
pub(crate) fn size(text: &str) -> Result<u64, &'static str> {
    const HINT: &str = "write a number of bytes, or one with `K`, `M`, `G` or `T` behind it";
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        Some(b'T') => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HINT);
    }
    let number: u64 = digits.parse().map_err(|_| HINT)?;
    number.checked_mul(1 << shift).ok_or(HINT)
}

/// A moment: RFC 3339, or `@` and seconds since 1970.
pub(crate) fn time(text: &str) -> Result<Timestamp, &'static str> {
    const HINT: &str = "write it as RFC 3339 with an offset: `2026-01-15T12:00:00Z`, or as `@` and seconds since 1970";
    let moment: jiff::Timestamp = match text.strip_prefix('@') {
        Some(seconds) => jiff::Timestamp::from_second(seconds.parse().map_err(|_| HINT)?),
        None => text.parse(),
    }
    .map_err(|_| HINT)?;
    Ok(timestamp(moment))
}

/// The same moment as filesystems keep it: nanoseconds count forward from the second, before 1970 too.
pub(crate) fn timestamp(moment: jiff::Timestamp) -> Timestamp {
    let nanoseconds = moment.as_nanosecond();
    let billion = 1_000_000_000;
    Timestamp {
        // Years up to 9999 are far below the limits of both.
        seconds: nanoseconds.div_euclid(billion) as i64,
        nanoseconds: nanoseconds.rem_euclid(billion) as u32,
    }
}

/// The name of an extended attribute with its namespace.
pub(crate) fn attribute_name(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    const HINT: &str = "write its namespace too: `user.`, `security.`, `trusted.` or `system.`";
    let known = [&b"user."[..], b"security.", b"trusted.", b"system."];
    let named = known
        .iter()
        .any(|prefix| bytes.len() > prefix.len() && bytes.starts_with(prefix));
    // Linux takes 255 bytes (`XATTR_NAME_MAX`).
    if !named || bytes.len() > 255 || bytes.contains(&0) {
        return Err(HINT);
    }
    Ok(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal() {
        assert_eq!(mode("0644"), Ok(0o644));
        assert_eq!(mode("07777"), Ok(0o7777));
        assert_eq!(mode("0"), Ok(0));
        for wrong in ["", "0888", "u+x", "17777", "000644", "+644", "-1"] {
            assert!(mode(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_powers_of_1024() {
        assert_eq!(size("0"), Ok(0));
        assert_eq!(size("3K"), Ok(3072));
        assert_eq!(size("2G"), Ok(2 << 30));
        for wrong in ["", "K", "-1", "1KB", "99999999T", "1.5G", "+1"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_before_1970_have_nanoseconds_that_count_forward() {
        let moment = |seconds, nanoseconds| {
            Ok(Timestamp {
                seconds,
                nanoseconds,
            })
        };
        assert_eq!(time("1969-12-31T23:59:59.75Z"), moment(-1, 750_000_000));
        assert_eq!(time("2026-01-15T12:00:00Z"), moment(1_768_478_400, 0));
        assert_eq!(time("@-5"), moment(-5, 0));
        assert!(time("2026-01-15").is_err());
        assert!(time("@1.5").is_err());
    }

    #[test]
    fn attributes_have_a_namespace() {
        assert!(attribute_name(b"user.note").is_ok());
        for wrong in [&b"note"[..], b"user.", b"other.x", b"user.a\0"] {
            assert!(attribute_name(wrong).is_err());
        }
    }
}
