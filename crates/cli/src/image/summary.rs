//! What filesystems say of themselves, in words and in JSON.

use christen_ext4 as ext4;
use christen_instance::Value;
use christen_vfs::Statistics;

use super::show::size_text;
use crate::output;

/// What a filesystem says of itself.
#[derive(Debug, Clone)]
pub(crate) enum Summary {
    /// An ext2, ext3 or ext4 filesystem.
    Ext4(ext4::Summary),
    /// Any other: how much it holds and has left.
    Other(Statistics),
}

/// The state as one word for programs, and in a few words for people.
fn state(ext: &ext4::Summary) -> (&'static str, &'static str) {
    if ext.has_errors {
        ("errors", "errors were found in it")
    } else if ext.needs_recovery {
        (
            "needs-recovery",
            "needs recovery: its journal was not written back",
        )
    } else if !ext.is_unmounted {
        ("not-unmounted", "not unmounted")
    } else if ext.has_orphans {
        ("clean", "clean, with files that wait for being removed")
    } else {
        ("clean", "clean")
    }
}

fn bytes(blocks: u64, block_bytes: u32) -> u64 {
    blocks.saturating_mul(block_bytes.into())
}

fn free(free: u64, all: u64, block_bytes: u32) -> String {
    format!(
        "{} of {}",
        size_text(bytes(free, block_bytes)),
        size_text(bytes(all, block_bytes))
    )
}

impl Summary {
    /// Whether it was left in order: unmounted, its journal written back. `None` where that is not known.
    pub(crate) fn is_clean(&self) -> Option<bool> {
        match self {
            Self::Ext4(ext) => Some(ext.is_unmounted && !ext.needs_recovery),
            Self::Other(_) => None,
        }
    }

    /// Whether it notes errors in itself. `None` where that is not known.
    pub(crate) fn has_errors(&self) -> Option<bool> {
        match self {
            Self::Ext4(ext) => Some(ext.has_errors),
            Self::Other(_) => None,
        }
    }

    /// What is shown, name by name.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Ext4(ext) => {
                let features: Vec<_> = ext.features.iter().map(ext4::Feature::name).collect();
                vec![
                    ("state", state(ext).1.to_owned()),
                    ("free", free(ext.free_blocks, ext.blocks, ext.block_bytes)),
                    (
                        "inodes free",
                        format!("{} of {}", ext.free_inodes, ext.inodes),
                    ),
                    ("block size", format!("{} bytes", ext.block_bytes)),
                    ("features", features.join(" ")),
                ]
            }
            Self::Other(it) => vec![
                ("free", free(it.free_blocks, it.blocks, it.block_bytes)),
                ("block size", format!("{} bytes", it.block_bytes)),
            ],
        }
    }

    /// The same for programs.
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Ext4(ext) => {
                let size = |blocks| output::number(bytes(blocks, ext.block_bytes));
                let features = ext.features.iter().map(ext4::Feature::name);
                output::object([
                    ("state", state(ext).0.into()),
                    ("needs_recovery", ext.needs_recovery.into()),
                    ("has_errors", ext.has_errors.into()),
                    ("has_orphans", ext.has_orphans.into()),
                    ("block_bytes", output::number(ext.block_bytes.into())),
                    ("inode_bytes", output::number(ext.inode_bytes.into())),
                    ("size_bytes", size(ext.blocks)),
                    ("free_bytes", size(ext.free_blocks)),
                    ("reserved_bytes", size(ext.reserved_blocks)),
                    ("inodes", output::number(ext.inodes.into())),
                    ("free_inodes", output::number(ext.free_inodes.into())),
                    (
                        "features",
                        Value::Array(features.map(Value::from).collect()),
                    ),
                ])
            }
            Self::Other(it) => {
                let size = |blocks| output::number(bytes(blocks, it.block_bytes));
                output::object([
                    ("block_bytes", output::number(it.block_bytes.into())),
                    ("size_bytes", size(it.blocks)),
                    ("free_bytes", size(it.free_blocks)),
                ])
            }
        }
    }
}
