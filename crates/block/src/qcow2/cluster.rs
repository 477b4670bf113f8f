//! Writing to a guest cluster: in place where nobody else refers to its host cluster, else to a new one.

use std::borrow::Cow;

use super::bitmap;
use super::cache::Kind;
use super::features;
use super::header::AUTOCLEAR_OFFSET;
use super::image::{Layers, State};
use super::l2_table::{Compressed, Host, L1Entry, L2Entry, Standard, Unit};
use crate::error::{Corrupt, Result};

impl State {
    /// Writes `data` to guest cluster `cluster` from its byte `start` on. It ends in the cluster and on the disk.
    pub(super) fn write_cluster(
        &mut self,
        layers: &Layers,
        cluster: u64,
        data: &[u8],
        start: usize,
    ) -> Result<()> {
        let entry = self.l2_entry(layers, cluster)?;
        let new = match &entry {
            L2Entry::Standard(old) if let Some(new) = zeroed(layers, cluster, old, data, start) => {
                if new == *old {
                    return Ok(());
                }
                new
            }
            L2Entry::Standard(old) => self.write_standard(layers, cluster, old, data, start)?,
            L2Entry::Compressed(_) => self.unpack(layers, cluster, &entry, data, start)?,
        };
        if entry != L2Entry::Standard(new) {
            self.set_l2_entry(layers, cluster, &new)?;
        }
        // Only now does nothing refer to the old one.
        match entry {
            L2Entry::Compressed(place) => self.free_compressed(layers, place),
            L2Entry::Standard(Standard {
                host: Some(old), ..
            }) if new.host.is_some_and(|host| host.offset != old.offset) => {
                self.decrement(layers, old.offset)
            }
            L2Entry::Standard(_) => Ok(()),
        }
    }

    /// Clears the autoclear bits of what we do not keep up to date; once, before the first change.
    fn begin(&mut self, layers: &Layers) -> Result<()> {
        if self.has_begun {
            return Ok(());
        }
        let header = &layers.header;
        // The data file stays raw; what is behind unknown bits nobody keeps.
        let mut kept = 0;
        if header.is_data_file_raw() {
            kept |= features::RAW_DATA_FILE;
        }
        if let Some(bitmaps) = &header.bitmaps
            && header.has_consistent_bitmaps()
            && bitmap::invalidate(&*layers.storage, bitmaps)?
        {
            kept |= features::BITMAPS;
        }
        if kept != header.autoclear {
            layers
                .storage
                .write_at(&kept.to_be_bytes(), AUTOCLEAR_OFFSET)?;
        }
        self.has_begun = true;
        Ok(())
    }

    /// Writes to a cluster that is not compressed, and returns what it is then.
    fn write_standard(
        &mut self,
        layers: &Layers,
        cluster: u64,
        old: &Standard,
        data: &[u8],
        start: usize,
    ) -> Result<Standard> {
        self.begin(layers)?;
        let geometry = layers.geometry;
        let target = match self.place_in(layers, old)? {
            Some(offset) => offset,
            None => self.allocate_data(layers, cluster)?,
        };
        let is_moved = old.host.is_some_and(|host| host.offset != target);
        let unit_bytes = geometry.unit_bytes();
        let on_disk = geometry.bytes_on_disk(cluster);
        let end = start + data.len();
        let (first, last) = (start / unit_bytes, (end - 1) / unit_bytes);

        // A unit that was no data, or not data there, is written whole, but for the zeros that a fresh cluster has anyway.
        let is_fresh = layers.data_file.is_none() && (is_moved || old.host.is_none());
        let needs_filling = |unit: usize| match old.unit(unit as u32) {
            Unit::Data => is_moved,
            _ if is_fresh => !reads_as_zeros(layers, cluster, old, unit as u32, 0),
            _ => true,
        };
        let from = match needs_filling(first) {
            true => first * unit_bytes,
            false => start,
        };
        let to = match needs_filling(last) {
            true => ((last + 1) * unit_bytes).min(on_disk),
            false => end,
        };
        let bytes = self.filled(
            layers,
            cluster,
            &L2Entry::Standard(*old),
            data,
            start,
            from..to,
        )?;
        layers.data().write_at(&bytes, target + from as u64)?;

        let mut new = *old;
        new.host = Some(Host {
            offset: target,
            is_copied: true,
        });
        for unit in 0..geometry.units() {
            let index = unit as usize;
            if (first..=last).contains(&index) {
                new.set_unit(unit, Unit::Data);
            } else if let Some(host) = old.host
                && is_moved
                && old.unit(unit) == Unit::Data
            {
                let at = (index * unit_bytes) as u64;
                let mut bytes = vec![0; unit_bytes];
                layers.data().read_at(&mut bytes, host.offset + at)?;
                layers.data().write_at(&bytes, target + at)?;
            }
        }
        Ok(new)
    }

    /// Writes a compressed cluster with its changes to a new one, and returns what it is then.
    fn unpack(
        &mut self,
        layers: &Layers,
        cluster: u64,
        entry: &L2Entry,
        data: &[u8],
        start: usize,
    ) -> Result<Standard> {
        self.begin(layers)?;
        let on_disk = layers.geometry.bytes_on_disk(cluster);
        let bytes = self.filled(layers, cluster, entry, data, start, 0..on_disk)?;
        let target = self.allocate_data(layers, cluster)?;
        layers.data().write_at(&bytes, target)?;
        let mut new = Standard::UNALLOCATED;
        new.host = Some(Host {
            offset: target,
            is_copied: true,
        });
        for unit in 0..layers.geometry.units() {
            new.set_unit(unit, Unit::Data);
        }
        Ok(new)
    }

    /// Returns what bytes `range` of a cluster are after the write: `data` at `start`, around it what `entry` has there.
    fn filled<'data>(
        &mut self,
        layers: &Layers,
        cluster: u64,
        entry: &L2Entry,
        data: &'data [u8],
        start: usize,
        range: std::ops::Range<usize>,
    ) -> Result<Cow<'data, [u8]>> {
        if range.len() == data.len() {
            return Ok(Cow::Borrowed(data));
        }
        let mut bytes = vec![0; range.len()];
        let (before, rest) = bytes.split_at_mut(start - range.start);
        let (middle, after) = rest.split_at_mut(data.len());
        self.read_cluster(layers, cluster, entry, before, range.start)?;
        middle.copy_from_slice(data);
        self.read_cluster(layers, cluster, entry, after, start + data.len())?;
        Ok(Cow::Owned(bytes))
    }

    /// Returns where the host cluster of `standard` is if it may be written there.
    fn place_in(&mut self, layers: &Layers, standard: &Standard) -> Result<Option<u64>> {
        let Some(host) = standard.host else {
            return Ok(None);
        };
        // Clusters of a data file are not counted: each guest cluster has its own.
        if layers.data_file.is_some() {
            return Ok(Some(host.offset));
        }
        layers.check_is_in_file(host.offset)?;
        self.check_is_data(layers, host.offset)?;
        let is_own = self.is_own(layers, "qcow2 cluster", host.offset, host.is_copied)?;
        Ok(is_own.then_some(host.offset))
    }

    /// Tells whether nobody else refers to the cluster at `offset`: its flag and its count must both say so.
    fn is_own(
        &mut self,
        layers: &Layers,
        what: &'static str,
        offset: u64,
        is_copied: bool,
    ) -> Result<bool> {
        match self
            .refcounts
            .get(&mut self.cache, &*layers.storage, offset)?
        {
            0 => Err(Corrupt::new(what, offset, "it is in use and its refcount is 0").into()),
            count => Ok(is_copied && count == 1),
        }
    }

    /// Refuses to treat as data what is known to be metadata.
    fn check_is_data(&self, layers: &Layers, offset: u64) -> Result<()> {
        let header = &layers.header;
        let cluster_bytes = layers.geometry.cluster_bytes();
        let l1_bytes = u64::from(header.l1_entries) * 8;
        let other = if offset < cluster_bytes {
            "the header"
        } else if (header.l1_table_offset..header.l1_table_offset + l1_bytes).contains(&offset) {
            "the L1 table"
        } else if self.refcounts.is_in_table(offset) {
            "the refcount table"
        } else if header.snapshots != 0 && header.snapshots_offset == offset {
            "the table of snapshots"
        } else if header.has_consistent_bitmaps()
            && header
                .bitmaps
                .is_some_and(|bitmaps| bitmaps.directory_offset == offset)
        {
            "the directory of bitmaps"
        } else if let Some(kind) = self.cache.holds(offset) {
            kind.name()
        } else {
            return Ok(());
        };
        let rule = format!("a guest cluster is in the place of {other}");
        Err(Corrupt::new("qcow2 cluster", offset, rule).into())
    }

    fn allocate_data(&mut self, layers: &Layers, cluster: u64) -> Result<u64> {
        match layers.data_file {
            Some(_) => Ok(cluster << layers.geometry.cluster_bits),
            None => self.refcounts.allocate(&mut self.cache, &*layers.storage),
        }
    }

    fn decrement(&mut self, layers: &Layers, offset: u64) -> Result<()> {
        self.refcounts
            .decrement(&mut self.cache, &*layers.storage, offset)
    }

    /// Lets go of the one or two host clusters that a compressed cluster touches.
    fn free_compressed(&mut self, layers: &Layers, place: Compressed) -> Result<()> {
        let bits = layers.geometry.cluster_bits;
        let last = (place.offset + place.length - 1) >> bits;
        for cluster in place.offset >> bits..=last {
            self.check_is_data(layers, cluster << bits)?;
            self.decrement(layers, cluster << bits)?;
        }
        Ok(())
    }

    /// Stores what a guest cluster is, in an L2 table that nobody else refers to.
    fn set_l2_entry(&mut self, layers: &Layers, cluster: u64, new: &Standard) -> Result<()> {
        self.begin(layers)?;
        let geometry = layers.geometry;
        let table = self.own_table(layers, cluster)?;
        let place = table + cluster % geometry.l2_entries() * geometry.l2_entry_bytes();
        let (descriptor, bitmap) = L2Entry::encode(new, geometry);
        self.cache.write_u64(Kind::L2, place, descriptor)?;
        if geometry.has_subclusters {
            self.cache.write_u64(Kind::L2, place + 8, bitmap)?;
        }
        Ok(())
    }

    /// Finds the L2 table for a guest cluster; makes one where there is none, and copies one that a snapshot refers to as well.
    fn own_table(&mut self, layers: &Layers, cluster: u64) -> Result<u64> {
        let old = self.l1_entry(layers, cluster)?;
        if let Some(old) = old
            && self.is_own(layers, Kind::L2.name(), old.table, old.is_copied)?
        {
            return Ok(old.table);
        }
        let table = self.refcounts.allocate(&mut self.cache, &*layers.storage)?;
        if let Some(old) = old {
            self.cache.copy_cluster(Kind::L2, old.table, table)?;
        }
        let new = L1Entry {
            table,
            is_copied: true,
        };
        let place = layers.l1_place(cluster);
        self.cache.write_u64(Kind::L1, place, new.encode())?;
        if let Some(old) = old {
            self.decrement(layers, old.table)?;
        }
        Ok(table)
    }
}

/// Says what a cluster is after zeros have been written to it, where that needs no host cluster: where it reads as zeros
/// already, or whole units can be marked as zero. `None` if the data has to be written.
fn zeroed(
    layers: &Layers,
    cluster: u64,
    old: &Standard,
    data: &[u8],
    start: usize,
) -> Option<Standard> {
    // A raw data file is read without the tables.
    if layers.header.is_data_file_raw() {
        return None;
    }
    let geometry = layers.geometry;
    let unit_bytes = geometry.unit_bytes();
    let end = start + data.len();
    let units = (start / unit_bytes) as u32..=((end - 1) / unit_bytes) as u32;
    // Looked at first, because it is cheaper than looking at the data.
    if units.clone().any(|unit| old.unit(unit) == Unit::Data) || data.iter().any(|byte| *byte != 0)
    {
        return None;
    }
    let on_disk = geometry.bytes_on_disk(cluster);
    let mut new = *old;
    for unit in units {
        let unit_start = unit as usize * unit_bytes;
        let unit_end = (unit_start + unit_bytes).min(on_disk);
        if reads_as_zeros(layers, cluster, old, unit, start) {
            continue;
        }
        let is_whole = start <= unit_start && unit_end <= end;
        if !is_whole || layers.header.version < 3 {
            return None;
        }
        new.set_unit(unit, Unit::Zero);
    }
    Some(new)
}

/// Tells whether a unit reads as zeros, at least from byte `start` of its cluster on, without looking at any data.
fn reads_as_zeros(
    layers: &Layers,
    cluster: u64,
    standard: &Standard,
    unit: u32,
    start: usize,
) -> bool {
    let geometry = layers.geometry;
    let backing_bytes = layers
        .backing
        .as_ref()
        .map_or(0, |backing| backing.length());
    let from = start.max(unit as usize * geometry.unit_bytes()) as u64;
    match standard.unit(unit) {
        Unit::Data => false,
        Unit::Zero => true,
        Unit::Unallocated => (cluster << geometry.cluster_bits) + from >= backing_bytes,
    }
}
