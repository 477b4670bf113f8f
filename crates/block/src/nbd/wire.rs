//! Bytes on the wire: everything is big-endian (the NBD project, `doc/proto.md`).

use std::io::{self, Read, Write};

/// Reads so many bytes.
pub(super) fn read<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn read_u16(stream: &mut impl Read) -> io::Result<u16> {
    read(stream).map(u16::from_be_bytes)
}

pub(super) fn read_u32(stream: &mut impl Read) -> io::Result<u32> {
    read(stream).map(u32::from_be_bytes)
}

pub(super) fn read_u64(stream: &mut impl Read) -> io::Result<u64> {
    read(stream).map(u64::from_be_bytes)
}

/// Says that the server breaks a rule of the protocol.
pub(super) fn broken(rule: impl Into<String>) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the NBD server broke the protocol: {}", rule.into()),
    )
}

/// A stream on which an exchange of messages takes a limited time in all, however slowly the bytes come.
pub(super) trait Bounded {
    /// Begins an exchange.
    fn begin(&mut self);
}

/// A stream that is a server's canned answer: for tests and fuzzing.
#[derive(Debug)]
pub(super) struct Canned<'a> {
    pub(super) answer: &'a [u8],
}

impl Bounded for Canned<'_> {
    fn begin(&mut self) {}
}

impl Read for Canned<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.answer.read(buffer)
    }
}

impl Write for Canned<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
