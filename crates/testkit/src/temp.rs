//! Directories that go away with the test.

use std::fs;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, process};

/// More than a test of one image needs.
const ENOUGH_BYTES: u64 = 1 << 30;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A directory of its own for one test, removed with all it holds when dropped.
///
/// It dereferences to its path. Readable by its owner only.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Creates a new, empty directory.
    ///
    /// # Panics
    ///
    /// Panics when the directory cannot be created: no test can go on without it.
    #[expect(
        clippy::new_without_default,
        reason = "making a directory is no default"
    )]
    pub fn new() -> Self {
        Self::below(&env::temp_dir())
    }

    /// Creates one in the host's memory if there is such a place: a sync takes no time there, which is what tests want that kill
    /// programs and not the host.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        // Containers may have a few mebibytes there.
        match rustix::fs::statvfs(memory) {
            Ok(found) if found.f_bavail.saturating_mul(found.f_frsize) > ENOUGH_BYTES => {
                Self::below(memory)
            }
            _ => Self::new(),
        }
    }

    fn below(top: &Path) -> Self {
        use std::os::unix::fs::DirBuilderExt;

        loop {
            let path = top.join(format!(
                "christen-test-{}-{}",
                process::id(),
                NEXT.fetch_add(1, Ordering::Relaxed)
            ));
            // A directory left by a killed process of the same number is stepped over.
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Self { path },
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot create {}: {error}", path.display()),
            }
        }
    }

    /// Returns the directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Deref for TempDir {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for TempDir {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A test that removed it itself is fine, and a test that failed has more to say.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_empty_then_gone() {
        let directory = TempDir::new();
        let path = directory.to_path_buf();
        assert_eq!(fs::read_dir(&path).map(Iterator::count).ok(), Some(0));
        fs::write(directory.join("file"), b"x").expect("the directory is writable");
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn two_are_different() {
        assert_ne!(TempDir::new().path(), TempDir::new().path());
    }
}
