//! The files that a description or a settings file names, read from this host.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use christen_instance::inputs::FileSource;

/// Files of this host; relative names start at one directory.
#[derive(Debug)]
pub(crate) struct HostFiles {
    base: PathBuf,
}

impl HostFiles {
    /// Relative names are taken from the directory that holds `path`; from the working
    /// directory when `path` is `-`.
    pub(crate) fn beside(path: &Path) -> Self {
        let base = match path.parent() {
            Some(parent) if path != Path::new("-") => parent.to_owned(),
            _ => PathBuf::new(),
        };
        Self { base }
    }
}

impl FileSource for HostFiles {
    fn read(&self, path: &str, limit_bytes: u64) -> io::Result<Vec<u8>> {
        read_limited(File::open(self.base.join(path))?, limit_bytes)
    }
}

/// Reads a file, or standard input for `-`, up to a limit.
pub(crate) fn read_argument(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    if path == Path::new("-") {
        read_limited(io::stdin().lock(), limit_bytes)
    } else {
        read_limited(File::open(path)?, limit_bytes)
    }
}

/// Room for nearly every description, key and certificate.
const TYPICAL_BYTES: usize = 16 << 10;

/// Reads to the end, but never more than the limit: `/dev/zero` is a file too.
fn read_limited(reader: impl Read, limit_bytes: u64) -> io::Result<Vec<u8>> {
    // Most of these files are small: one read takes them whole, not ten that double.
    let mut content = Vec::with_capacity(TYPICAL_BYTES);
    reader
        .take(limit_bytes.saturating_add(1))
        .read_to_end(&mut content)?;
    if content.len() as u64 > limit_bytes {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {limit_bytes} bytes"),
        ));
    }
    Ok(content)
}
