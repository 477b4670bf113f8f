//! What is told when an image cannot be opened, read or changed, and what the user can do about it.

use std::error::Error as _;
use std::io;
use std::path::Path;

use christen_block::Error;
use christen_block::redo::RedoFault;

use crate::failure::Failure;

/// The image cannot be opened: a mistake in the arguments, or something that stands in the way.
pub(crate) fn cannot_open(image: &Path, error: &Error) -> Failure {
    let message = format!("cannot open `{}`", image.display());
    let failure = match error {
        Error::Interrupted { .. } => return interrupted(image, error),
        Error::NotAFile { .. } => Failure::usage(message),
        // A name that leads nowhere is a mistake of whoever typed it.
        Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Failure::usage(message)
        }
        _ => Failure::unchanged(message),
    };
    with_hint(failure, error)
}

/// The commit or the recovery failed.
pub(crate) fn cannot_commit(image: &Path, error: &Error) -> Failure {
    if let Error::Interrupted { .. } = error {
        return interrupted(image, error);
    }
    let message = format!(
        "cannot change `{}`: the image was not changed",
        image.display()
    );
    with_hint(Failure::unchanged(message), error)
}

fn interrupted(image: &Path, error: &Error) -> Failure {
    let image = image.display();
    Failure::changed(format!(
        "the change of `{image}` was begun and not completed: the image may hold a part of it"
    ))
    .because(error)
    .hint(format!(
        "do not start the guest; `christen recover {image}` completes the change"
    ))
}

fn with_hint(failure: Failure, error: &Error) -> Failure {
    let failure = failure.because(error);
    match hint(error) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// An error and its causes, one text each.
pub(crate) fn chain(error: &Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        texts.push(cause.to_string());
        next = cause.source();
    }
    texts.dedup();
    texts
}

/// What the user can do about an error.
pub(crate) fn hint(error: &Error) -> Option<String> {
    Some(match error {
        Error::InUse { .. } => "shut the guest down, or whatever has the image open".to_owned(),
        Error::NotAllowed { path } => match path.parent() {
            Some(directory) => format!(
                "if the image may name files there, pass `--allow-backing {}`",
                directory.display()
            ),
            None => return None,
        },
        Error::NoRedoDirectory { .. } => {
            "pass `--redo-dir DIR`, with a directory on a disk that outlives a power cut".to_owned()
        }
        Error::RecoveryPending { path } => {
            format!("`christen recover {}` completes it", path.display())
        }
        Error::Exists { .. } => "give a name that is free".to_owned(),
        Error::Redo { path, source } => match source {
            RedoFault::Conflict { .. } | RedoFault::Length { .. } => format!(
                "the image was written to after the commit was cut; move `{}` away to keep the image as it is",
                path.display()
            ),
            RedoFault::Missing => {
                "bring the redo file back, or give its directory with `--redo-dir DIR`".to_owned()
            }
            RedoFault::NotAllowed(other) => match other.parent() {
                Some(directory) => format!("pass `--allow-backing {}`", directory.display()),
                None => return None,
            },
            _ => format!(
                "look who made `{}`; christen leaves it alone",
                path.display()
            ),
        },
        error if is_permission(error) => {
            "run as a user who may read and write the image".to_owned()
        }
        _ => return None,
    })
}

fn is_permission(error: &Error) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|source| source.kind() == io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::ExitCode;

    use super::*;

    #[test]
    fn only_a_commit_that_had_begun_ends_with_3() {
        let full = || Error::NoSpace {
            place: "`/images`".to_owned(),
            needed: 10,
            available: Some(5),
        };
        let failure = cannot_commit(Path::new("a.img"), &full());
        assert_eq!(
            failure.render(),
            "error: cannot change `a.img`: the image was not changed\n  \
             10 bytes are needed in `/images`, and there are 5\n"
        );
        assert_eq!(failure.exit_code(), ExitCode::from(1));
        let image = Error::NoSpace {
            place: "the image".to_owned(),
            needed: 10,
            available: None,
        };
        let told = cannot_commit(Path::new("a.img"), &image).render();
        assert!(
            told.ends_with("\n  10 bytes are needed in the image\n"),
            "{told}"
        );
        let begun = Error::Interrupted {
            redo: PathBuf::from("/images/.a.img.redo"),
            source: Box::new(full()),
        };
        for failure in [
            cannot_commit(Path::new("a.img"), &begun),
            cannot_open(Path::new("a.img"), &begun),
        ] {
            assert_eq!(
                failure.render(),
                "error: the change of `a.img` was begun and not completed: the image may hold a part of it\n  \
                 the change was begun and not completed; `/images/.a.img.redo` completes it\n  \
                 10 bytes are needed in `/images`, and there are 5\n\
                 hint: do not start the guest; `christen recover a.img` completes the change\n"
            );
            assert_eq!(failure.exit_code(), ExitCode::from(3));
        }
    }
}
