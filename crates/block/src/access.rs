//! What an image is opened for.

/// What an image is opened for. There is no default: the caller writes it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only: every write is refused.
    Read,
    /// Reading and writing.
    Write,
}
