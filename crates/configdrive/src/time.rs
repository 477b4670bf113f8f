//! Points in time and their calendar form.

/// A point in time: seconds since 1970-01-01T00:00:00Z, and nanoseconds after that second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Whole seconds since 1970-01-01T00:00:00Z; negative before.
    pub seconds: i64,
    /// Nanoseconds after that second, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// A [`Timestamp`] in the Gregorian calendar, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    pub(crate) centisecond: u8,
}

const SECONDS_PER_DAY: i64 = 86_400;
/// Days in 400 years of the Gregorian calendar, after which it repeats.
const DAYS_PER_ERA: i64 = 146_097;

impl Timestamp {
    /// Returns the beginning of a second.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self {
            seconds,
            nanoseconds: 0,
        }
    }

    /// Returns the calendar form in UTC.
    pub(crate) fn civil(self) -> Civil {
        let days = self.seconds.div_euclid(SECONDS_PER_DAY);
        let second_of_day = self.seconds.rem_euclid(SECONDS_PER_DAY);
        // Counted from 0000-03-01, so that a leap day is the last day of its year.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(DAYS_PER_ERA);
        let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as u8,
            day: (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8,
            hour: (second_of_day / 3_600) as u8,
            minute: (second_of_day / 60 % 60) as u8,
            second: (second_of_day % 60) as u8,
            centisecond: (self.nanoseconds / 10_000_000).min(99) as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: i64, expected: (i64, u8, u8, u8, u8, u8)) {
        let civil = Timestamp::from_seconds(seconds).civil();
        let got = (
            civil.year,
            civil.month,
            civil.day,
            civil.hour,
            civil.minute,
            civil.second,
        );
        assert_eq!(got, expected, "{seconds}");
    }

    /// Expected values are those of `date -u -d @SECONDS`.
    #[test]
    fn calendar_dates() {
        check(0, (1970, 1, 1, 0, 0, 0));
        check(-1, (1969, 12, 31, 23, 59, 59));
        check(951_782_400, (2000, 2, 29, 0, 0, 0));
        check(951_868_800, (2000, 3, 1, 0, 0, 0));
        check(4_107_542_399, (2100, 2, 28, 23, 59, 59));
        check(4_107_542_400, (2100, 3, 1, 0, 0, 0));
        check(1_735_689_599, (2024, 12, 31, 23, 59, 59));
        check(-2_208_988_800, (1900, 1, 1, 0, 0, 0));
        check(-62_167_219_200, (0, 1, 1, 0, 0, 0));
    }
}
