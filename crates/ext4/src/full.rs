//! Which groups are known to be full.

use std::collections::BTreeMap;

use crate::number::GroupNumber;

/// Groups that were found to have nothing free.
///
/// The counters of the superblock say whether there is anything free at all, and an image may lie there: without this, each allocation would look
/// at every group again. Groups are found full one after another, so that ranges need little memory however many there are.
#[derive(Debug, Default)]
pub(crate) struct FullGroups {
    /// First group → the one behind the last; no two ranges touch.
    ranges: BTreeMap<u32, u32>,
}

impl FullGroups {
    /// Returns the group behind those that are full from this one on: the group itself if it is not known to be full.
    pub(crate) fn behind(&self, group: u32) -> u32 {
        match self.ranges.range(..=group).next_back() {
            Some((_, end)) if *end > group => *end,
            _ => group,
        }
    }

    /// Says that a group is full.
    pub(crate) fn insert(&mut self, group: GroupNumber) {
        let group = group.0;
        if self.behind(group) != group {
            return;
        }
        // There are fewer groups than 2^32, so the next number is one.
        let end = self.ranges.remove(&(group + 1)).unwrap_or(group + 1);
        match self.ranges.range_mut(..group).next_back() {
            Some((_, before)) if *before == group => *before = end,
            _ => {
                self.ranges.insert(group, end);
            }
        }
    }

    /// Says that something was freed in a group.
    pub(crate) fn remove(&mut self, group: GroupNumber) {
        let group = group.0;
        let Some((&start, &end)) = self.ranges.range(..=group).next_back() else {
            return;
        };
        if end <= group {
            return;
        }
        self.ranges.remove(&start);
        if start < group {
            self.ranges.insert(start, group);
        }
        if group + 1 < end {
            self.ranges.insert(group + 1, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use christen_vfs::model::Random;

    use super::*;

    #[test]
    fn ranges_say_what_a_set_says() {
        let mut full = FullGroups::default();
        let mut set = BTreeSet::new();
        let mut random = Random::new(1);
        for _ in 0..5000 {
            let group = random.below(40) as u32;
            if random.chance(60) {
                full.insert(GroupNumber(group));
                set.insert(group);
            } else {
                full.remove(GroupNumber(group));
                set.remove(&group);
            }
            for group in 0..42 {
                let behind = (group..).find(|group| !set.contains(group));
                assert_eq!(Some(full.behind(group)), behind);
            }
        }
    }
}
