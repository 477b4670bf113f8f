//! The disk in a qcow2 image.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cache::{Cache, Kind};
use super::compressed::Unpacker;
use super::gate::admit;
use super::geometry::Geometry;
use super::header::{Compression, Header};
use super::l2_table::{Context, L1Entry, L2Entry, Standard};
use super::refcount::Refcounts;
use crate::access::Access;
use crate::device::{BlockDevice, check_range};
use crate::error::{Corrupt, Error, Result, Unsupported};
use crate::storage::Storage;

/// The disk in a qcow2 image: as long as the header says, to the byte.
///
/// Tables are read when they are needed and kept in a cache of bounded size; [`flush`](BlockDevice::flush) writes the
/// changed ones to the storage. Before that, the storage is not an image that anyone else could read.
#[derive(Debug)]
pub struct Qcow2 {
    pub(super) layers: Layers,
    state: Mutex<State>,
}

/// What does not change while an image is open.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) header: Header,
    pub(super) geometry: Geometry,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) backing: Option<Arc<dyn BlockDevice>>,
    pub(super) data_file: Option<Arc<dyn Storage>>,
    pub(super) access: Access,
}

/// What changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) cache: Cache,
    pub(super) unpacker: Unpacker,
    pub(super) refcounts: Refcounts,
    /// Whether something has been changed.
    pub(super) has_begun: bool,
    /// Whether a change has failed half way. What is staged is then no image.
    is_broken: bool,
}

impl Qcow2 {
    /// Opens the image in `storage`. Only its header is read.
    ///
    /// `backing` is the disk of its backing file and `data_file` its external data file; each is given if and only if
    /// the header names one.
    ///
    /// # Errors
    ///
    /// Those of [`Header::read`] and [`admit`]; [`Unsupported`] if a backing or data file is missing or is one too many.
    pub fn open(
        storage: Arc<dyn Storage>,
        backing: Option<Arc<dyn BlockDevice>>,
        data_file: Option<Arc<dyn Storage>>,
        access: Access,
    ) -> Result<Self> {
        let header = Header::read(&*storage)?;
        admit(&header, storage.length(), access)?;
        let pairs = [
            (
                "backing file",
                header.backing_file.is_some(),
                backing.is_some(),
            ),
            ("data file", header.has_data_file(), data_file.is_some()),
        ];
        for (what, is_needed, is_given) in pairs {
            if is_needed != is_given {
                let verb = if is_needed {
                    "without its"
                } else {
                    "with a foreign"
                };
                return Err(Unsupported::new(format!("a qcow2 image {verb} {what} is")).into());
            }
        }
        let geometry = Geometry::new(&header);
        let state = State {
            cache: Cache::new(Arc::clone(&storage), geometry.cluster_bits),
            unpacker: Unpacker::new(
                // The gate has refused what is unknown.
                header.compression().unwrap_or(Compression::Deflate),
                geometry.cluster_bytes() as usize,
            ),
            refcounts: Refcounts::new(&header, geometry, storage.length()),
            has_begun: false,
            is_broken: false,
        };
        Ok(Self {
            layers: Layers {
                header,
                geometry,
                storage,
                backing,
                data_file,
                access,
            },
            state: Mutex::new(state),
        })
    }

    /// Returns the header as it was when the image was opened.
    pub fn header(&self) -> &Header {
        &self.layers.header
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic is a mistake of ours; what it left half changed is not believed again, see `State`.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockDevice for Qcow2 {
    fn length(&self) -> u64 {
        self.layers.geometry.virtual_bytes
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        check_range(offset, buffer.len(), self.length())?;
        self.lock().read(&self.layers, buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        check_range(offset, data.len(), self.length())?;
        if self.layers.access == Access::Read {
            return Err(Error::ReadOnly);
        }
        let mut state = self.lock();
        state.check_is_whole()?;
        // It stays broken if this is left early, by an error or a panic.
        state.is_broken = true;
        let cluster_bytes = self.layers.geometry.cluster_bytes();
        let (mut rest, mut offset) = (data, offset);
        while !rest.is_empty() {
            let cluster = offset / cluster_bytes;
            let start = (offset % cluster_bytes) as usize;
            let length = rest.len().min(cluster_bytes as usize - start);
            let (here, after) = rest.split_at(length);
            state.write_cluster(&self.layers, cluster, here, start)?;
            (rest, offset) = (after, offset + length as u64);
        }
        state.is_broken = false;
        Ok(())
    }

    /// Writes the changed tables to the storage. Nothing is promised of what happens to them there.
    fn flush(&self) -> Result<()> {
        let mut state = self.lock();
        state.check_is_whole()?;
        state.cache.flush()
    }
}

impl Layers {
    pub(super) fn context(&self) -> Context {
        Context {
            geometry: self.geometry,
            version: self.header.version,
            has_data_file: self.data_file.is_some(),
        }
    }

    /// The file that guest data is in.
    pub(super) fn data(&self) -> &dyn Storage {
        self.data_file.as_deref().unwrap_or(&*self.storage)
    }

    /// Where the L1 entry for a guest cluster stands in the file.
    pub(super) fn l1_place(&self, cluster: u64) -> u64 {
        self.header.l1_table_offset + cluster / self.geometry.l2_entries() * 8
    }

    /// Fills `buffer` with what the backing file has at `offset`, and zeros past its end.
    pub(super) fn read_backing(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let there = match &self.backing {
            Some(backing) => backing.length().saturating_sub(offset),
            None => 0,
        };
        let there = there.min(buffer.len() as u64) as usize;
        let (from_backing, past_its_end) = buffer.split_at_mut(there);
        past_its_end.fill(0);
        match &self.backing {
            Some(backing) if there != 0 => backing.read_at(from_backing, offset),
            _ => Ok(()),
        }
    }
}

impl State {
    fn check_is_whole(&self) -> Result<()> {
        if !self.is_broken {
            return Ok(());
        }
        let action = "go on with the qcow2 image".to_owned();
        let source = io::Error::other("a write to it has failed half way");
        Err(Error::Io { action, source })
    }

    /// Finds the L2 table that maps a guest cluster.
    pub(super) fn l1_entry(&mut self, layers: &Layers, cluster: u64) -> Result<Option<L1Entry>> {
        let place = layers.l1_place(cluster);
        let raw = self.cache.read_u64(Kind::L1, place)?;
        let Some(entry) = L1Entry::parse(raw, layers.geometry, place)? else {
            return Ok(None);
        };
        let file_bytes = layers.storage.length();
        if entry.table >= file_bytes {
            let rule = format!(
                "the L2 table at {} is past the end of the file at {file_bytes}",
                entry.table
            );
            return Err(Corrupt::new("qcow2 L1 entry", place, rule).into());
        }
        Ok(Some(entry))
    }

    /// Looks a guest cluster up.
    pub(super) fn l2_entry(&mut self, layers: &Layers, cluster: u64) -> Result<L2Entry> {
        match self.l1_entry(layers, cluster)? {
            Some(l1_entry) => self.l2_entry_in(layers, l1_entry.table, cluster),
            None => Ok(L2Entry::Standard(Standard::UNALLOCATED)),
        }
    }

    /// Reads the entry for a guest cluster from the L2 table at `table`.
    pub(super) fn l2_entry_in(
        &mut self,
        layers: &Layers,
        table: u64,
        cluster: u64,
    ) -> Result<L2Entry> {
        let geometry = layers.geometry;
        let place = table + cluster % geometry.l2_entries() * geometry.l2_entry_bytes();
        let descriptor = self.cache.read_u64(Kind::L2, place)?;
        let bitmap = if geometry.has_subclusters {
            self.cache.read_u64(Kind::L2, place + 8)?
        } else {
            0
        };
        Ok(L2Entry::parse(
            descriptor,
            bitmap,
            layers.context(),
            cluster,
            place,
        )?)
    }
}
