//! QEMU's image locks: who may change an image while others have it open.
//!
//! QEMU `block/file-posix.c`, `raw_apply_lock_bytes` and `raw_check_lock_bytes`; the permissions are numbered in
//! `include/block/block-common.h`. A process says what it does with an image by shared locks on single bytes of the
//! file (open file description locks, `fcntl(2)`), and then asks whether somebody else's locks forbid it:
//!
//! | byte | locked by whoever              | asked for by whoever             |
//! |-----:|--------------------------------|----------------------------------|
//! |  100 | reads and needs it consistent  | does not share that              |
//! |  101 | writes                         | does not let others write        |
//! |  103 | changes the length             | does not let others do so        |
//! |  200 | does not let others read       | reads                            |
//! |  201 | does not let others write      | writes                           |
//! |  203 | does not let others change the length | changes the length        |
//!
//! The locks are shared even where something is claimed for oneself, so a file open for reading is enough to take them, and two
//! that ask at the same time may both be refused, never both let in. The bytes need not exist.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// `RAW_LOCK_PERM_BASE`: what is done.
const DONE: i64 = 100;
/// `RAW_LOCK_SHARED_BASE`: what others are not let do.
const UNSHARED: i64 = 200;
/// `BLK_PERM_CONSISTENT_READ`, `BLK_PERM_WRITE`, `BLK_PERM_RESIZE` by the number of their bits.
const CONSISTENT_READ: i64 = 0;
const WRITE: i64 = 1;
const RESIZE: i64 = 3;

/// What is locked while an image is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locking {
    /// What QEMU takes for a guest's disk, and besides that others may not read: in the midst of a commit there is nothing
    /// consistent to be read, and a guest that has the image as its backing file must not see it change.
    Write,
    /// What QEMU takes to read an image: others may read, nobody may write.
    Read,
    /// Nothing, as `qemu-img --force-share` does: what is read of an image in use may never have been true.
    Ignore,
}

impl Locking {
    fn does(self) -> &'static [i64] {
        match self {
            Self::Write => &[CONSISTENT_READ, WRITE, RESIZE],
            Self::Read => &[CONSISTENT_READ],
            Self::Ignore => &[],
        }
    }

    fn does_not_share(self) -> &'static [i64] {
        match self {
            Self::Write => &[CONSISTENT_READ, WRITE, RESIZE],
            Self::Read => &[WRITE, RESIZE],
            Self::Ignore => &[],
        }
    }

    /// Takes the locks on an open file; they last as long as it is open.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if somebody's locks forbid it; what was locked is then given back with the file.
    pub(crate) fn take(self, file: &File) -> io::Result<()> {
        for bit in self.does() {
            lock(file, DONE + bit)?;
        }
        for bit in self.does_not_share() {
            lock(file, UNSHARED + bit)?;
        }
        for bit in self.does() {
            ask(file, UNSHARED + bit)?;
        }
        for bit in self.does_not_share() {
            ask(file, DONE + bit)?;
        }
        Ok(())
    }
}

fn range(kind: i32, byte: i64) -> libc::flock {
    libc::flock {
        // The constants are small enough for the field, whatever the C library calls their type.
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    }
}

fn lock(file: &File, byte: i64) -> io::Result<()> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_RDLCK, byte))) {
        Ok(_) => Ok(()),
        Err(Errno::EACCES | Errno::EAGAIN) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error.into()),
    }
}

/// Asks whether anybody else has locked a byte, as `qemu_lock_fd_test` does with `exclusive`.
fn ask(file: &File, byte: i64) -> io::Result<()> {
    let mut found = range(libc::F_WRLCK, byte);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found))?;
    if found.l_type == libc::F_UNLCK as i16 {
        Ok(())
    } else {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
