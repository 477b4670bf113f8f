//! Which ranges of a file are found in another place.

use std::collections::BTreeMap;

/// Ranges in bytes, without overlap, each with the place where its content is.
#[derive(Debug, Default)]
pub(crate) struct ExtentMap {
    /// Start → length and place.
    extents: BTreeMap<u64, (u64, u64)>,
}

/// A part of a range that was asked for: found elsewhere, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) start: u64,
    pub(crate) length: u64,
    pub(crate) place: Option<u64>,
}

impl ExtentMap {
    pub(crate) fn is_empty(&self) -> bool {
        self.extents.is_empty()
    }

    /// Says that a range is found at `place`, whatever was said of any part of it before.
    pub(crate) fn insert(&mut self, start: u64, length: u64, place: u64) {
        self.remove(start, start.saturating_add(length));
        if let Some((&before, (before_length, before_place))) =
            self.extents.range_mut(..start).next_back()
            && before + *before_length == start
            && *before_place + *before_length == place
        {
            *before_length += length;
        } else {
            self.extents.insert(start, (length, place));
        }
    }

    /// Forgets the range from `start` to `end`.
    pub(crate) fn remove(&mut self, start: u64, end: u64) {
        let before = self.extents.range_mut(..start).next_back();
        if let Some((&before, (length, place))) = before
            && before + *length > start
        {
            let (old_end, place) = (before + *length, *place);
            *length = start - before;
            if old_end > end {
                self.extents
                    .insert(end, (old_end - end, place + (end - before)));
            }
        }
        while let Some((&inside, &(length, place))) = self.extents.range(start..end).next() {
            self.extents.remove(&inside);
            if inside + length > end {
                self.extents
                    .insert(end, (inside + length - end, place + (end - inside)));
            }
        }
    }

    /// Returns how many bytes all extents have together, and how many there are.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let bytes = self.extents.values().map(|(length, _)| length).sum();
        (bytes, self.extents.len() as u64)
    }

    /// Cuts a range into pieces, in order, that are found in one place each or nowhere here.
    pub(crate) fn pieces(&self, start: u64, length: u64) -> impl Iterator<Item = Piece> + '_ {
        let end = start.saturating_add(length);
        let mut at = start;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let start = at;
            let covering = self
                .extents
                .range(..=at)
                .next_back()
                .filter(|(extent, (length, _))| **extent + length > at);
            let place = if let Some((extent, (length, place))) = covering {
                at = end.min(extent + length);
                Some(place + (start - extent))
            } else {
                at = self
                    .extents
                    .range(at..end)
                    .next()
                    .map_or(end, |(next, _)| *next);
                None
            };
            Some(Piece {
                start,
                length: at - start,
                place,
            })
        })
    }

    /// Returns the first extent that ends behind `offset`, as start, length and place.
    pub(crate) fn from(&self, offset: u64) -> Option<Piece> {
        let covering = self
            .extents
            .range(..=offset)
            .next_back()
            .filter(|(start, (length, _))| **start + length > offset);
        let (&start, &(length, place)) =
            covering.or_else(|| self.extents.range(offset..).next())?;
        let skip = offset.saturating_sub(start);
        Some(Piece {
            start: start + skip,
            length: length - skip,
            place: Some(place + skip),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same as a list of bytes: slow, and plainly right.
    #[test]
    fn a_map_says_what_a_list_of_bytes_says() {
        let mut map = ExtentMap::default();
        let mut bytes = vec![None; 256];
        let mut state = 7_u64;
        let mut random = move |limit: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            (state >> 33) % limit
        };
        for _ in 0..5000 {
            let start = random(250);
            let end = start + 1 + random(256 - start - 1).min(40);
            if random(3) == 0 {
                map.remove(start, end);
                bytes[start as usize..end as usize].fill(None);
            } else {
                let place = random(4) * 1000 + start;
                map.insert(start, end - start, place);
                for at in start..end {
                    bytes[at as usize] = Some(place + at - start);
                }
            }
            let (start, length) = (random(100), random(156));
            let mut at = start;
            for piece in map.pieces(start, length) {
                assert_eq!(piece.start, at);
                for index in 0..piece.length {
                    let expected = bytes[(at + index) as usize];
                    assert_eq!(piece.place.map(|place| place + index), expected);
                }
                at += piece.length;
            }
            assert_eq!(at, start + length);
            let first = (start..256).find(|at| bytes[*at as usize].is_some());
            assert_eq!(map.from(start).map(|piece| piece.start), first);
        }
    }
}
