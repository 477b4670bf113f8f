//! A file that exists whole or not at all.
//!
//! The bytes go to a new file beside the target, with mode 0600 and a name that cannot be foreseen. When they are
//! complete they are synced, the file is renamed over the target, and the directory is synced. Whatever fails before
//! the rename, a panic included, removes the new file and leaves the target as it was.
//!
//! An existing regular file is replaced as one step; its mode and owner are not carried over, because a drive may
//! hold secrets that the old file's readers must not get. Anything else that exists — a directory, a device, a socket,
//! and also a symbolic link, which somebody else may have put there — is refused: to write to a device, open it
//! and use [`FileSink::without_holes`].

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::{Error, FileSink, Medium};

/// A drive may hold passwords: nobody but its owner reads it.
const MODE: u32 = 0o600;
/// Two names drawn at random are never equal in practice; this bounds the loop if somebody foresees them.
const MAX_NAME_ATTEMPTS: u32 = 16;

/// Whether a new file must survive a loss of power once the call has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// File and directory are synced.
    Synced,
    /// The kernel writes them back in its own time. The file is still whole or absent as far as programs can see.
    Unsynced,
}

/// Creates or replaces the file at `target` with what `write` puts into its sink.
///
/// # Errors
///
/// Those of `write`; [`Error::NotRegular`]; [`Error::Output`]. The target is untouched after every one of them, but
/// for a failed sync of the directory after the rename: then the new file is in place, and may be gone again
/// after a loss of power.
pub fn create<T, E: From<Error>>(
    target: &Path,
    durability: Durability,
    write: impl FnOnce(&mut FileSink) -> Result<T, E>,
) -> Result<T, E> {
    create_checked(target, durability, write, |_| Ok(()))
}

/// Like [`create`], and lets `check` read what was written before it takes its place.
///
/// # Errors
///
/// Those of [`create`], and of `check`: then the target is untouched.
pub fn create_checked<T, E: From<Error>>(
    target: &Path,
    durability: Durability,
    write: impl FnOnce(&mut FileSink) -> Result<T, E>,
    check: impl FnOnce(&File) -> Result<(), E>,
) -> Result<T, E> {
    create_on(&Host, target, durability, write, check)
}

/// The steps that a filesystem takes part in; replaced in tests, where each one fails in turn.
trait Filesystem {
    type File: Medium;

    /// Creates a file that was not there.
    fn create_new(&self, path: &Path) -> io::Result<Self::File>;
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

struct Host;

impl Filesystem for Host {
    type File = File;

    fn create_new(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(path)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// Removes a file when dropped, unless it was renamed away.
struct Unfinished {
    path: PathBuf,
    renamed: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.renamed {
            // Nobody is left to be told; the error that brought us here is the one that matters.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn create_on<F: Filesystem, T, E: From<Error>>(
    filesystem: &F,
    target: &Path,
    durability: Durability,
    write: impl FnOnce(&mut FileSink<F::File>) -> Result<T, E>,
    check: impl FnOnce(&F::File) -> Result<(), E>,
) -> Result<T, E> {
    let failed = |step, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Output { step, path, source }
    };
    check_target(target)?;
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (file, path) =
        create_beside(filesystem, directory).map_err(failed("create a file in", directory))?;
    let mut unfinished = Unfinished {
        path,
        renamed: false,
    };
    let mut sink = FileSink::new(file);
    let value = write(&mut sink)?;
    let file = sink.finish().map_err(failed("write", target))?;
    check(&file)?;
    if durability == Durability::Synced {
        filesystem.sync(&file).map_err(failed("sync", target))?;
    }
    drop(file);
    filesystem
        .rename(&unfinished.path, target)
        .map_err(failed("put the new file in the place of", target))?;
    unfinished.renamed = true;
    if durability == Durability::Synced {
        filesystem
            .sync_directory(directory)
            .map_err(failed("sync the directory", directory))?;
    }
    Ok(value)
}

fn check_target(target: &Path) -> Result<(), Error> {
    let found = match fs::symlink_metadata(target) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(Error::Output {
                step: "look at",
                path: target.to_owned(),
                source,
            });
        }
    };
    let kind = if found.is_file() {
        return Ok(());
    } else if found.is_dir() {
        "a directory"
    } else if found.is_symlink() {
        "a symbolic link"
    } else if found.is_block_device() {
        "a block device"
    } else if found.is_char_device() {
        "a character device"
    } else if found.is_fifo() {
        "a pipe"
    } else {
        "a socket"
    };
    Err(Error::NotRegular {
        path: target.to_owned(),
        kind,
    })
}

fn create_beside<F: Filesystem>(
    filesystem: &F,
    directory: &Path,
) -> io::Result<(F::File, PathBuf)> {
    let mut attempt = 0;
    loop {
        // The standard library keys each of these from the system's randomness.
        let name = format!(
            ".christen-{:016x}.tmp",
            RandomState::new().hash_one(attempt)
        );
        let path = directory.join(name);
        match filesystem.create_new(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists && attempt < MAX_NAME_ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{Seek, SeekFrom, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::rc::Rc;

    use christen_testkit::TempDir;

    use super::*;
    use crate::Sink;

    /// Lets a number of calls through and fails the next one.
    #[derive(Clone)]
    struct Faulty {
        left: Rc<Cell<u32>>,
    }

    impl Faulty {
        fn step(&self) -> io::Result<()> {
            match self.left.get() {
                0 => Err(io::ErrorKind::StorageFull.into()),
                left => {
                    self.left.set(left - 1);
                    Ok(())
                }
            }
        }
    }

    struct FaultyFile(File, Faulty);

    impl Write for FaultyFile {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.step()?;
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.1.step()
        }
    }

    impl Seek for FaultyFile {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.1.step()?;
            self.0.seek(to)
        }
    }

    impl Medium for FaultyFile {
        fn set_length(&mut self, length: u64) -> io::Result<()> {
            self.1.step()?;
            self.0.set_len(length)
        }

        fn copy_file(&mut self, file: &mut File, length: u64) -> io::Result<u64> {
            self.1.step()?;
            self.0.copy_file(file, length)
        }
    }

    impl Filesystem for Faulty {
        type File = FaultyFile;

        fn create_new(&self, path: &Path) -> io::Result<FaultyFile> {
            self.step()?;
            Ok(FaultyFile(Host.create_new(path)?, self.clone()))
        }

        fn sync(&self, _: &FaultyFile) -> io::Result<()> {
            self.step()
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.step()?;
            Host.rename(from, to)
        }

        fn sync_directory(&self, path: &Path) -> io::Result<()> {
            self.step()?;
            Host.sync_directory(path)
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn fill(sink: &mut FileSink<impl Medium>) -> Result<(), Error> {
        sink.write_all(&vec![7; 3 << 20]).map_err(Error::Write)?;
        sink.write_zeros(1 << 20).map_err(Error::Write)?;
        sink.write_all(b"end").map_err(Error::Write)?;
        sink.write_zeros(1 << 20).map_err(Error::Write)
    }

    #[test]
    fn a_failing_step_leaves_the_target_alone() {
        let directory = TempDir::new();
        let target = directory.path().join("drive.iso");
        fs::write(&target, "old").unwrap();
        let mut failures = Vec::new();
        for let_through in 0..100 {
            let filesystem = Faulty {
                left: Rc::new(Cell::new(let_through)),
            };
            let result: Result<(), Error> =
                create_on(&filesystem, &target, Durability::Synced, fill, |_| Ok(()));
            let Err(error) = result else {
                break;
            };
            assert_eq!(names(directory.path()), ["drive.iso"], "{let_through}");
            let text = error.to_string();
            if !text.starts_with("cannot sync the directory") {
                assert_eq!(fs::read(&target).unwrap(), b"old", "{let_through}: {text}");
            }
            failures.push(text.split(" `").next().unwrap().to_owned());
        }
        failures.dedup();
        assert_eq!(
            failures,
            [
                "cannot create a file in",
                "cannot write the image",
                "cannot write",
                "cannot sync",
                "cannot put the new file in the place of",
                "cannot sync the directory",
            ]
        );
        let written = fs::read(&target).unwrap();
        assert_eq!(written.len(), (5 << 20) + 3);
        assert_eq!(&written[4 << 20..(4 << 20) + 3], b"end");
    }

    #[test]
    fn a_failed_check_leaves_the_target_alone() {
        let directory = TempDir::new();
        let target = directory.path().join("drive.iso");
        fs::write(&target, "old").unwrap();
        let result = create_checked(
            &target,
            Durability::Synced,
            |sink| sink.write_all(b"new").map_err(Error::Write),
            |file| {
                let mut written = [0; 3];
                std::os::unix::fs::FileExt::read_exact_at(file, &mut written, 0).unwrap();
                assert_eq!(&written, b"new");
                Err(Error::Write(io::ErrorKind::InvalidData.into()))
            },
        );
        assert!(result.is_err());
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(names(directory.path()), ["drive.iso"]);
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let directory = TempDir::new();
        let target = directory.path().join("drive.iso");
        let result = std::panic::catch_unwind(|| {
            create::<(), Error>(&target, Durability::Unsynced, |sink| {
                sink.write_all(b"half").unwrap();
                panic!("on purpose");
            })
        });
        assert!(result.is_err());
        assert_eq!(names(directory.path()), [""; 0]);
    }

    #[test]
    fn the_new_file_is_for_its_owner_alone() {
        let directory = TempDir::new();
        let target = directory.path().join("drive.iso");
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
        create::<(), Error>(&target, Durability::Synced, |_| Ok(())).unwrap();
        assert_eq!(
            fs::metadata(&target).unwrap().permissions().mode() & 0o7777,
            MODE
        );
    }

    #[test]
    fn only_regular_files_are_replaced() {
        let directory = TempDir::new();
        let check = |target: &Path, kind: &str| {
            let error = create::<(), Error>(target, Durability::Unsynced, |_| Ok(())).unwrap_err();
            let expected = format!("`{}` is {kind}, not a regular file", target.display());
            assert_eq!(error.to_string(), expected);
        };
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        check(&link, "a symbolic link");
        check(Path::new("/dev/null"), "a character device");
        check(directory.path(), "a directory");
    }
}
