//! What extended attributes need of a volume.

use christen_vfs::Result;

/// What extended attributes need of the volume that holds them, for one file.
pub trait AttributeStore {
    /// Returns the size of a block in bytes.
    fn block_bytes(&self) -> usize;

    /// Returns the checksum seed of a filesystem with `metadata_csum`: the CRC-32C state (not inverted at the end) over the UUID, or
    /// `s_checksum_seed`.
    fn checksum_seed(&self) -> Option<u32>;

    /// Reads a block of the filesystem.
    ///
    /// # Errors
    ///
    /// [`christen_vfs::Error::Corrupt`] if there is no such block, and whatever stops the reading.
    fn read_block(&mut self, block: u64) -> Result<Vec<u8>>;

    /// Writes a block that was read or allocated before.
    ///
    /// # Errors
    ///
    /// Whatever stops the writing.
    fn write_block(&mut self, block: u64, bytes: &[u8]) -> Result<()>;

    /// Allocates a block near the file's inode.
    ///
    /// # Errors
    ///
    /// [`christen_vfs::Error::NoSpace`], with nothing changed.
    fn allocate_block(&mut self) -> Result<u64>;

    /// Frees a block.
    ///
    /// # Errors
    ///
    /// [`christen_vfs::Error::Corrupt`] if it is not allocated.
    fn free_block(&mut self, block: u64) -> Result<()>;

    /// Reads the content of an inode that holds a value (feature `ea_inode`), and checks that the inode is one, that it has so many bytes, and
    /// that its hash is right.
    ///
    /// # Errors
    ///
    /// [`christen_vfs::Error::Corrupt`], or [`christen_vfs::Error::Unsupported`] where the feature is not handled.
    fn read_value(&mut self, inode: u32, size_bytes: u32) -> Result<Vec<u8>>;

    /// Counts one more reference to an inode that holds a value.
    ///
    /// # Errors
    ///
    /// As [`read_value`](Self::read_value).
    fn retain_value(&mut self, inode: u32) -> Result<()>;

    /// Takes back one reference to an inode that holds a value, and frees the inode after the last.
    ///
    /// # Errors
    ///
    /// As [`read_value`](Self::read_value).
    fn release_value(&mut self, inode: u32) -> Result<()>;

    /// Makes an inode that holds a value, or finds one with the same; it has one reference more. Returns its number and the hash of the
    /// content, or `None` if the filesystem has no `ea_inode`.
    ///
    /// # Errors
    ///
    /// [`christen_vfs::Error::NoSpace`] and [`christen_vfs::Error::NoInodes`], with nothing changed.
    fn store_value(&mut self, value: &[u8]) -> Result<Option<(u32, u32)>>;
}
