//! Which of the host's users are the guest's.

/// What a number without a place in the map looks like in the guest (Linux `/proc/sys/kernel/overflowuid`, 65534 by default).
pub(crate) const OVERFLOW_ID: u32 = 65534;

/// The most ranges, as in Linux (`include/linux/user_namespace.h`, `UID_GID_MAP_MAX_EXTENTS`).
const MOST_RANGES: usize = 340;

/// One range of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// The first number in the guest.
    pub guest: u32,
    /// The first number in the host.
    pub host: u32,
    /// How many there are.
    pub count: u32,
}

/// Which of the host's users and groups are the guest's, as LXC's `lxc.idmap` says it. Without a range every number is itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdMap {
    ranges: Vec<IdRange>,
}

/// A text, or ranges, are no id map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdMapError {
    /// It is not of the form.
    #[error("an id map has the form `CONTAINER:HOST:COUNT`, three numbers below 4294967295")]
    Form,
    /// It holds nothing.
    #[error("a range of an id map holds at least one number")]
    Empty,
    /// It goes beyond the numbers.
    #[error("a range of an id map ends below 4294967295")]
    End,
    /// Two ranges meet.
    #[error("two ranges of the id map overlap")]
    Overlap,
    /// There are too many.
    #[error("an id map has at most 340 ranges")]
    TooMany,
}

impl IdRange {
    /// Reads `CONTAINER:HOST:COUNT`.
    ///
    /// # Errors
    ///
    /// [`IdMapError`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, IdMapError> {
        let mut numbers = text.split(':').map(|part| match part.as_bytes() {
            [b'0'..=b'9', ..] => part.parse().map_err(|_| IdMapError::Form),
            _ => Err(IdMapError::Form),
        });
        let mut next = || numbers.next().unwrap_or(Err(IdMapError::Form));
        let (guest, host, count) = (next()?, next()?, next()?);
        if numbers.next().is_some() {
            return Err(IdMapError::Form);
        }
        let range = Self { guest, host, count };
        range.check()?;
        Ok(range)
    }

    fn check(&self) -> Result<(), IdMapError> {
        if self.count == 0 {
            return Err(IdMapError::Empty);
        }
        // The last number of all means none (`chown(2)`).
        for first in [self.guest, self.host] {
            match first.checked_add(self.count) {
                Some(_) => {}
                None => return Err(IdMapError::End),
            }
        }
        Ok(())
    }
}

impl IdMap {
    /// Takes ranges.
    ///
    /// # Errors
    ///
    /// [`IdMapError`] says which rule they break.
    pub fn new(ranges: Vec<IdRange>) -> Result<Self, IdMapError> {
        if ranges.len() > MOST_RANGES {
            return Err(IdMapError::TooMany);
        }
        let meet = |a: u32, b: u32, of: &IdRange, with: &IdRange| {
            u64::from(a) < u64::from(b) + u64::from(with.count)
                && u64::from(b) < u64::from(a) + u64::from(of.count)
        };
        for (index, range) in ranges.iter().enumerate() {
            range.check()?;
            for other in &ranges[..index] {
                if meet(range.guest, other.guest, range, other)
                    || meet(range.host, other.host, range, other)
                {
                    return Err(IdMapError::Overlap);
                }
            }
        }
        Ok(Self { ranges })
    }

    /// Whether every number is itself.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns what a number of the host is in the guest; what has no place looks as in Linux.
    pub fn guest(&self, host: u32) -> u32 {
        if self.is_empty() {
            return host;
        }
        let within = |it: &IdRange| {
            let offset = host.checked_sub(it.host).filter(|at| *at < it.count)?;
            it.guest.checked_add(offset)
        };
        self.ranges.iter().find_map(within).unwrap_or(OVERFLOW_ID)
    }

    /// Returns what a number of the guest is in the host.
    pub(crate) fn host(&self, guest: u32) -> Option<u32> {
        if self.is_empty() {
            return Some(guest).filter(|id| *id != u32::MAX);
        }
        self.ranges.iter().find_map(|it| {
            let offset = guest.checked_sub(it.guest).filter(|at| *at < it.count)?;
            it.host.checked_add(offset)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(texts: &[&str]) -> Result<IdMap, IdMapError> {
        let ranges: Result<_, _> = texts.iter().map(|text| IdRange::parse(text)).collect();
        IdMap::new(ranges?)
    }

    #[test]
    fn numbers_go_there_and_back() {
        let map = map(&["0:100000:1000", "1000:1000:1"]).unwrap();
        assert_eq!(map.host(0), Some(100_000));
        assert_eq!(map.host(999), Some(100_999));
        assert_eq!(map.host(1000), Some(1000));
        assert_eq!(map.host(1001), None);
        assert_eq!(map.guest(100_999), 999);
        assert_eq!(map.guest(0), OVERFLOW_ID);
        let none = IdMap::default();
        assert_eq!((none.host(7), none.guest(7)), (Some(7), 7));
        assert_eq!(none.host(u32::MAX), None);
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for text in [
            "",
            "0:1",
            "0:1:2:3",
            "a:1:1",
            "0:+1:1",
            "0:1:4294967296",
            "0::1",
        ] {
            assert_eq!(map(&[text]), Err(IdMapError::Form), "{text}");
        }
        assert_eq!(map(&["0:1:0"]), Err(IdMapError::Empty));
        assert_eq!(map(&["0:4294967295:1"]), Err(IdMapError::End));
        assert_eq!(map(&["0:10:5", "4:100:1"]), Err(IdMapError::Overlap));
        assert_eq!(map(&["0:10:5", "5:14:1"]), Err(IdMapError::Overlap));
        assert!(map(&["0:10:5", "5:15:1"]).is_ok());
    }
}
