//! Extended attributes: in the inode, in a block of their own, shared between inodes, or in inodes.
