//! Compressed clusters, unpacked; they are never written.

use std::collections::VecDeque;
use std::io::Read;

use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use ruzstd::decoding::StreamingDecoder;

use super::header::Compression;
use super::l2_table::Compressed;
use crate::error::{Corrupt, Result};
use crate::storage::Storage;

/// A zstd frame may ask for this much memory: what every decoder has to offer (RFC 8878 §3.1.1.1.2).
const MAX_WINDOW_BYTES: u64 = 8 << 20;

/// How many bytes of unpacked clusters are kept. A filesystem reads a cluster in many small pieces.
const KEPT_BYTES: usize = 4 << 20;

/// Unpacks compressed clusters and keeps the last ones.
///
/// They never go stale: nothing writes over compressed clusters, and clusters that are freed are not used again.
#[derive(Debug)]
pub(super) struct Unpacker {
    compression: Compression,
    cluster_bytes: usize,
    kept: VecDeque<(Compressed, Box<[u8]>)>,
}

impl Unpacker {
    pub(super) fn new(compression: Compression, cluster_bytes: usize) -> Self {
        Self {
            compression,
            cluster_bytes,
            kept: VecDeque::new(),
        }
    }

    /// Returns the content of a compressed cluster.
    pub(super) fn read(&mut self, storage: &dyn Storage, place: Compressed) -> Result<&[u8]> {
        if let Some(index) = self.kept.iter().position(|(other, _)| *other == place) {
            return Ok(&self.kept[index].1);
        }
        // At most two clusters, whatever the entry says: it has no more bits to say it.
        if place.offset >= storage.length() {
            let rule = format!("it begins past the end of the file at {}", storage.length());
            return Err(Corrupt::new("qcow2 compressed cluster", place.offset, rule).into());
        }
        let mut packed = vec![0; place.length as usize];
        storage.read_at(&mut packed, place.offset)?;
        let mut cluster = vec![0; self.cluster_bytes].into_boxed_slice();
        let is_whole = match self.compression {
            Compression::Deflate => inflate(&packed, &mut cluster),
            Compression::Zstd => unpack_zstd(&packed, &mut cluster),
        };
        if !is_whole {
            let rule = format!("it does not unpack to {} bytes", self.cluster_bytes);
            return Err(Corrupt::new("qcow2 compressed cluster", place.offset, rule).into());
        }
        let keep = (KEPT_BYTES / self.cluster_bytes).max(1);
        while self.kept.len() >= keep {
            self.kept.pop_front();
        }
        self.kept.push_back((place, cluster));
        Ok(&self.kept[self.kept.len() - 1].1)
    }
}

/// Inflates until `cluster` is full; what follows in `packed` is another cluster's.
fn inflate(packed: &[u8], cluster: &mut [u8]) -> bool {
    let mut state = Box::<DecompressorOxide>::default();
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (_, _, written) = decompress(&mut state, packed, cluster, 0, flags);
    written == cluster.len()
}

/// Unpacks frame after frame until `cluster` is full. QEMU writes one frame, and reads several
/// (`block/qcow2-threads.c`, `qcow2_zstd_decompress`).
fn unpack_zstd(mut packed: &[u8], cluster: &mut [u8]) -> bool {
    let mut written = 0;
    while written < cluster.len() {
        let decoder = StreamingDecoder::new_with_max_window_size(&mut packed, MAX_WINDOW_BYTES);
        let Ok(mut decoder) = decoder else {
            return false;
        };
        // A frame takes bytes from `packed` if only for its header, so this ends.
        while written < cluster.len() {
            match decoder.read(&mut cluster[written..]) {
                Ok(0) => break,
                Ok(length) => written += length,
                Err(_) => return false,
            }
        }
    }
    true
}
