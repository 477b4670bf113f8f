//! The content of a regular file in pages, so that holes cost nothing.

use std::collections::BTreeMap;

/// The unit in which content is kept; the usual block of ext4.
pub(super) const PAGE_BYTES: usize = 4096;
const PAGE: u64 = PAGE_BYTES as u64;

/// Bytes at offsets; what was never written reads as zeros.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    size: u64,
    pages: BTreeMap<u64, Box<[u8]>>,
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn pages(&self) -> u64 {
        self.pages.len() as u64
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let left = self.size.saturating_sub(offset);
        let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let mut done = 0;
        while done < length {
            let at = offset + done as u64;
            let within = (at % PAGE) as usize;
            let part = (PAGE_BYTES - within).min(length - done);
            let target = &mut buffer[done..done + part];
            match self.pages.get(&(at / PAGE)) {
                Some(page) => target.copy_from_slice(&page[within..within + part]),
                None => target.fill(0),
            }
            done += part;
        }
        length
    }

    /// Returns how many pages a write would add.
    pub(super) fn pages_to_add(&self, length: usize, offset: u64) -> u64 {
        if length == 0 {
            return 0;
        }
        let first = offset / PAGE;
        let last = (offset + (length as u64 - 1)) / PAGE;
        let have = self.pages.range(first..=last).count() as u64;
        last - first + 1 - have
    }

    /// Writes; the caller has made sure that the end is no overflow.
    pub(super) fn write(&mut self, data: &[u8], offset: u64) {
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u64;
            let within = (at % PAGE) as usize;
            let part = (PAGE_BYTES - within).min(data.len() - done);
            let page = self
                .pages
                .entry(at / PAGE)
                .or_insert_with(|| vec![0; PAGE_BYTES].into_boxed_slice());
            page[within..within + part].copy_from_slice(&data[done..done + part]);
            done += part;
        }
        self.size = self.size.max(offset + data.len() as u64);
    }

    /// Cuts or extends; what is cut off reads as zeros if the file grows again.
    pub(super) fn set_size(&mut self, size: u64) {
        if size < self.size {
            self.pages.split_off(&size.div_ceil(PAGE));
            let within = (size % PAGE) as usize;
            if within > 0
                && let Some(page) = self.pages.get_mut(&(size / PAGE))
            {
                page[within..].fill(0);
            }
        }
        self.size = size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(content: &Content) -> Vec<u8> {
        let mut bytes = vec![0xff; content.size() as usize];
        assert_eq!(content.read(&mut bytes, 0), bytes.len());
        bytes
    }

    #[test]
    fn a_hole_costs_nothing_and_reads_as_zeros() {
        let mut content = Content::default();
        content.write(b"end", 1 << 40);
        assert_eq!((content.size(), content.pages()), ((1 << 40) + 3, 1));
        let mut buffer = [1; 8];
        assert_eq!(content.read(&mut buffer, (1 << 40) - 4), 7);
        assert_eq!(&buffer, b"\0\0\0\0end\x01");
    }

    #[test]
    fn what_was_cut_off_is_not_seen_again() {
        let mut content = Content::default();
        content.write(&[7; 10_000], 0);
        content.set_size(5000);
        content.set_size(9000);
        let seen = bytes(&content);
        assert!(seen[..5000].iter().all(|byte| *byte == 7));
        assert!(seen[5000..].iter().all(|byte| *byte == 0));
        content.set_size(0);
        assert_eq!(content.pages(), 0);
    }

    #[test]
    fn pages_are_counted_before_they_are_made() {
        let mut content = Content::default();
        assert_eq!(content.pages_to_add(0, 5), 0);
        assert_eq!(content.pages_to_add(2, 4095), 2);
        content.write(b"ab", 4095);
        assert_eq!(content.pages_to_add(4096, 0), 0);
        assert_eq!(content.pages_to_add(4097, 4096), 1);
    }
}
