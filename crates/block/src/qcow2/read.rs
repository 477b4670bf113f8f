//! Reading: where each part of the disk comes from, and neighbours that come from neighbours in one go.

use super::image::{Layers, State};
use super::l2_table::{Compressed, L2Entry, Unit};
use crate::error::{Corrupt, Result};

/// Where bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The file that holds the data, at this offset.
    Data(u64),
    /// The backing file, at this offset.
    Backing(u64),
    /// Nowhere: they are zeros.
    Zero,
    /// A compressed cluster, from this byte of it on.
    Compressed(Compressed, usize),
}

impl Source {
    /// Tells whether `next` begins where this ends after `length` bytes.
    fn goes_on_as(self, next: Self, length: usize) -> bool {
        match (self, next) {
            (Self::Data(here), Self::Data(next)) | (Self::Backing(here), Self::Backing(next)) => {
                here + length as u64 == next
            }
            (Self::Zero, Self::Zero) => true,
            _ => false,
        }
    }
}

impl State {
    /// Fills `buffer` with what the disk has at `offset`; the range is on the disk.
    pub(super) fn read(&mut self, layers: &Layers, buffer: &mut [u8], offset: u64) -> Result<()> {
        let bits = layers.geometry.cluster_bits;
        let cluster_bytes = layers.geometry.cluster_bytes();
        // `buffer[done..done + run]` comes from `source` and has not been read yet.
        let (mut done, mut run, mut source) = (0, 0, Source::Zero);
        while done + run < buffer.len() {
            let at = offset + (done + run) as u64;
            let (cluster, mut start) = (at >> bits, (at % cluster_bytes) as usize);
            let entry = self.l2_entry(layers, cluster)?;
            let end = (start + buffer.len() - done - run).min(cluster_bytes as usize);
            while start < end {
                let (next, length) = layers.source(cluster, &entry, start, end)?;
                if !source.goes_on_as(next, run) {
                    self.fill(layers, &mut buffer[done..done + run], source)?;
                    (done, run, source) = (done + run, 0, next);
                }
                (run, start) = (run + length, start + length);
            }
        }
        self.fill(layers, &mut buffer[done..], source)
    }

    /// Fills `buffer` with what `entry` says guest cluster `cluster` has from its byte `start` on.
    pub(super) fn read_cluster(
        &mut self,
        layers: &Layers,
        cluster: u64,
        entry: &L2Entry,
        buffer: &mut [u8],
        start: usize,
    ) -> Result<()> {
        let (mut rest, mut at) = (buffer, start);
        while !rest.is_empty() {
            let (source, length) = layers.source(cluster, entry, at, at + rest.len())?;
            let (here, after) = rest.split_at_mut(length);
            self.fill(layers, here, source)?;
            (rest, at) = (after, at + length);
        }
        Ok(())
    }

    fn fill(&mut self, layers: &Layers, buffer: &mut [u8], source: Source) -> Result<()> {
        match source {
            _ if buffer.is_empty() => Ok(()),
            Source::Data(offset) => layers.data().read_at(buffer, offset),
            Source::Backing(offset) => layers.read_backing(buffer, offset),
            Source::Zero => {
                buffer.fill(0);
                Ok(())
            }
            Source::Compressed(place, start) => {
                let bytes = self.unpacker.read(&*layers.storage, place)?;
                buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
                Ok(())
            }
        }
    }
}

impl Layers {
    /// Says where bytes `start` to `end` of guest cluster `cluster` come from, or the first of them, and how many those are.
    fn source(
        &self,
        cluster: u64,
        entry: &L2Entry,
        start: usize,
        end: usize,
    ) -> Result<(Source, usize)> {
        let standard = match entry {
            L2Entry::Compressed(place) => {
                return Ok((Source::Compressed(*place, start), end - start));
            }
            L2Entry::Standard(standard) => standard,
        };
        let unit_bytes = self.geometry.unit_bytes();
        let first = (start / unit_bytes) as u32;
        let unit = standard.unit(first);
        let same = (first..self.geometry.units())
            .take_while(|index| standard.unit(*index) == unit)
            .count();
        let length = end.min((first as usize + same) * unit_bytes) - start;
        let source = match (unit, standard.host) {
            (Unit::Data, Some(host)) => {
                if self.data_file.is_none() {
                    self.check_is_in_file(host.offset)?;
                }
                Source::Data(host.offset + start as u64)
            }
            // Data without a host cluster does not come out of the parser.
            (Unit::Zero | Unit::Data, _) => Source::Zero,
            (Unit::Unallocated, _) if self.backing.is_none() => Source::Zero,
            (Unit::Unallocated, _) => {
                Source::Backing((cluster << self.geometry.cluster_bits) + start as u64)
            }
        };
        Ok((source, length))
    }

    /// Refuses a host cluster that begins past the end of the file; the last one may be short.
    pub(super) fn check_is_in_file(&self, offset: u64) -> Result<()> {
        let file_bytes = self.storage.length();
        if offset < file_bytes {
            return Ok(());
        }
        let rule = format!("a guest cluster is past the end of the file at {file_bytes}");
        Err(Corrupt::new("qcow2 cluster", offset, rule).into())
    }
}
