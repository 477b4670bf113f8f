//! A client for the network block device: whatever a server can open, above all `qemu-nbd`, `qemu-storage-daemon` and `nbdkit`, can be
//! read and changed.
//!
//! Blocking, one request at a time. A server is believed no more than an image: its answers are bounded in size, number and time.
//! NBD has no locks, so the server must see to it that nobody else writes. TLS is not spoken: a socket of the machine, or a network
//! that is trusted.

mod connection;
mod handshake;
mod transmission;
mod uri;
mod wire;

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::access::Access;
use crate::device::{BlockDevice, check_range};
use crate::error::{Error, Result, Unsupported};
use crate::host::{HostFile, Identity, Kind};
use connection::Connection;
use transmission::Transmission;

pub use uri::Uri;

/// How an export is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What for.
    pub access: Access,
    /// How long the server may take to accept the connection, for the handshake, and for each request with its answer.
    pub timeout: Duration,
}

/// An open export of an NBD server.
///
/// As a [`BlockDevice`] and as a [`HostFile`] of fixed length. Dropping it ends the connection.
#[derive(Debug)]
pub struct NbdExport {
    uri: Uri,
    length: u64,
    writable: bool,
    durability: Durability,
    transmission: Mutex<Transmission<Connection>>,
}

/// How writes are made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// By a request of its own.
    Flush,
    /// The server knows no such request, but each write can be forced.
    ForceEachWrite,
    /// Not at all.
    Nothing,
}

impl NbdExport {
    /// Connects to a server and opens an export.
    ///
    /// # Errors
    ///
    /// [`Error::ReadOnly`] if it is to be written and the server gives it for reading only; [`Error::Unsupported`] for what the
    /// server refuses or asks for (TLS), and for an export that is to be written and cannot be flushed; [`Error::Io`].
    pub fn open(uri: &Uri, options: &Options) -> Result<Self> {
        let mut stream = Connection::open(&uri.place, options.timeout)
            .map_err(Error::io(format!("connect to `{uri}`")))?;
        let export = handshake::negotiate(&mut stream, &uri.export)?;
        let flags = export.flags;
        let durability = if flags.can_flush() {
            Durability::Flush
        } else if flags.can_force() {
            Durability::ForceEachWrite
        } else {
            Durability::Nothing
        };
        let export = Self {
            uri: uri.clone(),
            length: export.length,
            writable: options.access == Access::Write,
            durability,
            transmission: Mutex::new(Transmission::new(stream, export)),
        };
        if export.writable && flags.is_read_only() {
            return Err(Error::ReadOnly);
        }
        if export.writable && durability == Durability::Nothing {
            return Err(
                Unsupported::new("writing to an NBD export that cannot be flushed is").into(),
            );
        }
        Ok(export)
    }

    /// Returns what was opened.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    fn lock(&self) -> MutexGuard<'_, Transmission<Connection>> {
        // A request that was broken off has marked the connection as lost, or had not begun.
        self.transmission
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write_bytes(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let force = self.durability == Durability::ForceEachWrite;
        self.lock().write(data, offset, force)
    }

    fn make_durable(&self) -> io::Result<()> {
        if self.writable && self.durability == Durability::Flush {
            self.lock().flush()?;
        }
        Ok(())
    }

    /// Says what was tried, for messages.
    fn action(&self, verb: &str, length: usize, offset: u64) -> String {
        format!("{verb} {length} bytes at {offset} of `{}`", self.uri)
    }
}

impl Drop for NbdExport {
    fn drop(&mut self) {
        self.lock().disconnect();
    }
}

impl BlockDevice for NbdExport {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        check_range(offset, buffer.len(), self.length)?;
        let action = self.action("read", buffer.len(), offset);
        self.lock().read(buffer, offset).map_err(Error::io(action))
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        check_range(offset, data.len(), self.length)?;
        if !self.writable {
            return Err(Error::ReadOnly);
        }
        let action = self.action("write", data.len(), offset);
        self.write_bytes(data, offset).map_err(Error::io(action))
    }

    fn flush(&self) -> Result<()> {
        self.make_durable()
            .map_err(Error::io(format!("flush `{}`", self.uri)))
    }
}

impl HostFile for NbdExport {
    /// An export has no number of its own, so its address stands for it. A block device has inode 0, and this has not.
    fn identity(&self) -> Identity {
        let address = self.uri.canonical();
        Identity {
            kind: Kind::BlockDevice,
            device: xxhash_rust::xxh3::xxh3_64(address.as_bytes()),
            inode: xxhash_rust::xxh3::xxh3_64_with_seed(address.as_bytes(), 1) | 1,
            owner: nix::unistd::geteuid().as_raw(),
            mode: 0o600,
            links: 1,
        }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.length)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = self.length.saturating_sub(offset);
        let there = usize::try_from(rest).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        self.lock().read(&mut buffer[..there], offset)?;
        Ok(there)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        if !self.writable {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        match offset.checked_add(data.len() as u64) {
            Some(end) if end <= self.length => self.write_bytes(data, offset),
            _ => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        if length == self.length {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the length of an NBD export is fixed",
        ))
    }

    fn sync(&self) -> io::Result<()> {
        self.make_durable()
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<(u64, u64)>> {
        Ok((offset < self.length).then_some((offset, self.length)))
    }

    fn reserve(&self, _offset: u64, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn available(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

/// Takes these bytes for all that a server says, and reads and writes a little: for fuzzing.
///
/// # Errors
///
/// Whatever a client says to such a server.
pub fn check_server(answer: &[u8]) -> Result<()> {
    let mut stream = wire::Canned { answer };
    let export = handshake::negotiate(&mut stream, "")?;
    let mut transmission = Transmission::new(stream, export);
    let length = transmission.export().length.min(100_000);
    let mut buffer = vec![0; length as usize];
    let failed = || Error::io("talk to a server");
    transmission.read(&mut buffer, 0).map_err(failed())?;
    let part = buffer.get(1..).unwrap_or_default();
    transmission.write(part, 0, false).map_err(failed())?;
    transmission.flush().map_err(failed())
}
