//! The three ways in which a drive writes a time.

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` for no such date.
fn days_from_civil(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    let lengths: [u32; 12] = [
        31,
        if leap { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    if day == 0 || day > *lengths.get(index)? {
        return None;
    }
    // Whole years before this one, with their leap days, then whole months.
    let before = year.checked_sub(1)?;
    let leap_days = before
        .div_euclid(4)
        .checked_sub(before.div_euclid(100))?
        .checked_add(before.div_euclid(400))?;
    let months: u32 = lengths.iter().take(index).sum();
    before
        .checked_mul(365)?
        .checked_add(leap_days)?
        .checked_add(i64::from(months))?
        .checked_add(i64::from(day))?
        // Day 1 of year 1 counts 1; this is the count of 1970-01-01.
        .checked_sub(719_163)
}

/// A date and a time of day in UTC, as seconds since 1970.
fn unix_seconds(
    year: i64,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
) -> Option<i64> {
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    days_from_civil(year, month, day)?
        .checked_mul(86_400)?
        .checked_add(i64::from(hour).checked_mul(3600)?)?
        .checked_add(i64::from(minute).checked_mul(60)?)?
        .checked_add(i64::from(second))
}

/// Quarters of an hour east of Greenwich, from -48 to 52 (ECMA-119 §8.4.26.1, §9.1.5).
fn zone_seconds(quarters: u8) -> Option<i64> {
    let quarters = i64::from(i8::from_le_bytes([quarters]));
    (-52..=56)
        .contains(&quarters)
        .then_some(quarters)?
        .checked_mul(900)
}

/// The seven bytes of a directory record and of a short `TF` field (ECMA-119 §9.1.5):
/// years since 1900, month, day, hour, minute, second, zone. All zero means no time.
pub(crate) fn record_time(bytes: [u8; 7]) -> Option<i64> {
    let [year, month, day, hour, minute, second, zone] = bytes;
    unix_seconds(
        i64::from(year).checked_add(1900)?,
        u32::from(month),
        u32::from(day),
        u32::from(hour),
        u32::from(minute),
        u32::from(second),
    )?
    .checked_sub(zone_seconds(zone)?)
}

/// The seventeen bytes of a volume descriptor and of a long `TF` field (ECMA-119
/// §8.4.26.1): digits, hundredths, zone. Zeros mean no time.
pub(crate) fn descriptor_time(bytes: &[u8; 17]) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = bytes.get(from..to)?;
        std::str::from_utf8(digits)
            .ok()
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?
            .parse()
            .ok()
    };
    unix_seconds(
        i64::from(number(0, 4)?),
        number(4, 6)?,
        number(6, 8)?,
        number(8, 10)?,
        number(10, 12)?,
        number(12, 14)?,
    )?
    .checked_sub(zone_seconds(bytes[16])?)
}

/// FAT's date and time words: local time, in steps of two seconds. Date 0 means no time.
pub(crate) fn fat_time(date: u16, time: u16) -> Option<i64> {
    unix_seconds(
        i64::from(date >> 9).checked_add(1980)?,
        u32::from((date >> 5) & 0x0f),
        u32::from(date & 0x1f),
        u32::from(time >> 11),
        u32::from((time >> 5) & 0x3f),
        u32::from(time & 0x1f).checked_mul(2)?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_record() {
        let check = |bytes, expected| assert_eq!(record_time(bytes), expected, "{bytes:?}");
        check([70, 1, 1, 0, 0, 0, 0], Some(0));
        check([126, 11, 22, 20, 10, 5, 0], Some(1_795_378_205));
        check([126, 11, 22, 21, 10, 5, 4], Some(1_795_378_205));
        check([100, 2, 29, 0, 0, 0, 0], Some(951_782_400));
        check([101, 2, 29, 0, 0, 0, 0], None);
        check([70, 0, 1, 0, 0, 0, 0], None);
        check([70, 13, 1, 0, 0, 0, 0], None);
        check([70, 1, 1, 24, 0, 0, 0], None);
        check([0; 7], None);
        check([255; 7], None);
    }

    #[test]
    fn times_of_a_descriptor() {
        let check = |text: &[u8; 17], expected| assert_eq!(descriptor_time(text), expected);
        check(b"2026112220100500\0", Some(1_795_378_205));
        check(b"2026112221100500\x04", Some(1_795_378_205));
        check(b"0000000000000000\0", None);
        check(b"                \0", None);
        check(b"+026112220100500\0", None);
    }

    #[test]
    fn times_of_fat() {
        let date = (46 << 9) | (11 << 5) | 22;
        let time = (20 << 11) | (10 << 5) | 2;
        assert_eq!(fat_time(date, time), Some(1_795_378_204));
        assert_eq!(fat_time(0, 0), None);
        assert_eq!(fat_time(0xffff, 0xffff), None);
    }
}
