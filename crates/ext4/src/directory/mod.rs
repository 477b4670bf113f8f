//! Directories: entries in blocks, the hashed index, and directories that stand in their inode.
