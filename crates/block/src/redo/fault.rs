//! Why a redo file is not used.

use std::io;
use std::path::PathBuf;

/// Why a redo file is not used. It was left as it is, and so was the image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedoFault {
    /// The host refused to open or read it.
    #[error("it cannot be read")]
    Io(#[source] io::Error),
    /// It is a symbolic link, or has more than one name: somebody else has made it.
    #[error("it is a link")]
    Link,
    /// It is no regular file.
    #[error("it is no regular file")]
    NotRegular,
    /// Others than its owner may read or write it.
    #[error("its mode is {0:04o}, not 0600")]
    Mode(u32),
    /// It belongs neither to us nor to the owner of the image.
    #[error("it belongs to user {0}, who owns neither the image nor this process")]
    Owner(u32),
    /// It does not begin as a redo file does.
    #[error("it is no redo file")]
    NotRedo,
    /// A later version has made it.
    #[error("it has format version {0}, and this program knows version 1")]
    Version(u32),
    /// It is shorter than it says.
    #[error("it is cut off: {there} of {said} bytes are there")]
    Truncated {
        /// The length it has.
        there: u64,
        /// The length it states.
        said: u64,
    },
    /// A checksum does not match.
    #[error("the checksum of its {0} does not match")]
    Checksum(&'static str),
    /// A record breaks a rule of the format.
    #[error("its record at {place}: {rule}")]
    Malformed {
        /// Where in the redo file, in bytes.
        place: u64,
        /// The rule.
        rule: &'static str,
    },
    /// It was made for another file.
    #[error("it was made for another file")]
    Foreign,
    /// The image has another length than before and after the change.
    #[error("the image is {there} bytes long, and was {old} before the change and {new} after it")]
    Length {
        /// The length it has.
        there: u64,
        /// The length before the change.
        old: u64,
        /// The length after it.
        new: u64,
    },
    /// A sector of an image is neither what it was nor what it should become: somebody has written to it since.
    #[error(
        "the 512 bytes at {offset} of `{file}` are neither what they were before the change nor what they should become"
    )]
    Conflict {
        /// The file that holds the sector; empty for the image itself.
        file: PathBuf,
        /// Where, in bytes.
        offset: u64,
    },
    /// A second file of the change may not be opened.
    #[error("it also changes `{0}`, which may not be opened")]
    NotAllowed(PathBuf),
    /// The image is marked as being changed, and no redo file is there to complete it.
    #[error("it is needed and is not there")]
    Missing,
}
