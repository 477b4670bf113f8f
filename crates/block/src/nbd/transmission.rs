//! Requests and replies (`doc/proto.md`, "Transmission phase"). One at a time: the next request is sent when the reply to the
//! last one has come. Structured replies are not asked for, so there are none.

use std::io::{self, Read, Write};

use super::handshake::Export;
use super::wire::{Bounded, broken, read_u32, read_u64};

const REQUEST_MAGIC: u32 = 0x2560_9513;
const REPLY_MAGIC: u32 = 0x6744_6698;

const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;

const FORCE: u16 = 1;

/// Requests are no longer than this even where the server takes it, so that a server is never asked for more memory.
const LONGEST: u32 = 4 << 20;

/// An open export.
#[derive(Debug)]
pub(super) struct Transmission<S> {
    stream: S,
    export: Export,
    cookie: u64,
    /// After a failure nobody knows what the next bytes of the stream mean.
    lost: bool,
}

impl<S: Read + Write + Bounded> Transmission<S> {
    pub(super) fn new(stream: S, export: Export) -> Self {
        Self {
            stream,
            export,
            cookie: 0,
            lost: false,
        }
    }

    pub(super) fn export(&self) -> &Export {
        &self.export
    }

    /// How long a request may be: a multiple of the smallest size, because both numbers are.
    fn longest(&self) -> usize {
        self.export.largest.min(LONGEST) as usize
    }

    /// Reads a range that lies in the export, of any offset and length.
    pub(super) fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let unit = u64::from(self.export.smallest);
        let mut done = 0;
        while done < buffer.len() {
            let place = offset + done as u64;
            let rest = buffer.len() - done;
            let skip = (place % unit) as usize;
            if skip == 0 && rest as u64 >= unit {
                let length = (rest - rest % unit as usize).min(self.longest());
                self.read_request(&mut buffer[done..done + length], place)?;
                done += length;
            } else {
                let mut block = vec![0; unit as usize];
                self.read_request(&mut block, place - skip as u64)?;
                let length = rest.min(block.len() - skip);
                buffer[done..done + length].copy_from_slice(&block[skip..skip + length]);
                done += length;
            }
        }
        Ok(())
    }

    /// Writes a range that lies in the export, of any offset and length; around it, the rest of a block is read first.
    pub(super) fn write(&mut self, data: &[u8], offset: u64, force: bool) -> io::Result<()> {
        let unit = u64::from(self.export.smallest);
        let mut done = 0;
        while done < data.len() {
            let place = offset + done as u64;
            let rest = data.len() - done;
            let skip = (place % unit) as usize;
            if skip == 0 && rest as u64 >= unit {
                let length = (rest - rest % unit as usize).min(self.longest());
                self.write_request(&data[done..done + length], place, force)?;
                done += length;
            } else {
                let mut block = vec![0; unit as usize];
                let start = place - skip as u64;
                self.read_request(&mut block, start)?;
                let length = rest.min(block.len() - skip);
                block[skip..skip + length].copy_from_slice(&data[done..done + length]);
                self.write_request(&block, start, force)?;
                done += length;
            }
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.request(FLUSH, 0, 0, 0, &[])?;
        self.reply(&mut [])
    }

    /// Says good-bye; the server answers nothing.
    pub(super) fn disconnect(&mut self) {
        // Nothing depends on it: what had to be durable has been flushed.
        let _ = self.request(DISCONNECT, 0, 0, 0, &[]);
    }

    fn read_request(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.request(READ, 0, offset, buffer.len(), &[])?;
        self.reply(buffer)
    }

    fn write_request(&mut self, data: &[u8], offset: u64, force: bool) -> io::Result<()> {
        let flags = if force { FORCE } else { 0 };
        self.request(WRITE, flags, offset, data.len(), data)?;
        self.reply(&mut [])
    }

    fn request(
        &mut self,
        kind: u16,
        flags: u16,
        offset: u64,
        length: usize,
        data: &[u8],
    ) -> io::Result<()> {
        if self.lost {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the connection to the NBD server was lost",
            ));
        }
        self.stream.begin();
        self.cookie += 1;
        let mut message = Vec::with_capacity(28);
        message.extend_from_slice(&REQUEST_MAGIC.to_be_bytes());
        message.extend_from_slice(&flags.to_be_bytes());
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&self.cookie.to_be_bytes());
        message.extend_from_slice(&offset.to_be_bytes());
        // At most `LONGEST`.
        message.extend_from_slice(&(length as u32).to_be_bytes());
        let sent = self
            .stream
            .write_all(&message)
            .and_then(|()| self.stream.write_all(data))
            .and_then(|()| self.stream.flush());
        self.lost |= sent.is_err();
        sent
    }

    /// Reads the reply to the last request; data follows it only where it tells of no error.
    fn reply(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let received = self.receive(buffer);
        match received {
            Ok(0) => Ok(()),
            Ok(number) => Err(server_error(number)),
            Err(error) => {
                self.lost = true;
                Err(error)
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<u32> {
        if read_u32(&mut self.stream)? != REPLY_MAGIC {
            return Err(broken("a reply must begin with its number"));
        }
        let (error, cookie) = (read_u32(&mut self.stream)?, read_u64(&mut self.stream)?);
        if cookie != self.cookie {
            return Err(broken("a reply must be to the request that was sent"));
        }
        if error == 0 {
            self.stream.read_exact(buffer)?;
        }
        Ok(error)
    }
}

/// The numbers are those of Linux (`doc/proto.md`, "Error values").
fn server_error(number: u32) -> io::Error {
    match number {
        1 | 5 | 12 | 22 | 28 | 75 | 95 | 108 => io::Error::from_raw_os_error(number.cast_signed()),
        _ => io::Error::other(format!("the NBD server reports error {number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::handshake::negotiate;
    use super::super::handshake::tests::{export_bytes, greeting_bytes, reply, sizes_bytes};
    use super::super::wire::Canned;
    use super::*;

    fn answer(error: u32, cookie: u64, data: &[u8]) -> Vec<u8> {
        let mut answer = REPLY_MAGIC.to_be_bytes().to_vec();
        answer.extend_from_slice(&error.to_be_bytes());
        answer.extend_from_slice(&cookie.to_be_bytes());
        answer.extend_from_slice(data);
        answer
    }

    fn transmission(answer: &[u8]) -> Transmission<Canned<'_>> {
        let hello = [
            greeting_bytes(),
            export_bytes(4096, 0b1101),
            sizes_bytes(512, 1024),
            reply(1, &[]),
        ]
        .concat();
        let export = negotiate(&mut Canned { answer: &hello }, "").unwrap();
        Transmission::new(Canned { answer }, export)
    }

    #[test]
    fn a_range_of_any_kind_becomes_whole_blocks() {
        let answers = [
            answer(0, 1, &[1; 512]),
            answer(0, 2, &[2; 1024]),
            answer(0, 3, &[3; 512]),
            answer(0, 4, &[4; 512]),
        ]
        .concat();
        let mut transmission = transmission(&answers);
        let mut buffer = vec![0; 12 + 1024 + 512 + 100];
        transmission.read(&mut buffer, 500).unwrap();
        assert_eq!(buffer[..12], [1; 12]);
        assert_eq!(buffer[12..1036], [2; 1024]);
        assert_eq!(buffer[1036..1548], [3; 512]);
        assert_eq!(buffer[1548..], [4; 100]);
    }

    #[test]
    fn an_error_of_the_server_leaves_the_connection() {
        let answers = [answer(28, 1, &[]), answer(0, 2, &[])].concat();
        let mut transmission = transmission(&answers);
        let error = transmission.write(&[0; 512], 0, false).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(28));
        transmission.write(&[0; 512], 0, false).unwrap();
    }

    #[test]
    fn a_broken_reply_ends_the_connection() {
        for answers in [answer(0, 7, &[]), vec![0; 16], Vec::new()] {
            let mut transmission = transmission(&answers);
            assert!(transmission.flush().is_err());
            let error = transmission.flush().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        }
    }
}
