//! `christen cloud-localds`: a NoCloud seed from files, with the arguments of cloud-utils'
//! `cloud-localds` (version 0.34) and no other program.

mod arguments;
mod meta_data;
mod tar;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;

use christen_configdrive::iso9660::{self, NameRules, RockRidge};
use christen_configdrive::{Attributes, Content, Error, Sink, Timestamp, Tree, vfat};

use crate::destination::{Destination, Image};
use crate::failure::{Failure, Outcome};
use crate::image_time::{self, ImageTime};
use crate::output;
use arguments::{Arguments, usage};
use meta_data::MetaData;
use tar::Tar;

const HELP: &str = "\
Usage: christen cloud-localds [OPTION]... OUTPUT USER-DATA [META-DATA]
Makes a disk from which cloud-init's NoCloud datasource takes its data.

OUTPUT is `-` for standard output, USER-DATA is `-` for standard input.

  -f, --filesystem TYPE       iso9660 (default; also iso), vfat or tar
  -d, --disk-format FORMAT    raw (default), tar, tar-seed-local or tar-seed-net
  -H, --hostname NAME         the hostname, in META-DATA
  -i, --interfaces FILE       network interfaces, in META-DATA
  -m, --dsmode MODE           local or net, in META-DATA
  -N, --network-config FILE   the network configuration
  -V, --vendor-data FILE      the vendor data
  -v, --verbose               say what was written
  -h, --help                  print this text

META-DATA excludes --hostname, --interfaces and --dsmode.
Environment: SOURCE_DATE_EPOCH, CHRISTEN_OUTPUT_MODE, CHRISTEN_SYNC as in christen-mkisofs.
";

/// The label by which NoCloud finds its disk (cloud-init, `doc/rtd/reference/datasources/nocloud.rst`).
const LABEL: &str = "cidata";

/// What is not a regular file is kept in memory, and has this bound.
const LONGEST_STREAM: u64 = 16 * 1024 * 1024;

/// The mode of files that are on no disk.
const MADE_MODE: u16 = 0o644;

/// One file of the seed.
struct SeedFile {
    name: &'static str,
    content: SeedContent,
    mode: u16,
}

/// Where a seed's file is. It may be a secret, so there is no `Debug`.
enum SeedContent {
    Bytes(Vec<u8>),
    /// A regular file of the host, and its length in bytes.
    File(PathBuf, u64),
}

impl From<SeedContent> for Content {
    fn from(content: SeedContent) -> Self {
        match content {
            SeedContent::Bytes(bytes) => Self::Bytes(bytes),
            SeedContent::File(path, length) => Self::File { path, length },
        }
    }
}

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Iso9660,
    Vfat,
    /// An archive whose files are in a directory, which may be none.
    Tar(&'static str),
}

/// Runs the command.
pub(crate) fn run(given: &[OsString]) -> Outcome {
    let arguments = arguments::parse(given)?;
    if arguments.help {
        output::data(HELP.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (destination, user_data, meta_data) = match &arguments.paths[..] {
        [output, user_data] => (output, user_data, None),
        [output, user_data, meta_data] => {
            // An empty path is none, as there.
            (
                output,
                user_data,
                Some(meta_data).filter(|path| !path.is_empty()),
            )
        }
        [] | [_] => return Err(usage("an output and user data must be given")),
        _ => {
            return Err(usage(
                "at most an output, user data and metadata can be given",
            ));
        }
    };
    let form = form(&arguments)?;
    let files = files(&arguments, user_data, meta_data.map(OsString::as_os_str))?;
    let time = image_time::resolve()?;
    let destination = Destination::of_argument(destination);
    match form {
        Form::Iso9660 => destination.write(&iso(files, time)?),
        Form::Vfat => destination.write(&vfat(files, time)?),
        Form::Tar(directory) => destination.write(&Tar {
            directory,
            files,
            modified: u64::try_from(time.seconds).unwrap_or_default(),
        }),
    }?;
    if arguments.verbose {
        output::error(&format!(
            "wrote {} with filesystem={} and diskformat={}\n",
            arguments.paths[0].display(),
            form.name(),
            arguments
                .disk_format
                .as_deref()
                .unwrap_or(OsStr::new("raw"))
                .display(),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Iso9660 => "iso9660",
            Self::Vfat => "vfat",
            Self::Tar("") => "tar",
            Self::Tar(LOCAL_SEED) => "tar-seed-local",
            Self::Tar(_) => "tar-seed-net",
        }
    }
}

/// Where NoCloud looks for a seed that needs no network.
const LOCAL_SEED: &str = "var/lib/cloud/seed/nocloud";
/// The same for one that waits for the network.
const NET_SEED: &str = "var/lib/cloud/seed/nocloud-net";

/// Works out what is to be made of `--disk-format` and `--filesystem`.
fn form(arguments: &Arguments) -> Result<Form, Failure> {
    let text = |argument: &Option<OsString>| {
        argument
            .as_ref()
            .map(|argument| argument.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let disk_format = text(&arguments.disk_format);
    let filesystem = text(&arguments.filesystem);
    let archive = |name: &str| match name {
        "tar" => Some(Form::Tar("")),
        "tar-seed-local" => Some(Form::Tar(LOCAL_SEED)),
        "tar-seed-net" => Some(Form::Tar(NET_SEED)),
        _ => None,
    };
    if let Some(form) = archive(&disk_format) {
        if !filesystem.is_empty() && filesystem != "tar" {
            return Err(usage(format!(
                "disk format `{disk_format}` and filesystem `{filesystem}` exclude each other"
            )));
        }
        return Ok(form);
    }
    if !matches!(&*disk_format, "" | "raw") {
        return Err(usage(format!(
            "disk format `{disk_format}` is not supported: raw, tar, tar-seed-local and \
             tar-seed-net are"
        )));
    }
    match &*filesystem {
        "" | "iso" | "iso9660" => Ok(Form::Iso9660),
        "vfat" => Ok(Form::Vfat),
        name => archive(name).ok_or_else(|| {
            usage(format!(
                "filesystem `{name}` is not supported: iso9660, vfat and tar are"
            ))
        }),
    }
}

/// Collects the files in the order of cloud-localds.
fn files(
    arguments: &Arguments,
    user_data: &OsStr,
    meta_data: Option<&OsStr>,
) -> Result<Vec<SeedFile>, Failure> {
    let mut files = vec![file("user-data", user_data)?];
    files.push(match meta_data {
        Some(path) => {
            let made = [
                &arguments.interfaces,
                &arguments.dsmode,
                &arguments.hostname,
            ];
            if made.into_iter().any(Option::is_some) {
                return Err(usage(
                    "metadata excludes `--interfaces`, `--hostname` and `--dsmode`",
                ));
            }
            file("meta-data", path)?
        }
        None => made_meta_data(arguments)?,
    });
    for (name, path) in [
        ("network-config", &arguments.network_config),
        ("vendor-data", &arguments.vendor_data),
    ] {
        if let Some(path) = path.as_ref().filter(|path| !path.is_empty()) {
            files.push(file(name, path)?);
        }
    }
    Ok(files)
}

fn made_meta_data(arguments: &Arguments) -> Result<SeedFile, Failure> {
    let value = |name: &str, argument: &Option<OsString>| match argument {
        None => Ok(String::new()),
        Some(argument) => argument
            .to_str()
            .map(str::to_owned)
            .ok_or_else(|| usage(format!("the {name} is not valid UTF-8"))),
    };
    let interfaces = match &arguments.interfaces {
        None => String::new(),
        Some(path) => {
            let bytes = File::open(path)
                .and_then(read_stream)
                .map_err(|error| cannot_read(path, &error))?;
            String::from_utf8(bytes)
                .map_err(|_| usage(format!("`{}` is not valid UTF-8", path.display())))?
        }
    };
    let meta_data = MetaData {
        hostname: &value("hostname", &arguments.hostname)?,
        interfaces: &interfaces,
        dsmode: &value("mode", &arguments.dsmode)?,
    };
    Ok(SeedFile {
        name: "meta-data",
        content: SeedContent::Bytes(meta_data.encode().into_bytes()),
        mode: MADE_MODE,
    })
}

/// A file that is copied as it is: a regular one when the disk is written, anything else
/// (`-` for standard input, a pipe) now, because its length must be known.
fn file(name: &'static str, path: &OsStr) -> Result<SeedFile, Failure> {
    let read = || {
        if path == "-" && name == "user-data" {
            let bytes = read_stream(io::stdin().lock())?;
            return Ok((SeedContent::Bytes(bytes), MADE_MODE));
        }
        let metadata = fs::metadata(path)?;
        // The permission bits, as `cp` keeps them: the mask makes them fit.
        let mode = u16::try_from(metadata.mode() & 0o777).unwrap_or_default();
        let content = if metadata.is_file() {
            // Opened now as well, so that a file that cannot be read is found out early.
            File::open(path)?;
            SeedContent::File(path.into(), metadata.len())
        } else {
            SeedContent::Bytes(read_stream(File::open(path)?)?)
        };
        Ok((content, mode))
    };
    let (content, mode) = read().map_err(|error| cannot_read(path, &error))?;
    Ok(SeedFile {
        name,
        content,
        mode,
    })
}

fn read_stream(stream: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(LONGEST_STREAM + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_STREAM {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn cannot_read(path: &OsStr, error: &io::Error) -> Failure {
    Failure::unchanged(format!(
        "cannot read `{}`: nothing was written",
        path.display()
    ))
    .because(error)
}

struct Iso {
    tree: Tree,
    options: iso9660::Options,
}

impl Image for Iso {
    fn write(&self, sink: &mut dyn Sink) -> Result<(), Error> {
        iso9660::write(&self.tree, &self.options, sink).map(drop)
    }
}

struct Vfat {
    tree: Tree,
    options: vfat::Options,
}

impl Image for Vfat {
    fn write(&self, sink: &mut dyn Sink) -> Result<(), Error> {
        vfat::write(&self.tree, &self.options, sink).map(drop)
    }
}

fn tree(files: Vec<SeedFile>) -> Result<Tree, Failure> {
    let mut tree = Tree::new();
    for file in files {
        let entry = tree
            .add_file(file.name, file.content)
            .map_err(|error| cannot_make(&error))?;
        tree.set_attributes(
            entry,
            Attributes {
                mode: file.mode,
                uid: 0,
                gid: 0,
                modified: None,
            },
        );
    }
    Ok(tree)
}

fn cannot_make(error: &Error) -> Failure {
    Failure::unchanged("cannot make the disk: nothing was written").because(error)
}

/// As `genisoimage -volid cidata -joliet -rock` makes it, but for the owner: root.
fn iso(files: Vec<SeedFile>, time: ImageTime) -> Result<Iso, Failure> {
    let mut options = iso9660::Options::new(LABEL, Timestamp::from_seconds(time.seconds));
    options.names = NameRules::LEVEL_1;
    options.rock_ridge = Some(RockRidge::Faithful);
    Ok(Iso {
        tree: tree(files)?,
        options,
    })
}

/// As `mkfs.vfat -n cidata` and `mcopy` make it, but as large as the files need.
fn vfat(files: Vec<SeedFile>, time: ImageTime) -> Result<Vfat, Failure> {
    Ok(Vfat {
        tree: tree(files)?,
        options: vfat::Options::new(LABEL, Timestamp::from_seconds(time.seconds)),
    })
}
