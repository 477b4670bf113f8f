//! Where the programs that stand in for others put an image.
//!
//! A new file appears whole or not at all. A file that is there already is written in
//! place, as genisoimage does: its callers make it first and hold it open (openstacksdk,
//! `baremetal/configdrive.py`, `pack`, reads the image through the descriptor of its
//! temporary file; virt-install makes the file to reserve its name), so another file under
//! the same name would not reach them.

use std::cell::Cell;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use christen_configdrive::output::{self, Durability};
use christen_configdrive::{Error, FileSink, Medium, Sink, WriterSink};

use crate::failure::Failure;

/// The mode of a new image, in octal, instead of 0600.
pub(crate) const MODE_VARIABLE: &str = "CHRISTEN_OUTPUT_MODE";
/// `no`: a new image is not waited for until it is on stable storage.
pub(crate) const SYNC_VARIABLE: &str = "CHRISTEN_SYNC";

/// Where an image goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Standard output.
    Stdout,
    /// A file or a device.
    Path(PathBuf),
}

impl Destination {
    /// What `-o ARGUMENT` means.
    pub(crate) fn of_argument(argument: &OsStr) -> Self {
        if argument == "-" {
            Self::Stdout
        } else {
            Self::Path(argument.into())
        }
    }

    /// Puts an image there.
    pub(crate) fn write(&self, image: &impl Image) -> Result<(), Failure> {
        match self {
            Self::Stdout => to_stdout(image),
            Self::Path(path) => to_path(path, image),
        }
    }
}

/// What can be written into any sink, in one pass.
pub(crate) trait Image {
    /// Writes all of it.
    fn write(&self, sink: &mut dyn Sink) -> Result<(), Error>;
}

fn to_stdout(image: &impl Image) -> Result<(), Failure> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(Failure::usage("an image is no text for a terminal")
            .hint("name a file with `-o FILE`, or redirect standard output"));
    }
    // The descriptor itself: the standard library's handle would look for lines.
    let written = stdout
        .as_fd()
        .try_clone_to_owned()
        .map_err(Error::Write)
        .and_then(|descriptor| write_stream(image, File::from(descriptor)));
    written.map_err(|error| {
        Failure::changed("cannot write the image to standard output: it is not complete")
            .because(&error)
    })
}

fn write_stream(image: &impl Image, file: File) -> Result<(), Error> {
    let mut sink = WriterSink::new(file);
    image.write(&mut sink)?;
    sink.finish().map(drop).map_err(Error::Write)
}

fn to_path(path: &Path, image: &impl Image) -> Result<(), Failure> {
    let (mode, durability) = environment()?;
    match fs::metadata(path) {
        Ok(metadata) => in_place(path, metadata.file_type(), durability, image),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(path, mode, durability, image)
        }
        Err(error) => Err(untouched(path).because(&error)),
    }
}

fn untouched(path: &Path) -> Failure {
    Failure::unchanged(format!(
        "cannot write `{}`: it was not touched",
        path.display()
    ))
}

fn create(
    path: &Path,
    mode: Option<u32>,
    durability: Durability,
    image: &impl Image,
) -> Result<(), Failure> {
    output::create(path, durability, |sink| image.write(sink)).map_err(|error: Error| {
        Failure::unchanged(format!("cannot create `{}`", path.display())).because(&error)
    })?;
    let Some(mode) = mode else {
        return Ok(());
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| {
        Failure::changed(format!(
            "`{}` is complete, but its mode cannot be set",
            path.display()
        ))
        .because(&error)
    })
}

fn in_place(
    path: &Path,
    kind: fs::FileType,
    durability: Durability,
    image: &impl Image,
) -> Result<(), Failure> {
    let file = OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(|error| untouched(path).because(&error))?;
    let seekable = kind.is_file() || kind.is_block_device();
    let begun = Cell::new(false);
    let medium = InPlace {
        file: &file,
        truncate: kind.is_file(),
        begun: &begun,
    };
    let written = if kind.is_file() {
        write_sink(image, FileSink::new(medium))
    } else if seekable {
        write_sink(image, FileSink::without_holes(medium))
    } else {
        begun.set(true);
        file.try_clone()
            .map_err(Error::Write)
            .and_then(|file| write_stream(image, file))
    };
    let synced = written.and_then(|()| match durability {
        Durability::Synced if seekable => file.sync_all().map_err(Error::Write),
        Durability::Synced | Durability::Unsynced => Ok(()),
    });
    synced.map_err(|error| {
        let shown = path.display();
        let failure = if !begun.get() {
            untouched(path)
        } else if kind.is_file() && file.set_len(0).is_ok() {
            // Half an image could pass for a whole one.
            Failure::changed(format!("cannot write `{shown}`: it was left empty"))
        } else {
            Failure::changed(format!("cannot write `{shown}`: a part of it was written"))
        };
        failure.because(&error)
    })
}

fn write_sink<M: Medium>(image: &impl Image, mut sink: FileSink<M>) -> Result<(), Error> {
    image.write(&mut sink)?;
    sink.finish().map(drop).map_err(Error::Write)
}

/// Reads what only the environment can say: the options are another program's.
fn environment() -> Result<(Option<u32>, Durability), Failure> {
    let mode = match env::var_os(MODE_VARIABLE) {
        None => None,
        Some(text) => Some(
            text.to_str()
                .and_then(|text| u32::from_str_radix(text, 8).ok())
                .filter(|mode| *mode <= 0o777)
                .ok_or_else(|| {
                    Failure::usage(format!("`{MODE_VARIABLE}` is not a mode in octal"))
                        .hint("set it to 644, for example")
                })?,
        ),
    };
    let durability = match env::var_os(SYNC_VARIABLE) {
        None => Durability::Synced,
        Some(text) => match text.to_str() {
            Some("yes") => Durability::Synced,
            Some("no") => Durability::Unsynced,
            _ => {
                return Err(Failure::usage(format!(
                    "`{SYNC_VARIABLE}` is neither `yes` nor `no`"
                )));
            }
        },
    };
    Ok((mode, durability))
}

/// A file that keeps its content until the first new byte comes: an image that cannot be
/// made, because a source cannot be read say, is found out before that if it is small.
struct InPlace<'a> {
    file: &'a File,
    truncate: bool,
    begun: &'a Cell<bool>,
}

impl InPlace<'_> {
    fn begin(&mut self) -> io::Result<()> {
        if !self.begun.replace(true) && self.truncate {
            self.file.set_len(0)?;
        }
        Ok(())
    }
}

impl Write for InPlace<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begin()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for InPlace<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.begin()?;
        self.file.seek(to)
    }
}

impl Medium for InPlace<'_> {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.begin()?;
        self.file.set_len(length)
    }

    fn copy_file(&mut self, file: &mut File, length: u64) -> io::Result<u64> {
        self.begin()?;
        io::copy(&mut file.take(length), &mut self.file)
    }
}
