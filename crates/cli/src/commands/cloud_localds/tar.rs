//! A tar archive of a seed's few files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use christen_configdrive::{Error, Sink};

use super::{SeedContent, SeedFile};
use crate::destination::Image;

/// Blocks of a tar archive (POSIX.1-2017, pax, "ustar Interchange Format").
const BLOCK_BYTES: u64 = 512;
/// What tar pads an archive to: 20 blocks.
const RECORD_BYTES: u64 = 10_240;
/// The largest number that 11 octal digits hold, in the same document.
const LONGEST_FILE: u64 = 0o777_7777_7777;

/// The archive.
pub(super) struct Tar {
    /// The directory that the files are in; empty for none.
    pub(super) directory: &'static str,
    pub(super) files: Vec<SeedFile>,
    /// Seconds since the epoch.
    pub(super) modified: u64,
}

impl Image for Tar {
    fn write(&self, sink: &mut dyn Sink) -> Result<(), Error> {
        let mut written = 0;
        if !self.directory.is_empty() {
            let name = format!("{}/", self.directory);
            write_all(sink, &self.header(&name, b'5', 0o755, 0))?;
            written += BLOCK_BYTES;
        }
        for file in &self.files {
            let name = self.path_of(file);
            let length = match &file.content {
                SeedContent::Bytes(bytes) => bytes.len() as u64,
                SeedContent::File(_, length) => *length,
            };
            if length > LONGEST_FILE {
                return Err(Error::Content {
                    path: name,
                    source: io::ErrorKind::FileTooLarge.into(),
                });
            }
            write_all(sink, &self.header(&name, b'0', file.mode, length))?;
            match &file.content {
                SeedContent::Bytes(bytes) => write_all(sink, bytes)?,
                SeedContent::File(path, length) => copy(sink, path, *length, name)?,
            }
            let padding = length.next_multiple_of(BLOCK_BYTES) - length;
            sink.write_zeros(padding).map_err(Error::Write)?;
            written += BLOCK_BYTES + length + padding;
        }
        // Two empty blocks end the archive.
        let end = (written + 2 * BLOCK_BYTES).next_multiple_of(RECORD_BYTES);
        sink.write_zeros(end - written).map_err(Error::Write)
    }
}

impl Tar {
    fn path_of(&self, file: &SeedFile) -> String {
        if self.directory.is_empty() {
            file.name.to_owned()
        } else {
            format!("{}/{}", self.directory, file.name)
        }
    }

    /// Lays out one header.
    ///
    /// | offset | size | field                        |
    /// |-------:|-----:|------------------------------|
    /// |      0 |  100 | `name`                       |
    /// |    100 |    8 | `mode`                       |
    /// |    108 |   16 | `uid`, `gid`: 0              |
    /// |    124 |   12 | `size`                       |
    /// |    136 |   12 | `mtime`                      |
    /// |    148 |    8 | `chksum`                     |
    /// |    156 |    1 | `typeflag`                   |
    /// |    257 |    8 | `magic` and `version`        |
    /// |    265 |   64 | `uname`, `gname`: root       |
    ///
    /// Numbers are octal and end with a zero byte; the sum is that of all bytes with
    /// `chksum` itself counted as spaces.
    fn header(&self, name: &str, kind: u8, mode: u16, length: u64) -> [u8; 512] {
        let mut header = [0; 512];
        // The names are ours and short: the longest is below 50 bytes.
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(format!("{mode:07o}").as_bytes());
        header[108..115].copy_from_slice(b"0000000");
        header[116..123].copy_from_slice(b"0000000");
        header[124..135].copy_from_slice(format!("{length:011o}").as_bytes());
        header[136..147].copy_from_slice(format!("{:011o}", self.modified).as_bytes());
        header[148..156].fill(b' ');
        header[156] = kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[265..269].copy_from_slice(b"root");
        header[297..301].copy_from_slice(b"root");
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        header[154] = 0;
        header
    }
}

fn write_all(sink: &mut dyn Sink, bytes: &[u8]) -> Result<(), Error> {
    sink.write_all(bytes).map_err(Error::Write)
}

/// Copies a file of the host that must have the length in the header before it.
fn copy(sink: &mut dyn Sink, path: &Path, length: u64, name: String) -> Result<(), Error> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(source) => return Err(Error::Content { path: name, source }),
    };
    let copied = sink.write_file(&mut file, length).map_err(Error::Write)?;
    let longer = match file.read(&mut [0]) {
        Ok(more) => more > 0,
        Err(source) => return Err(Error::Content { path: name, source }),
    };
    if longer || copied != length {
        return Err(Error::ContentLength {
            path: name,
            expected: length,
            longer,
        });
    }
    Ok(())
}
