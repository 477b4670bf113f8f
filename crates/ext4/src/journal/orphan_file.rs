//! Blocks of the orphan file: inodes that wait for being deleted or cut.

use crate::checksum::Seed;
use crate::error::{Error, Result};

/// What ends a block of the orphan file.
const MAGIC: u32 = 0x0B10_CA04;
const TAIL_BYTES: usize = 8;

/// Returns the inodes that a block of the orphan file holds.
///
/// Inode numbers of 4 bytes, 0 where there is none, little-endian; then (Linux `fs/ext4/ext4.h`, `struct ext4_orphan_block_tail`;
/// `fs/ext4/orphan.c`, `ext4_orphan_file_block_csum`):
///
/// | offset from the end | size | field         | note                                                          |
/// |--------------------:|-----:|---------------|---------------------------------------------------------------|
/// |                   8 |    4 | `ob_magic`    | `0x0B10CA04`                                                  |
/// |                   4 |    4 | `ob_checksum` | with `metadata_csum`: CRC-32C over the seed of the file's inode, the number of the block in the filesystem in 8 bytes, and the inode numbers |
///
/// # Errors
///
/// [`Error::Corrupt`].
pub(super) fn parse(bytes: &[u8], number: u64, seed: Option<Seed>) -> Result<Vec<u32>> {
    let corrupt = |rule: &str| Error::corrupt("block of the orphan file", number, rule);
    let (numbers, tail) = bytes
        .split_last_chunk::<TAIL_BYTES>()
        .ok_or_else(|| corrupt("it is too short"))?;
    let [a, b, c, d, checksum @ ..] = *tail;
    if u32::from_le_bytes([a, b, c, d]) != MAGIC {
        return Err(corrupt("the magic is not there"));
    }
    if let Some(seed) = seed
        && u32::from_le_bytes(checksum) != sum(seed, number, numbers)
    {
        return Err(corrupt("the checksum is wrong"));
    }
    Ok(numbers
        .as_chunks::<4>()
        .0
        .iter()
        .map(|number| u32::from_le_bytes(*number))
        .filter(|number| *number != 0)
        .collect())
}

/// Takes all inodes from a block of the orphan file.
pub(super) fn clear(bytes: &mut [u8], number: u64, seed: Option<Seed>) {
    let Some((numbers, tail)) = bytes.split_last_chunk_mut::<TAIL_BYTES>() else {
        return;
    };
    numbers.fill(0);
    tail[..4].copy_from_slice(&MAGIC.to_le_bytes());
    if let Some(seed) = seed {
        tail[4..].copy_from_slice(&sum(seed, number, numbers).to_le_bytes());
    }
}

fn sum(seed: Seed, number: u64, numbers: &[u8]) -> u32 {
    seed.with(&number.to_le_bytes()).with(numbers).value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inodes_are_found_and_taken() {
        let seed = Some(Seed::new(3));
        let mut bytes = vec![0; 1024];
        assert!(parse(&bytes, 9, seed).is_err());
        clear(&mut bytes, 9, seed);
        assert!(parse(&bytes, 9, seed).unwrap().is_empty());
        bytes[8] = 12;
        assert!(parse(&bytes, 9, seed).is_err());
        assert_eq!(parse(&bytes, 9, None).unwrap(), [12]);
        clear(&mut bytes, 9, seed);
        assert!(parse(&bytes, 10, seed).is_err());
        assert!(parse(&bytes[..7], 9, None).is_err());
    }
}
