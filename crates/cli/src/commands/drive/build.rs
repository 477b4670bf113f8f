//! `christen drive build`: from a description to a drive.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use christen_configdrive::output::{self as file, Durability};
use christen_configdrive::{
    EntryId, Error, Kind, Sink, Timestamp, Tree, WriterSink, iso9660, vfat,
};
use christen_instance::Documents;
use christen_instance::settings::DriveFormat;

use super::read_back::{self, ReadBackError};
use crate::args::{BuildArguments, FormatArgument, LayoutArgument};
use crate::failure::{Failure, Outcome, Status};
use crate::identity::Identity;
use crate::output;

/// What Nova calls itself in its drives (`nova/version.py`).
const NOVA_PUBLISHER: &str = "OpenStack Nova 34.0.0";
const PUBLISHER: &str = concat!("christen ", env!("CARGO_PKG_VERSION"));

pub(crate) fn run(arguments: &BuildArguments) -> Outcome {
    let to_stdout = arguments.output == Path::new("-");
    if to_stdout && io::stdout().is_terminal() {
        return Err(Failure::usage("a drive is no text for a terminal")
            .hint("name a file with `--output FILE`, or redirect standard output"));
    }
    if to_stdout && arguments.json {
        return Err(
            Failure::usage("`--json` and `--output -` both want standard output")
                .hint("write the drive to a file, or leave out `--json`"),
        );
    }
    let mut identity = Identity::load(&arguments.identity)?;
    let documents = identity.documents()?;
    let drive = Planned::new(arguments, &identity, documents)?;
    let failed = |error: christen_configdrive::Error| cannot_build(&arguments.output, &error);
    let size_bytes = if to_stdout {
        match to_standard_output(&drive) {
            Ok(size_bytes) => size_bytes,
            // The reader has seen enough. The rest is dropped quietly, but this is no whole drive.
            Err(Error::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(Status::Changed.into());
            }
            Err(error) => return Err(failed(error)),
        }
    } else {
        let durability = if arguments.no_sync {
            Durability::Unsynced
        } else {
            Durability::Synced
        };
        file::create_checked(
            &arguments.output,
            durability,
            |sink| Ok(drive.write(sink)?),
            |written| read_back::check(written, &drive.tree),
        )
        .map_err(|error| match error {
            ReadBackError::Drive(error) => failed(error),
            ReadBackError::Differs { .. } => {
                Failure::unchanged(format!("cannot build `{}`", arguments.output.display()))
                    .because(&error)
            }
        })?
    };
    tell(arguments, &drive, size_bytes)?;
    Ok(ExitCode::SUCCESS)
}

fn to_standard_output(drive: &Planned) -> Result<u64, Error> {
    let mut sink = WriterSink::new(io::stdout().lock());
    let size_bytes = drive.write(&mut sink)?;
    drop(sink.finish().map_err(Error::Write)?);
    Ok(size_bytes)
}

/// A drive that is known in every detail and not yet written.
struct Planned {
    tree: Tree,
    /// In the order of writing.
    files: Vec<EntryId>,
    filesystem: Filesystem,
}

enum Filesystem {
    Iso9660(Box<iso9660::Options>),
    Vfat(vfat::Options),
}

impl Planned {
    fn new(
        arguments: &BuildArguments,
        identity: &Identity,
        documents: Documents,
    ) -> Result<Self, Failure> {
        let mut tree = Tree::new();
        let files = documents
            .into_iter()
            .map(|document| tree.add_file(&document.path, document.content))
            .collect::<Result<_, _>>()
            .map_err(|error| cannot_build(&arguments.output, &error))?;
        let label = identity.dialect.label();
        let time = Timestamp {
            seconds: identity.time.as_second(),
            // A time before 1970 has negative parts; what lies under a second is dropped then.
            nanoseconds: u32::try_from(identity.time.subsec_nanosecond()).unwrap_or(0),
        };
        let filesystem = match format(arguments, identity) {
            FormatArgument::Iso9660 => {
                let mut options = iso9660::Options::new(label, time);
                options.publisher_id = if identity.like_nova {
                    NOVA_PUBLISHER.to_owned()
                } else {
                    PUBLISHER.to_owned()
                };
                Filesystem::Iso9660(Box::new(options))
            }
            FormatArgument::Vfat => {
                let mut options = vfat::Options::new(label, time);
                options.layout = match arguments.vfat_layout {
                    Some(LayoutArgument::Nova) => vfat::Layout::Nova64MiB,
                    None if identity.like_nova => vfat::Layout::Nova64MiB,
                    Some(LayoutArgument::Exact) | None => vfat::Layout::Exact,
                };
                Filesystem::Vfat(options)
            }
        };
        Ok(Self {
            tree,
            files,
            filesystem,
        })
    }

    fn write(&self, sink: &mut dyn Sink) -> Result<u64, Error> {
        match &self.filesystem {
            Filesystem::Iso9660(options) => {
                Ok(iso9660::write(&self.tree, options, sink)?.size_bytes)
            }
            Filesystem::Vfat(options) => Ok(vfat::write(&self.tree, options, sink)?.size_bytes),
        }
    }

    fn format(&self) -> &'static str {
        match self.filesystem {
            Filesystem::Iso9660(_) => "iso9660",
            Filesystem::Vfat(_) => "vfat",
        }
    }
}

fn format(arguments: &BuildArguments, identity: &Identity) -> FormatArgument {
    arguments
        .format
        .unwrap_or(match identity.settings.config_drive_format {
            DriveFormat::Iso9660 => FormatArgument::Iso9660,
            DriveFormat::Vfat => FormatArgument::Vfat,
        })
}

fn cannot_build(output: &Path, error: &Error) -> Failure {
    let failure = if output == Path::new("-") {
        Failure::changed("cannot write all of the drive to standard output")
    } else {
        Failure::unchanged(format!(
            "cannot build `{}`: it is as it was before",
            output.display()
        ))
    };
    let failure = failure.because(error);
    match error {
        Error::NotRegular { .. } => {
            failure.hint("give a new name, or `--output -` and redirect it yourself")
        }
        _ => failure,
    }
}

fn tell(arguments: &BuildArguments, drive: &Planned, size_bytes: u64) -> Result<(), Failure> {
    if arguments.json {
        let documents = drive
            .files
            .iter()
            .map(|file| {
                let length = match drive.tree.kind(*file) {
                    Kind::File(content) => content.len(),
                    _ => 0,
                };
                output::object([
                    ("path", drive.tree.path(*file).into()),
                    ("size_bytes", output::number(length)),
                ])
            })
            .collect::<Vec<_>>();
        return output::json(&output::object([
            (
                "output",
                arguments.output.to_string_lossy().into_owned().into(),
            ),
            ("format", drive.format().into()),
            ("size_bytes", output::number(size_bytes)),
            ("documents", documents.into()),
        ]));
    }
    output::note(&format!(
        "wrote {} ({}, {} documents, {size_bytes} bytes)",
        arguments.output.display(),
        drive.format(),
        drive.files.len(),
    ));
    Ok(())
}
