//! Where random bytes come from: the system, or a file for reproducible output.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use christen_instance::inputs::RandomSource;

/// The system's generator.
#[derive(Debug)]
pub(crate) struct SystemRandom;

impl RandomSource for SystemRandom {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        getrandom::fill(buffer).map_err(io::Error::other)
    }
}

/// A file's bytes, each used once, in order.
#[derive(Debug)]
pub(crate) struct FileRandom {
    file: BufReader<File>,
    used_bytes: u64,
}

impl FileRandom {
    /// Opens the file; nothing is read before it is drawn.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufReader::new(File::open(path)?),
            used_bytes: 0,
        })
    }
}

impl RandomSource for FileRandom {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact(buffer).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                // Going round would repeat secrets; a short file is the user's mistake.
                io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!(
                        "the random source ended: {} more bytes are needed after byte {}",
                        buffer.len(),
                        self.used_bytes
                    ),
                )
            } else {
                error
            }
        })?;
        self.used_bytes += buffer.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_bytes_once_and_then_an_error() {
        let path = std::env::temp_dir().join(format!("christen-random-{}", std::process::id()));
        std::fs::write(&path, [1, 2, 3]).expect("the temporary directory is writable");
        let mut random = FileRandom::open(&path).expect("it was just written");
        let mut two = [0; 2];
        random.fill(&mut two).expect("there are three bytes");
        assert_eq!(two, [1, 2]);
        let error = random.fill(&mut two).expect_err("one byte is left");
        assert!(error.to_string().contains("after byte 2"), "{error}");
        std::fs::remove_file(&path).expect("it was just written");
    }
}
