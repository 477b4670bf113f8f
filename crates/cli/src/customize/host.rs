//! Files of this host that go into a guest, with their modes and owners.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use christen_inject::{Error, Existing, Ownership, Stage};
use christen_vfs::GuestPath;

/// How deep a directory may be: deeper ones are a mistake.
const MOST_LEVELS: usize = 200;

/// Why a file does not come in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// It cannot be read here.
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// It is nothing that can be copied.
    #[error("`{}` {why}", path.display())]
    Kind { path: PathBuf, why: &'static str },
    /// The guest has no such directory.
    #[error("the guest has no directory `{0}`")]
    NoDirectory(GuestPath),
    /// The guest cannot take it.
    #[error(transparent)]
    Guest(#[from] Error),
}

/// One file, links followed; a directory of the guest takes it in under its own name.
pub(crate) fn upload(stage: &mut Stage<'_>, file: &Path, to: &GuestPath) -> Result<(), HostError> {
    let read = |source| HostError::Read {
        path: file.to_owned(),
        source,
    };
    let metadata = fs::metadata(file).map_err(read)?;
    let mut path = to.clone();
    if stage.is_directory(to)? {
        path = to.join(name(file)?.as_bytes());
    }
    regular(stage, file, &metadata, &path)
}

/// A file or a directory with all that is in it, into a directory of the guest that is there. Links stay links.
pub(crate) fn copy_in(
    stage: &mut Stage<'_>,
    from: &Path,
    directory: &GuestPath,
) -> Result<(), HostError> {
    if !stage.is_directory(directory)? {
        return Err(HostError::NoDirectory(directory.clone()));
    }
    // `dir/` and `dir/.` are called after the directory.
    let name = name(from)?;
    tree(stage, from, &directory.join(name.as_bytes()), 0)
}

fn tree(stage: &mut Stage<'_>, from: &Path, to: &GuestPath, level: usize) -> Result<(), HostError> {
    let read = |source| HostError::Read {
        path: from.to_owned(),
        source,
    };
    let metadata = fs::symlink_metadata(from).map_err(read)?;
    let kind = metadata.file_type();
    if kind.is_symlink() {
        let target = fs::read_link(from).map_err(read)?;
        stage.symbolic_link(to, target.as_os_str().as_bytes())?;
        return Ok(());
    }
    if !kind.is_dir() {
        return regular(stage, from, &metadata, to);
    }
    if level > MOST_LEVELS {
        return Err(HostError::Kind {
            path: from.to_owned(),
            why: "is more than 200 directories deep",
        });
    }
    stage.directory(to, ownership(&metadata), Existing::Set)?;
    let entries: Result<Vec<_>, _> = fs::read_dir(from).map_err(read)?.collect();
    let mut names: Vec<_> = entries
        .map_err(read)?
        .iter()
        .map(fs::DirEntry::file_name)
        .collect();
    // The order must not depend on the host's filesystem.
    names.sort();
    for name in names {
        tree(
            stage,
            &from.join(&name),
            &to.join(name.as_bytes()),
            level + 1,
        )?;
    }
    Ok(())
}

fn regular(
    stage: &mut Stage<'_>,
    file: &Path,
    metadata: &Metadata,
    to: &GuestPath,
) -> Result<(), HostError> {
    if !metadata.is_file() {
        return Err(HostError::Kind {
            path: file.to_owned(),
            why: match metadata.is_dir() {
                true => "is a directory: `--copy-in` takes those",
                false => "is no regular file",
            },
        });
    }
    let mut content = File::open(file).map_err(|source| HostError::Read {
        path: file.to_owned(),
        source,
    })?;
    stage.write_from(to, &mut content, ownership(metadata), Existing::Set)?;
    Ok(())
}

fn ownership(metadata: &Metadata) -> Ownership {
    Ownership {
        // The twelve bits fit.
        permissions: (metadata.mode() & 0o7777) as u16,
        uid: metadata.uid(),
        gid: metadata.gid(),
    }
}

fn name(file: &Path) -> Result<&std::ffi::OsStr, HostError> {
    file.file_name().ok_or_else(|| HostError::Kind {
        path: file.to_owned(),
        why: "has no name of its own",
    })
}
