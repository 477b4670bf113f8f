//! Artefacts made once by recipe and kept in the cache.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache;

/// The release that guests are made of, whatever the host runs.
pub(crate) const RELEASE: &str = "bookworm";

/// Returns the directory that `make` fills, making it if no earlier run has.
///
/// `ingredients` is all that decides the outcome; another text is another artefact. The
/// directory appears under its name only when it is whole, so a run that was cut leaves
/// nothing that a later one would take for finished, and two runs at a time make it once.
pub(crate) fn cached(
    name: &str,
    ingredients: &[&str],
    make: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    ingredients.hash(&mut hasher);
    let parent = cache::directory().join("guests");
    let whole = parent.join(format!("{name}-{:016x}", hasher.finish()));

    fs::create_dir_all(&parent)?;
    let lock = File::create(parent.join(format!("{name}.lock")))?;
    lock.lock()?;
    if whole.is_dir() {
        return Ok(whole);
    }
    let partial = whole.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir(&partial)?;
    make(&partial)?;
    fs::rename(&partial, &whole)?;
    Ok(whole)
}

/// Runs a command of a recipe; what it says is shown only if it fails.
pub(crate) fn run(command: &mut Command) -> io::Result<()> {
    let output = command
        .env("LC_ALL", "C.UTF-8")
        .output()
        .map_err(|error| io::Error::other(format!("cannot start {command:?}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{command:?} ended with {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )))
}
