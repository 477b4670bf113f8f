//! Images mounted by loop.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::{TempDir, tools};

/// How often unmounting is tried, and how long is waited in between.
const UNMOUNT_TRIES: u32 = 50;
const UNMOUNT_PAUSE: Duration = Duration::from_millis(20);

/// An image that is mounted until this is dropped.
#[derive(Debug)]
pub struct Mount {
    /// Holds the mount point, and goes with it.
    _directory: TempDir,
    top: PathBuf,
    mounted: bool,
}

/// Whether images can be mounted here; says `skipped: ...` when not.
///
/// # Panics
///
/// Panics when they cannot and `CHRISTEN_REQUIRE_TOOLS` is `1`.
#[track_caller]
pub fn require() -> bool {
    if tools::require("mount").is_none() {
        return false;
    }
    if !rustix::process::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
        tools::skip("mounting needs root and loop devices");
        return false;
    }
    true
}

impl Mount {
    /// Mounts an image read-only, without replaying a journal.
    ///
    /// # Panics
    ///
    /// Panics when the kernel does not take it.
    #[track_caller]
    pub fn read_only(image: &Path) -> Self {
        Self::new(image, "loop,ro,noload")
    }

    /// Mounts an image of ext2, ext3 or ext4 for writing; reading sets no times.
    ///
    /// # Panics
    ///
    /// Panics when the kernel does not take it.
    #[track_caller]
    pub fn writable(image: &Path) -> Self {
        Self::new(image, "loop,noatime")
    }

    #[track_caller]
    fn new(image: &Path, options: &str) -> Self {
        let directory = TempDir::new();
        let top = directory.join("mnt");
        std::fs::create_dir(&top).expect("the directory is new");
        tools::run(
            Command::new("mount")
                .args(["-t", "ext4", "-o", options])
                .arg(image)
                .arg(&top),
        );
        Self {
            _directory: directory,
            top,
            mounted: true,
        }
    }

    /// Returns where it is mounted.
    pub fn path(&self) -> &Path {
        &self.top
    }

    /// Unmounts it, so that the image holds all that was written.
    ///
    /// # Panics
    ///
    /// Panics when it cannot be unmounted.
    #[track_caller]
    pub fn unmount(mut self) {
        self.mounted = false;
        // A process that another test starts has our descriptors for the moment between its fork and its exec.
        for _ in 0..UNMOUNT_TRIES {
            let tried = Command::new("umount").arg("-q").arg(&self.top).output();
            if tried.is_ok_and(|output| output.status.success()) {
                return;
            }
            thread::sleep(UNMOUNT_PAUSE);
        }
        tools::run(Command::new("umount").arg(&self.top));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted {
            // A test that failed has more to say.
            let _ = Command::new("umount").arg("-l").arg(&self.top).status();
        }
        let _ = std::fs::remove_dir(&self.top);
    }
}
