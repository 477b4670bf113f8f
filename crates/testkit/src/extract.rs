//! Trees taken out of drives by programs that are not ours.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::tools;

/// Content by path from the root, without a leading slash.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Whether both readers are here; says `skipped: ...` when not.
///
/// # Panics
///
/// Panics when one is missing and `CHRISTEN_REQUIRE_TOOLS` is `1`.
#[track_caller]
pub fn require() -> bool {
    ["bsdtar", "mcopy"]
        .iter()
        .all(|tool| tools::require(tool).is_some())
}

/// Takes an ISO 9660 image apart with bsdtar, by its Rock Ridge names if it has any.
///
/// # Panics
///
/// Panics when the directory cannot be made or bsdtar refuses the image.
#[track_caller]
pub fn iso9660(image: &Path, into: &Path) {
    make(into);
    tools::run(
        Command::new("bsdtar")
            .env("LC_ALL", "C.UTF-8")
            .arg("-xf")
            .arg(image)
            .arg("-C")
            .arg(into),
    );
}

/// Takes a VFAT image apart with mtools.
///
/// # Panics
///
/// Panics when the directory cannot be made or mcopy refuses the image.
#[track_caller]
pub fn vfat(image: &Path, into: &Path) {
    make(into);
    tools::run(
        Command::new("mcopy")
            .env("LC_ALL", "C.UTF-8")
            .args(["-s", "-n", "-Q", "-i"])
            .arg(image)
            .arg("::*")
            .arg(into),
    );
}

/// Reads every file of a tree on disk; links are not followed.
///
/// # Errors
///
/// Fails when something cannot be read, or a name is not UTF-8.
pub fn files(root: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    let mut directories = vec![String::new()];
    while let Some(above) = directories.pop() {
        for entry in fs::read_dir(root.join(&above))? {
            let entry = entry?;
            let name = entry
                .file_name()
                .into_string()
                .map_err(|name| io::Error::other(format!("not UTF-8: {}", name.display())))?;
            let path = format!("{above}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                directories.push(format!("{path}/"));
            } else if kind.is_file() {
                files.insert(path, fs::read(entry.path())?);
            }
        }
    }
    Ok(files)
}

#[track_caller]
fn make(directory: &Path) {
    if let Err(error) = fs::create_dir_all(directory) {
        panic!("cannot make {}: {error}", directory.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TempDir;

    #[test]
    fn files_are_found_at_any_depth() {
        let root = TempDir::new();
        fs::create_dir_all(root.join("a/b/empty")).expect("writable");
        fs::write(root.join("a/b/deep"), "d").expect("writable");
        fs::write(root.join("top"), "t").expect("writable");
        std::os::unix::fs::symlink("top", root.join("link")).expect("writable");
        let expected = [("a/b/deep", b"d"), ("top", b"t")];
        let expected = expected.map(|(path, content)| (path.to_owned(), content.to_vec()));
        assert_eq!(files(&root).expect("readable"), Files::from(expected));
    }
}
