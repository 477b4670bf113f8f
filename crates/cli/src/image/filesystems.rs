//! The filesystems that christen reads and writes, chosen by what stands in a volume.

use christen_ext4 as ext4;
use christen_instance::Value;
use christen_vfs::{FileSystem, Timestamp};

use super::layout::Part;
use super::show::size_text;
use crate::failure::Failure;
use crate::output;

/// What a filesystem is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Reading it as it is.
    Read,
    /// Reading it as its journal would leave it.
    ReadReplayed,
    /// Changing it.
    Change,
    /// Changing it, its journal replayed first.
    ChangeReplayed,
}

/// Opens the filesystem of a volume.
pub(crate) fn open(
    part: &Part,
    how: Use,
    now: Timestamp,
) -> Result<Box<dyn FileSystem>, ext4::Error> {
    let _ = (part, how, now);
    let open = "reading and changing files";
    Err(christen_vfs::Error::NotPossible(open).into())
}

/// Whether the filesystem of a volume has a journal that was not written back.
pub(crate) fn needs_recovery(part: &Part) -> bool {
    ext4::Summary::read(&part.device).is_ok_and(|it| it.needs_recovery)
}

/// Adds to a failure why a filesystem cannot be opened, and what the user can do.
pub(crate) fn refused(failure: Failure, error: &ext4::Error) -> Failure {
    let failure = failure.because(error);
    match error {
        ext4::Error::UncleanJournal => {
            failure.hint("boot the guest and shut it down cleanly, or pass `--replay-journal`")
        }
        ext4::Error::HasErrors | ext4::Error::NotUnmounted => {
            failure.hint("run `e2fsck` in the guest or on a loop device first")
        }
        _ => failure,
    }
}

/// What a filesystem says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    ext: ext4::Summary,
}

/// Asks a volume what it says of itself; the words say why it cannot be read.
pub(crate) fn summary(part: &Part) -> Result<Summary, String> {
    ext4::Summary::read(&part.device)
        .map(|ext| Summary { ext })
        .map_err(|error| error.to_string())
}

impl Summary {
    /// The state in a few words.
    fn state(&self) -> &'static str {
        if self.ext.has_errors {
            "errors were found in it"
        } else if self.ext.needs_recovery {
            "needs recovery: its journal was not written back"
        } else if !self.ext.is_unmounted {
            "not unmounted"
        } else if self.ext.has_orphans {
            "clean, with files that wait for being removed"
        } else {
            "clean"
        }
    }

    /// The state as one word for programs.
    fn state_word(&self) -> &'static str {
        if self.ext.has_errors {
            "errors"
        } else if self.ext.needs_recovery {
            "needs-recovery"
        } else if !self.ext.is_unmounted {
            "not-unmounted"
        } else {
            "clean"
        }
    }

    fn bytes(&self, blocks: u64) -> u64 {
        blocks.saturating_mul(self.ext.block_bytes.into())
    }

    fn features(&self) -> impl Iterator<Item = &'static str> {
        self.ext.features.iter().map(ext4::Feature::name)
    }

    /// What is shown, name by name.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let ext = &self.ext;
        let of = |free, all| format!("{} of {}", size_text(free), size_text(all));
        vec![
            ("state", self.state().to_owned()),
            (
                "free",
                of(self.bytes(ext.free_blocks), self.bytes(ext.blocks)),
            ),
            (
                "inodes free",
                format!("{} of {}", ext.free_inodes, ext.inodes),
            ),
            ("block size", format!("{} bytes", ext.block_bytes)),
            ("features", self.features().collect::<Vec<_>>().join(" ")),
        ]
    }

    /// The same for programs.
    pub(crate) fn value(&self) -> Value {
        let ext = &self.ext;
        output::object([
            ("state", self.state_word().into()),
            ("needs_recovery", ext.needs_recovery.into()),
            ("has_errors", ext.has_errors.into()),
            ("has_orphans", ext.has_orphans.into()),
            ("block_bytes", output::number(ext.block_bytes.into())),
            ("inode_bytes", output::number(ext.inode_bytes.into())),
            ("size_bytes", output::number(self.bytes(ext.blocks))),
            ("free_bytes", output::number(self.bytes(ext.free_blocks))),
            (
                "reserved_bytes",
                output::number(self.bytes(ext.reserved_blocks)),
            ),
            ("inodes", output::number(ext.inodes.into())),
            ("free_inodes", output::number(ext.free_inodes.into())),
            (
                "features",
                Value::Array(self.features().map(Value::from).collect()),
            ),
        ])
    }
}
