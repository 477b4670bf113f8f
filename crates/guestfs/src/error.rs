//! What can go wrong with the appliance.

use std::io;
use std::time::Duration;

/// What can go wrong with libguestfs. The image was not touched: all that was written is staged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `guestfish` could not be started.
    #[error("cannot start `guestfish`")]
    Start(#[source] io::Error),

    /// The volume could not be served to the appliance.
    #[error("cannot serve the volume to the appliance")]
    Serve(#[source] io::Error),

    /// `guestfish` ended or closed its pipes.
    #[error("`guestfish` ended unexpectedly: {said}")]
    Ended {
        /// The end of what it had said.
        said: String,
    },

    /// No answer came in time.
    #[error("`guestfish` gave no answer to `{command}` in {} seconds", .limit.as_secs())]
    Silent {
        /// The first word of the command.
        command: String,
        /// How long was waited.
        limit: Duration,
    },

    /// A command failed.
    #[error("{said}")]
    Refused {
        /// What libguestfs said, without its prefix.
        said: String,
    },

    /// An answer was not of the expected form.
    #[error("`guestfish` answered `{command}` with something else than expected")]
    Answer {
        /// The first word of the command.
        command: String,
    },
}

impl From<Error> for christen_vfs::Error {
    fn from(error: Error) -> Self {
        if let Error::Refused { said } = &error
            && let Some((_, reason)) = said.rsplit_once(": ")
            && let Some(known) = by_message(reason)
        {
            return known;
        }
        Self::Io(Box::new(error))
    }
}

/// Takes the message of an error of Linux, in the C locale, for what it means to the trait.
fn by_message(message: &str) -> Option<christen_vfs::Error> {
    use christen_vfs::Error;
    Some(match message {
        "No such file or directory" | "No data available" => Error::NotFound,
        "File exists" => Error::Exists,
        "Not a directory" => Error::NotDirectory,
        "Is a directory" => Error::IsDirectory,
        "Directory not empty" => Error::NotEmpty,
        "No space left on device" | "Disk quota exceeded" => Error::NoSpace,
        "File too large" => Error::FileTooLarge,
        "File name too long" => Error::NameTooLong,
        "Too many links" => Error::TooManyLinks,
        "Numerical result out of range" | "Invalid argument" => Error::InvalidAttribute,
        "Read-only file system" => Error::ReadOnly,
        "Operation not supported" => Error::NotPossible("this operation"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_keeps_its_meaning() {
        let error = |said: &str| {
            christen_vfs::Error::from(Error::Refused {
                said: said.to_owned(),
            })
        };
        assert!(matches!(
            error("mkdir: /a: File exists"),
            christen_vfs::Error::Exists
        ));
        assert!(matches!(
            error("mount: wrong fs type"),
            christen_vfs::Error::Io(_)
        ));
    }
}
