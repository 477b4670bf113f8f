//! What an image is opened as and for.

use std::path::PathBuf;

/// The format of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The bytes of the disk, and nothing else.
    Raw,
    /// QEMU's own format.
    Qcow2,
}

impl Format {
    /// Returns the name that QEMU and libvirt use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// Whether the caller knows the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatedFormat {
    /// It is this one.
    Stated(Format),
    /// It is found out by looking. For reading only: whoever can write to a raw disk can make it look like anything, and so
    /// choose what a writer does with it.
    Probed,
}

/// What an image is opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Reading. Nothing is written to the host at all.
    Read {
        /// Read it even while another process writes to it. What is read may then never have been true.
        even_in_use: bool,
    },
    /// Changing it where it is.
    Change,
    /// Making a new image with the changes; this one is opened for reading only.
    Output {
        /// The new file, which must not exist.
        path: PathBuf,
        /// What the new file is.
        kind: OutputKind,
    },
}

/// What a new image is to the one that it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// A copy in the same format; sparse, and sharing blocks with the image where the filesystem can do that.
    Copy,
    /// A qcow2 image that has this one as its backing file, and holds only what differs.
    Overlay,
}

/// How an image is opened. There is no default: each of these is a question of safety, so the caller answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOptions {
    /// The format.
    pub format: StatedFormat,
    /// What it is opened for.
    pub purpose: Purpose,
    /// The directories in which files that an image names may be opened; none forbids it.
    pub allow_backing: Vec<PathBuf>,
    /// The directory for redo files; without one they stand beside the image.
    pub redo_directory: Option<PathBuf>,
}
