//! Copies the content of a file into an image.

use std::fs::File;
use std::io::{self, Read};

use crate::{Content, EntryId, Error, Sink, Tree};

/// How much of a stream is in memory at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes a file's content, which must have exactly the length that the tree says.
pub(crate) fn write(
    tree: &Tree,
    entry: EntryId,
    content: &Content,
    out: &mut dyn Sink,
) -> Result<(), Error> {
    match content {
        Content::Bytes(bytes) => out.write_all(bytes).map_err(Error::Write),
        Content::Shared(bytes) => out.write_all(bytes).map_err(Error::Write),
        Content::File { path, length } => {
            let mut file = File::open(path).map_err(|source| unreadable(tree, entry, source))?;
            let copied = out.write_file(&mut file, *length).map_err(Error::Write)?;
            check_end(tree, entry, *length, copied, &mut file)
        }
        Content::Stream { length, open } => {
            let mut stream = open().map_err(|source| unreadable(tree, entry, source))?;
            let mut buffer =
                vec![0; BUFFER_BYTES.min(usize::try_from(*length).unwrap_or(BUFFER_BYTES))];
            let mut left = *length;
            while left > 0 {
                let most = buffer
                    .len()
                    .min(usize::try_from(left).unwrap_or(buffer.len()));
                let count = read(&mut stream, &mut buffer[..most])
                    .map_err(|source| unreadable(tree, entry, source))?;
                if count == 0 {
                    break;
                }
                out.write_all(&buffer[..count]).map_err(Error::Write)?;
                left -= count as u64;
            }
            check_end(tree, entry, *length, *length - left, &mut stream)
        }
    }
}

fn check_end(
    tree: &Tree,
    entry: EntryId,
    expected: u64,
    copied: u64,
    rest: &mut impl Read,
) -> Result<(), Error> {
    let longer = copied == expected
        && read(rest, &mut [0]).map_err(|source| unreadable(tree, entry, source))? > 0;
    if copied < expected || longer {
        return Err(Error::ContentLength {
            path: tree.path(entry),
            expected,
            longer,
        });
    }
    Ok(())
}

fn read(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn unreadable(tree: &Tree, entry: EntryId, source: io::Error) -> Error {
    Error::Content {
        path: tree.path(entry),
        source,
    }
}
