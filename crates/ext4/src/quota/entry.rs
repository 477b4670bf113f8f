//! What a quota file says of one user, group or project.

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, FromZeros as _, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Change;

/// An entry as stored. Little-endian.
///
/// `fs/quota/quotaio_v2.h`, `struct v2r1_disk_dqblk` (v6.12).
///
/// | offset | size | field            | note                                     |
/// |-------:|-----:|------------------|------------------------------------------|
/// |      0 |    4 | `dqb_id`         | user, group or project                   |
/// |      8 |    8 | `dqb_ihardlimit` |                                          |
/// |     16 |    8 | `dqb_isoftlimit` |                                          |
/// |     24 |    8 | `dqb_curinodes`  |                                          |
/// |     32 |    8 | `dqb_bhardlimit` | of 1 KiB                                 |
/// |     40 |    8 | `dqb_bsoftlimit` | of 1 KiB                                 |
/// |     48 |    8 | `dqb_curspace`   | in bytes                                 |
/// |     56 |    8 | `dqb_btime`      | when the soft limit becomes a hard one   |
/// |     64 |    8 | `dqb_itime`      | the same for inodes                      |
///
/// An entry of zeros is free. One that would be all zeros and is not free has an `dqb_itime` of 1 (`fs/quota/quota_v2.c`, `v2r1_mem2diskdqb`).
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
struct Entry {
    id: U32,
    pad: U32,
    inode_hard_limit: U64,
    inode_soft_limit: U64,
    inodes: U64,
    block_hard_limit: U64,
    block_soft_limit: U64,
    space: U64,
    block_time: U64,
    inode_time: U64,
}

/// The length of an entry.
pub(super) const BYTES: usize = size_of::<Entry>();
const _: () = assert!(BYTES == 72);

/// Tells whether an entry is free.
pub(super) fn is_free(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Tells whether an entry is somebody's.
pub(super) fn is_of(bytes: &[u8], id: u32) -> bool {
    bytes.get(..4) == Some(&id.to_le_bytes()) && !is_free(bytes)
}

/// Adds to an entry, which may be free. Nobody has less than nothing (`fs/quota/dquot.c`, `dquot_decr_space`), and who is below a soft
/// limit again has all the time.
pub(super) fn update(bytes: &mut [u8], id: u32, change: Change) {
    let Ok(entry) = Entry::mut_from_bytes(bytes) else {
        // The caller gives as many bytes as an entry has.
        debug_assert!(false, "an entry of another length");
        return;
    };
    let mut only_time = Entry::new_zeroed();
    only_time.inode_time = U64::new(1);
    if entry.as_bytes() == only_time.as_bytes() {
        entry.inode_time = U64::new(0);
    }
    entry.id = U32::new(id);
    let add = |to: U64, more: i128| {
        let sum = (i128::from(to.get()) + more).clamp(0, i128::from(u64::MAX));
        // It was just made to fit.
        U64::new(sum as u64)
    };
    entry.space = add(entry.space, change.bytes);
    entry.inodes = add(entry.inodes, i128::from(change.inodes));
    if entry.space.get() <= entry.block_soft_limit.get().saturating_mul(1024) {
        entry.block_time = U64::new(0);
    }
    if entry.inodes.get() <= entry.inode_soft_limit.get() {
        entry.inode_time = U64::new(0);
    }
    if is_free(entry.as_bytes()) {
        entry.inode_time = U64::new(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(bytes: i128, inodes: i64) -> Change {
        Change { bytes, inodes }
    }

    #[test]
    fn an_entry_in_use_is_never_all_zeros() {
        let mut bytes = [0; BYTES];
        update(&mut bytes, 0, change(1024, 1));
        assert_eq!((bytes[24], bytes[49], bytes[64]), (1, 4, 0));
        update(&mut bytes, 0, change(-1024, -1));
        assert!(!is_free(&bytes) && is_of(&bytes, 0));
        assert_eq!(bytes[64], 1);
        update(&mut bytes, 0, change(512, 1));
        assert_eq!(bytes[64], 0);
    }

    #[test]
    fn nobody_has_less_than_nothing() {
        let mut bytes = [0; BYTES];
        update(&mut bytes, 7, change(-5, -5));
        assert!(is_of(&bytes, 7) && !is_of(&bytes, 0));
        assert!(bytes[4..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn time_runs_above_a_soft_limit_alone() {
        let mut bytes = [0; BYTES];
        bytes[40] = 2;
        bytes[56] = 9;
        update(&mut bytes, 7, change(2049, 0));
        assert_eq!(bytes[56], 9);
        update(&mut bytes, 7, change(-1, 0));
        assert_eq!(bytes[56], 0);
    }
}
