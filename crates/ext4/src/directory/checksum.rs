//! The checksums of directory blocks under `metadata_csum`.
//!
//! Linux `Documentation/filesystems/ext4/directory.rst`, `struct ext4_dir_entry_tail` and `struct dx_tail`; what is summed is said by
//! `fs/ext4/namei.c`, `ext4_dirblock_csum` and `ext4_dx_csum`.
//!
//! The last 12 bytes of a leaf, made to look like an entry that is not used:
//!
//! | offset | size | field                | note                                              |
//! |-------:|-----:|----------------------|---------------------------------------------------|
//! |      0 |    4 | `det_reserved_zero1` | 0                                                 |
//! |      4 |    2 | `det_rec_len`        | 12                                                |
//! |      6 |    1 | `det_reserved_zero2` | 0                                                 |
//! |      7 |    1 | `det_reserved_ft`    | `de`                                              |
//! |      8 |    4 | `det_checksum`       | CRC-32C over the inode's seed and all before the tail |
//!
//! The tail of an index block, behind the room for its entries:
//!
//! | offset | size | field         | note                                                                     |
//! |-------:|-----:|---------------|--------------------------------------------------------------------------|
//! |      0 |    4 | `dt_reserved` | 0                                                                        |
//! |      4 |    4 | `dt_checksum` | CRC-32C over the inode's seed, the block up to its last entry that is used, and this tail with 0 here |

/// The size of the tail of a leaf.
pub(super) const LEAF_TAIL_BYTES: usize = 12;
/// The size of the tail of an index block.
pub(super) const INDEX_TAIL_BYTES: usize = 8;

const LEAF_TAIL_START: [u8; 8] = [0, 0, 0, 0, 12, 0, 0, 0xde];

/// Goes on with a CRC-32C as the kernel keeps it: not inverted at the end.
fn advance(state: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!state, bytes)
}

/// Writes the tail of a leaf; `block` is longer than the tail.
pub(super) fn seal_leaf(seed: u32, block: &mut [u8]) {
    let start = block.len() - LEAF_TAIL_BYTES;
    let checksum = advance(seed, &block[..start]);
    block[start..start + 8].copy_from_slice(&LEAF_TAIL_START);
    block[start + 8..].copy_from_slice(&checksum.to_le_bytes());
}

/// Checks the tail of a leaf.
pub(super) fn check_leaf(seed: u32, block: &[u8]) -> Result<(), &'static str> {
    let start = block.len() - LEAF_TAIL_BYTES;
    let (content, tail) = block.split_at(start);
    if tail[..8] != LEAF_TAIL_START {
        return Err("the checksum has no place at the end");
    }
    if tail[8..] != advance(seed, content).to_le_bytes() {
        return Err("the checksum of the block is wrong");
    }
    Ok(())
}

/// Writes the tail of an index block whose used entries end at `used` and whose room for entries ends at `room`.
pub(super) fn seal_index(seed: u32, block: &mut [u8], used: usize, room: usize) {
    block[room..room + 4].fill(0);
    let checksum = index_checksum(seed, block, used, room);
    block[room + 4..room + INDEX_TAIL_BYTES].copy_from_slice(&checksum.to_le_bytes());
}

/// Checks the tail of an index block; `used` and `room` as in [`seal_index`].
pub(super) fn check_index(
    seed: u32,
    block: &[u8],
    used: usize,
    room: usize,
) -> Result<(), &'static str> {
    if block[room + 4..room + INDEX_TAIL_BYTES]
        == index_checksum(seed, block, used, room).to_le_bytes()
    {
        Ok(())
    } else {
        Err("the checksum of the index block is wrong")
    }
}

fn index_checksum(seed: u32, block: &[u8], used: usize, room: usize) -> u32 {
    let state = advance(seed, &block[..used]);
    let state = advance(state, &block[room..room + 4]);
    advance(state, &[0; 4])
}
