//! What can go wrong with a drive.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::read::{Corrupt, Unsupported, View};

/// A filesystem that a drive can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// ISO 9660, with Joliet and Rock Ridge where asked for.
    Iso9660,
    /// FAT12, FAT16 or FAT32 with long names.
    Vfat,
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Iso9660 => "ISO 9660",
            Self::Vfat => "VFAT",
        })
    }
}

/// What can go wrong with a drive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A path cannot name an entry of a tree. The tree is unchanged.
    #[error("`{path}` cannot be a path on a drive: {rule}")]
    InvalidPath {
        /// The path as given.
        path: String,
        /// The rule that it breaks.
        rule: &'static str,
    },

    /// Two entries of a tree have one path, or a file stands where a directory is needed. The tree is unchanged.
    #[error("`{path}` is in the tree already")]
    Occupied {
        /// The path that was taken.
        path: String,
    },

    /// The format cannot hold an entry as it is. Nothing was written.
    #[error("{format} cannot hold `{path}`: {rule}")]
    CannotHold {
        /// The format.
        format: Format,
        /// The entry's path.
        path: String,
        /// The rule that it breaks.
        rule: &'static str,
    },

    /// The format cannot hold two entries side by side, because it does not tell their names apart. Nothing was
    /// written.
    #[error("{format} cannot tell `{path}` from `{other}`")]
    SameName {
        /// The format.
        format: Format,
        /// The entry that came second.
        path: String,
        /// The entry that came first.
        other: String,
    },

    /// The tree as a whole is larger than the format or the layout can hold. Nothing was written.
    #[error("the tree is too large for {format}: {needed} {unit}, at most {limit}")]
    TooLarge {
        /// The format.
        format: Format,
        /// What the tree needs.
        needed: u64,
        /// The most that there can be.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },

    /// A text of the volume's description does not fit its field. Nothing was written.
    #[error("the {field} `{value}` does not fit: {rule}")]
    VolumeText {
        /// The field.
        field: &'static str,
        /// The text as given.
        value: String,
        /// The rule that it breaks.
        rule: &'static str,
    },

    /// An entry cannot have the part in booting that it was given. Nothing was written.
    #[error("`{path}` cannot be the {role}: {rule}")]
    Boot {
        /// The entry's path.
        path: String,
        /// What it was to be.
        role: &'static str,
        /// The rule that it breaks.
        rule: &'static str,
    },

    /// A file's content could not be read. The image is not complete.
    #[error("cannot read the content of `{path}`")]
    Content {
        /// The file's path on the drive.
        path: String,
        /// The cause.
        source: io::Error,
    },

    /// A file's content was shorter or longer than the tree said. The image is not complete.
    #[error("the content of `{path}` is {} than the {expected} bytes announced", if *longer { "longer" } else { "shorter" })]
    ContentLength {
        /// The file's path on the drive.
        path: String,
        /// The length that the tree gave, in bytes.
        expected: u64,
        /// Whether there was more of it; less otherwise.
        longer: bool,
    },

    /// The sink refused a write. The image is not complete.
    #[error("cannot write the image")]
    Write(#[source] io::Error),

    /// A step of replacing a file failed. The target is as it was, unless the step says otherwise.
    #[error("cannot {step} `{}`", path.display())]
    Output {
        /// The step.
        step: &'static str,
        /// The path that it concerned.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },

    /// The target exists and is not a regular file. It was not touched.
    #[error("`{}` is {kind}, not a regular file", path.display())]
    NotRegular {
        /// The target.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },

    /// The drive could not be read. Nothing was written.
    #[error("cannot read {what} at byte {offset} of the drive")]
    Read {
        /// The structure that was wanted.
        what: &'static str,
        /// Where on the drive.
        offset: u64,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// The drive breaks its format's rules. Nothing was written.
    #[error("the drive is corrupt")]
    Corrupt(#[from] Corrupt),
    /// The drive, or a file on it, is of a kind that is not read. Nothing was written.
    #[error("the drive is not one that can be read")]
    Unsupported(#[from] Unsupported),
    /// The drive has no tree of the kind asked for. Nothing was written.
    #[error("the drive has no {view} tree")]
    NoSuchView {
        /// The tree asked for.
        view: View,
    },
    /// The content of something that is not a regular file was asked for.
    #[error("`{path}` is not a regular file")]
    NotAFile {
        /// The entry.
        path: String,
    },
    /// A file is longer than the caller allows. Nothing was read of it.
    #[error("`{path}` has {length} bytes, more than the {limit} allowed")]
    TooLong {
        /// The entry.
        path: String,
        /// Its length in bytes.
        length: u64,
        /// The caller's limit in bytes.
        limit: u64,
    },
    /// A name on the drive would lead out of the destination, or cannot be a file's name
    /// on the host. Nothing was extracted.
    #[error("`{path}` is not a name that can be extracted safely")]
    UnsafeName {
        /// The path on the drive.
        path: String,
    },
    /// The destination of an extraction has something in it. It was not changed.
    #[error("`{path}` exists and is not an empty directory")]
    DestinationExists {
        /// The destination.
        path: PathBuf,
    },
    /// The caller's writer refused a file's content; some of it may have been written.
    #[error("cannot pass on the content of `{path}`")]
    Copy {
        /// The path on the drive.
        path: String,
        /// What the writer says.
        #[source]
        source: io::Error,
    },
}
