//! What the user can do about an operation that failed.

use christen_vfs::Error;

use super::edit::Cause;
use super::operation::Operation;

/// Returns the way out of a failed operation, if there is one.
pub(crate) fn hint(operation: &Operation, cause: &Cause) -> Option<String> {
    let error = match cause {
        Cause::FileSystem(error) => error,
        Cause::UnknownName { .. } => return Some("give the number instead of the name".to_owned()),
        Cause::Host { .. } | Cause::Root => return None,
    };
    match (operation, error) {
        (Operation::MakeDirectory { parents: false, .. }, Error::NotFound) => {
            Some("`mkdir -p` makes what is missing above it too".to_owned())
        }
        (Operation::MakeDirectory { parents: false, .. }, Error::Exists) => {
            Some("`mkdir -p` takes a directory that is there".to_owned())
        }
        (Operation::Put { path, .. } | Operation::Write { path, .. }, Error::NotFound) => {
            let parent = path.parent()?;
            Some(format!("`mkdir -p {parent}` makes the directory before"))
        }
        (Operation::Put { .. } | Operation::Write { .. }, Error::IsDirectory) => {
            Some("give the name of the file in the directory too".to_owned())
        }
        (Operation::Append { .. } | Operation::Truncate { .. }, Error::NotFound) => {
            Some("`write` and `put` make a file".to_owned())
        }
        (
            Operation::Remove {
                recursive: false, ..
            },
            Error::NotEmpty | Error::IsDirectory,
        ) => Some("`rm -r` removes a directory with all that is in it".to_owned()),
        (
            Operation::SymbolicLink { path, .. } | Operation::HardLink { path, .. },
            Error::Exists,
        ) => Some(format!("`rm {path}` before it makes room")),
        (Operation::Move { to, .. }, Error::IsDirectory) => Some(format!(
            "give the whole new name, as `{}`",
            to.join(b"NAME")
        )),
        _ => None,
    }
}
