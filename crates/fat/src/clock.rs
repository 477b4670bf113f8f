//! The moment that changes are stamped with.

use std::cell::Cell;

use christen_vfs::Timestamp;
use hadris_fs::{Clock, DateTime, NoClock};

/// FAT counts from 1980-01-01 to 2107-12-31, in steps of two seconds.
pub(crate) const TIME_RANGE: (i64, i64) = (315_532_800, 4_354_819_199);

thread_local! {
    static NOW: Cell<DateTime> = const { Cell::new(NoClock::TIME) };
}

/// The clock of the driver, which must live as long as the program: it tells what was last set in this thread, and every
/// operation that writes sets it first.
pub(crate) struct Moment;

impl Moment {
    pub(crate) fn set(time: DateTime) {
        NOW.set(time);
    }
}

impl Clock for Moment {
    fn now(&self) -> DateTime {
        NOW.get()
    }
}

/// Takes a time to the range of FAT.
pub(crate) fn encode(time: Timestamp) -> DateTime {
    let (first, last) = TIME_RANGE;
    DateTime::from_unix_seconds(time.seconds.clamp(first, last)).unwrap_or(NoClock::TIME)
}

pub(crate) fn decode(time: Option<DateTime>) -> Timestamp {
    time.map_or(Timestamp::default(), |time| Timestamp {
        seconds: time.unix_seconds(),
        nanoseconds: time.nanoseconds(),
    })
}
