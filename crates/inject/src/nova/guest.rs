//! The calls by which Nova reaches into a guest, and what libguestfs makes of them.
//!
//! Nova 34.0.0, `nova/virt/disk/vfs/guestfs.py`. Paths are texts that may lack the leading `/`. libguestfs works as root with umask
//! 022 in the guest's own root, so links never lead outside.

use christen_vfs::walk::LastLink;
use christen_vfs::{Error as FsError, GuestPath, InvalidPath};

use super::raised::{Exception, Failure};
use super::tables;
use crate::{Error, MAX_READ_BYTES, Secrecy, Stage, guest_path};

/// A guest as Nova sees it.
#[derive(Debug)]
pub(super) struct Guest<'s, 'fs> {
    pub(super) stage: &'s mut Stage<'fs>,
    root: Root,
}

/// Root's numbers, as the guest's tables have them before anything is injected: augeas reads them once, when the guest is mounted.
#[derive(Debug, Clone, Copy)]
struct Root {
    uid: Looked,
    gid: Looked,
}

/// What a table says of root.
#[derive(Debug, Clone, Copy)]
enum Looked {
    Number(tables::Number),
    Missing,
    TooLarge { size: u64 },
}

impl<'s, 'fs> Guest<'s, 'fs> {
    /// Takes a guest that is mounted.
    ///
    /// # Errors
    ///
    /// A device that fails, or a damaged filesystem.
    pub(super) fn new(stage: &'s mut Stage<'fs>) -> Result<Self, Failure> {
        let root = Root {
            uid: look(stage, "/etc/passwd", tables::uid)?,
            gid: look(stage, "/etc/group", tables::gid)?,
        };
        Ok(Self { stage, root })
    }

    /// `mkdir_p`: a directory is there, with mode 0755 where it is made.
    pub(super) fn make_path(&mut self, path: &str) -> Result<(), Failure> {
        let path = self.path(path)?.whole;
        Ok(self.stage.make_path(&path)?)
    }

    /// `write`: a file has this content; mode and owner stay what they are.
    pub(super) fn replace_file(
        &mut self,
        path: &str,
        content: &[u8],
        secrecy: Secrecy,
    ) -> Result<(), Failure> {
        let path = self.path(path)?.of_file()?;
        Ok(self.stage.overwrite(&path, content, secrecy)?)
    }

    /// `write_append`: as [`replace_file`](Self::replace_file), behind what is there.
    pub(super) fn append_file(&mut self, path: &str, text: &str) -> Result<(), Failure> {
        let path = self.path(path)?.of_file()?;
        let mut content = self.stage.read(&path)?.unwrap_or_default();
        content.extend_from_slice(text.as_bytes());
        Ok(self.stage.overwrite(&path, &content, Secrecy::Public)?)
    }

    /// `read_file`: the whole content, which must be UTF-8.
    pub(super) fn read_file(&mut self, path: &str) -> Result<String, Failure> {
        let path = self.path(path)?.of_file()?;
        let content = self.stage.read(&path)?.ok_or_else(|| missing(&path))?;
        String::from_utf8(content).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            Failure::new(
                Exception::UnicodeDecodeError,
                Error::Broken {
                    path,
                    line: Some(1 + before.iter().filter(|byte| **byte == b'\n').count()),
                    rule: "it is not UTF-8",
                },
            )
        })
    }

    /// `stat`: whether something is there, links followed; whatever keeps it from being looked at says no.
    pub(super) fn has_file(&mut self, path: &str) -> Result<bool, Failure> {
        let path = self.path(path)?;
        match self.stage.look(&path.whole, LastLink::Followed) {
            Ok(found) => Ok(found.is_some_and(|found| {
                !path.is_directory || found.kind == christen_vfs::Kind::Directory
            })),
            Err(Error::File {
                source:
                    FsError::NotFound
                    | FsError::NotDirectory
                    | FsError::LinkLoop
                    | FsError::NameTooLong
                    | FsError::InvalidName,
                ..
            }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// `chmod`.
    pub(super) fn set_permissions(&mut self, path: &str, mode: u16) -> Result<(), Failure> {
        let path = self.path(path)?.whole;
        Ok(self.stage.permissions(&path, mode)?)
    }

    /// `chown` to root, whoever that is by the guest's own tables.
    pub(super) fn set_ownership_of_root(&mut self, path: &str) -> Result<(), Failure> {
        let path = self.path(path)?.whole;
        let uid = self.root.uid.number("/etc/passwd")?;
        let gid = self.root.gid.number("/etc/group")?;
        let (uid, gid) = (narrow(uid, "/etc/passwd")?, narrow(gid, "/etc/group")?);
        Ok(self.stage.owner(&path, uid, gid)?)
    }

    /// Takes a path as Nova passes it on (`_canonicalize_path`).
    fn path(&self, path: &str) -> Result<Named, Failure> {
        if path.is_empty() {
            return Err(self.impossible(Exception::IndexError, "an empty path names no file"));
        }
        let absolute = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        let last = absolute.rsplit('/').next().unwrap_or_default();
        let is_directory = matches!(last, "" | "." | "..");
        match GuestPath::new(&absolute) {
            Ok(whole) => Ok(Named {
                whole,
                is_directory,
            }),
            Err(InvalidPath::Nul) => {
                Err(self.impossible(Exception::ValueError, "a path holds no NUL"))
            }
            Err(error) => Err(self.impossible(Exception::RuntimeError, &error.to_string())),
        }
    }

    fn impossible(&self, exception: Exception, reason: &str) -> Failure {
        let error = Error::Impossible {
            item: self.stage.item().clone(),
            reason: reason.to_owned(),
        };
        Failure::new(exception, error)
    }
}

/// A path, and whether its end asks for a directory: `GuestPath` keeps no `/` there.
struct Named {
    whole: GuestPath,
    is_directory: bool,
}

impl Named {
    /// The path of a file to be opened; Linux opens none whose name ends with `/`, `.` or `..` for writing (`fs/namei.c`,
    /// `open_last_lookups`).
    fn of_file(self) -> Result<GuestPath, Failure> {
        if self.is_directory {
            return Err(Failure::from(Error::File {
                action: "write",
                path: self.whole,
                source: FsError::IsDirectory,
            }));
        }
        Ok(self.whole)
    }
}

fn missing(path: &GuestPath) -> Failure {
    Failure::from(Error::File {
        action: "read",
        path: path.clone(),
        source: FsError::NotFound,
    })
}

/// Asks one of the tables that augeas reads. It leaves out what it cannot read.
fn look(
    stage: &mut Stage<'_>,
    table: &'static str,
    find: fn(&[u8], &[u8]) -> Option<tables::Number>,
) -> Result<Looked, Failure> {
    let content = match stage.read(&guest_path(table)) {
        Ok(content) => content.unwrap_or_default(),
        Err(Error::TooLarge { size, .. }) => return Ok(Looked::TooLarge { size }),
        Err(error) => {
            let failure = Failure::from(error);
            if failure.ends_all() {
                return Err(failure);
            }
            Vec::new()
        }
    };
    Ok(find(&content, b"root").map_or(Looked::Missing, Looked::Number))
}

impl Looked {
    fn number(self, table: &'static str) -> Result<tables::Number, Failure> {
        let path = guest_path(table);
        let error = match self {
            Self::Number(number) => return Ok(number),
            Self::Missing => Error::Broken {
                path,
                line: None,
                rule: "there is no one line of `root`, or a line that has no place in this table",
            },
            Self::TooLarge { size } => Error::TooLarge {
                path,
                size,
                limit: MAX_READ_BYTES,
            },
        };
        Err(Failure::new(Exception::NovaException, error))
    }
}

/// libguestfs takes a C `int`.
fn narrow(number: tables::Number, table: &'static str) -> Result<u32, Failure> {
    let number = i32::try_from(number)
        .ok()
        .and_then(|it| u32::try_from(it).ok());
    number.ok_or_else(|| {
        Failure::new(
            Exception::OverflowError,
            Error::Broken {
                path: guest_path(table),
                line: None,
                rule: "the number of `root` is above 2147483647",
            },
        )
    })
}
