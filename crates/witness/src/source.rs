//! Where the bytes come from.

use std::error::Error;
use std::fmt::Debug;

/// A volume that can be read.
pub trait Source: Debug + Send + Sync {
    /// Fills the buffer with the bytes at an offset.
    ///
    /// # Errors
    ///
    /// What stops it, and if the volume ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), Box<dyn Error + Send + Sync>>;
}
