//! What can be typed of the commands on disk images.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use christen_hostdir::IdRange;
use christen_inject::reidentify::Mark;
use christen_vfs::{GuestPath, InvalidPath};
use clap::builder::{ArgPredicate, OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::{Like, OperatorArguments};
use crate::customize::{CustomizeOptions, InjectOptions};
use crate::failure::Failure;
use crate::image::operation::Content;
use crate::image::owner::Owner;
use crate::image::values;

/// Takes a path of the guest, which need not be UTF-8.
fn guest_path() -> impl TypedValueParser<Value = GuestPath> {
    OsStringValueParser::new()
        .try_map(|text: OsString| -> Result<_, InvalidPath> { GuestPath::new(text.as_bytes()) })
}

/// Takes any bytes.
fn bytes() -> impl TypedValueParser<Value = Content> {
    OsStringValueParser::new().map(|text: OsString| Content(text.into_vec()))
}

/// Takes the name of what tells a machine from its clones.
fn mark() -> impl TypedValueParser<Value = Mark> {
    PossibleValuesParser::new(Mark::ALL.iter().map(|it| it.name())).map(|name| {
        let mut marks = Mark::ALL.iter().copied();
        // It is one of those names.
        marks.find(|it| it.name() == name).expect("it was offered")
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageFormat {
    /// The bytes of the disk as they are
    Raw,
    /// QEMU's copy-on-write format, versions 2 and 3
    Qcow2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputKindArgument {
    /// A copy in the same format, sparse, sharing blocks with the image where the host can do that
    Copy,
    /// A qcow2 image over the old one, which it needs from then on
    Overlay,
}

/// Which volume of an image is meant.
#[derive(Debug, Args, Clone, Default)]
#[group(multiple = false)]
pub(crate) struct VolumeArguments {
    /// The partition by its number, as Linux numbers it
    #[arg(long, value_name = "NUMBER", help_heading = "Volume")]
    pub(crate) partition: Option<u32>,

    /// The logical volume
    #[arg(long, value_name = "GROUP/VOLUME", help_heading = "Volume")]
    pub(crate) lv: Option<String>,

    /// The volume by the label or the UUID of its filesystem
    #[arg(long, value_name = "LABEL|UUID", help_heading = "Volume")]
    pub(crate) volume: Option<String>,
}

/// How an image is opened for reading.
#[derive(Debug, Args, Clone)]
pub(crate) struct ReadArguments {
    /// The disk image: a file, a block device, or the URI of an NBD export
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) image: PathBuf,

    /// Format of the image [default: told by its first bytes]
    #[arg(long, value_enum)]
    pub(crate) format: Option<ImageFormat>,

    /// Open backing and data files that the image names, if they are in this directory; may be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) allow_backing: Vec<PathBuf>,

    /// Where the redo file of a cut commit is, if not beside the image
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) redo_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Backend {
    /// christen itself
    #[default]
    Native,
    /// An installed libguestfs, which starts a small virtual machine
    Guestfs,
    /// libguestfs where christen itself cannot
    Auto,
}

/// What reads and writes the filesystem.
#[derive(Debug, Args, Clone, Default)]
pub(crate) struct BackendArguments {
    /// What reads and writes the filesystem
    #[arg(long, value_enum, default_value_t, help_heading = "Backend")]
    pub(crate) backend: Backend,

    /// The subvolume of a btrfs, by its path from the top; with libguestfs only
    #[arg(
        long,
        value_name = "NAME",
        requires = "backend",
        help_heading = "Backend"
    )]
    pub(crate) subvolume: Option<String>,

    /// Let libguestfs emulate the processor of its machine: where `/dev/kvm` opens and does not work, every machine hangs
    #[arg(long, requires = "backend", help_heading = "Backend")]
    pub(crate) emulate: bool,
}

/// How a filesystem is opened for reading.
#[derive(Debug, Args, Clone)]
pub(crate) struct ReadVolumeArguments {
    #[command(flatten)]
    pub(crate) part: PartArguments,

    #[command(flatten)]
    pub(crate) backend: BackendArguments,
}

/// How one volume of an image is opened for reading.
#[derive(Debug, Args, Clone)]
pub(crate) struct PartArguments {
    #[command(flatten)]
    pub(crate) image: ReadArguments,

    #[command(flatten)]
    pub(crate) volume: VolumeArguments,

    /// Read a filesystem as its journal would leave it; nothing is written
    #[arg(long)]
    pub(crate) replay_journal: bool,
}

/// How an image is changed.
#[derive(Debug, Args, Clone)]
pub(crate) struct WriteArguments {
    /// The disk image: a file, a block device, or the URI of an NBD export
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) image: PathBuf,

    /// Format of the image, which is never guessed for writing
    #[arg(long, value_enum)]
    pub(crate) format: Option<ImageFormat>,

    #[command(flatten)]
    pub(crate) volume: VolumeArguments,

    #[command(flatten)]
    pub(crate) backend: BackendArguments,

    /// Open backing and data files that the image names, if they are in this directory; may be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) allow_backing: Vec<PathBuf>,

    /// Where the redo file of the commit is kept [default: beside the image]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) redo_dir: Option<PathBuf>,

    /// Leave the image as it is and write the result as a new one
    #[arg(long, value_name = "NEW", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// What the new image is
    #[arg(long, value_enum, value_name = "KIND", requires = "output", default_value_t = OutputKindArgument::Copy)]
    pub(crate) output_kind: OutputKindArgument,

    /// Write back a journal that needs recovery, as part of the change
    #[arg(long)]
    pub(crate) replay_journal: bool,

    /// Do everything in memory, show what would change, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The time to stamp changes with, instead of SOURCE_DATE_EPOCH or the present time
    #[arg(long, value_name = "RFC3339")]
    pub(crate) time: Option<String>,

    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Mode and owner of what is made.
#[derive(Debug, Args, Clone)]
pub(crate) struct OwnershipArguments {
    /// Permission bits in octal
    #[arg(long, short, value_name = "MODE", value_parser = values::mode)]
    pub(crate) mode: Option<u16>,

    /// Owner and group: numbers, or names that the guest knows
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub(crate) owner: Option<Owner>,
}

/// A root tree instead of an image.
#[derive(Debug, Args, Clone, Default)]
pub(crate) struct RootArguments {
    /// Instead of an image, which is then not given: a root tree in a directory of this host, as LXC has it
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        help_heading = "Root tree",
        conflicts_with_all = [
            "format", "allow_backing", "redo_dir", "partition", "lv", "volume",
            "backend", "subvolume", "emulate", "replay_journal",
        ]
    )]
    pub(crate) root: Option<PathBuf>,

    /// Which users and groups of this host are the container's, as `lxc.idmap` says it; may be given several times
    #[arg(
        long,
        value_name = "CONTAINER:HOST:COUNT",
        value_parser = IdRange::parse,
        requires = "root",
        help_heading = "Root tree"
    )]
    pub(crate) id_map: Vec<IdRange>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    #[command(flatten)]
    pub(crate) image: ReadArguments,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) image: ReadVolumeArguments,

    /// A directory or a file of the guest
    #[arg(value_parser = guest_path(), default_value = "/")]
    pub(crate) path: GuestPath,

    /// Show mode, owner, size and time too
    #[arg(long, short)]
    pub(crate) long: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CatArguments {
    #[command(flatten)]
    pub(crate) image: ReadVolumeArguments,

    /// The file of the guest
    #[arg(value_parser = guest_path())]
    pub(crate) path: GuestPath,
}

#[derive(Debug, Args)]
pub(crate) struct TreeArguments {
    #[command(flatten)]
    pub(crate) image: ReadVolumeArguments,

    /// The directory of the guest
    #[arg(value_parser = guest_path(), default_value = "/")]
    pub(crate) path: GuestPath,

    /// Go down so many levels only
    #[arg(long, value_name = "LEVELS")]
    pub(crate) depth: Option<usize>,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatArguments {
    #[command(flatten)]
    pub(crate) image: ReadVolumeArguments,

    /// The file of the guest; a symbolic link is not followed
    #[arg(value_parser = guest_path())]
    pub(crate) path: GuestPath,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PutArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// A regular file of this host; `-` reads standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) source: PathBuf,

    /// The file of the guest, with its name
    #[arg(value_parser = guest_path())]
    pub(crate) path: GuestPath,

    #[command(flatten)]
    pub(crate) ownership: OwnershipArguments,
}

#[derive(Debug, Args)]
pub(crate) struct MkdirArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// Directories of the guest
    #[arg(value_parser = guest_path(), required = true)]
    pub(crate) paths: Vec<GuestPath>,

    /// Make what is missing above them too, and take one that is there
    #[arg(long, short)]
    pub(crate) parents: bool,

    #[command(flatten)]
    pub(crate) ownership: OwnershipArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RmArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// Files and directories of the guest
    #[arg(value_parser = guest_path(), required = true)]
    pub(crate) paths: Vec<GuestPath>,

    /// Remove directories with all that is in them
    #[arg(long, short)]
    pub(crate) recursive: bool,

    /// Mind none that is missing
    #[arg(long, short)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChmodArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// Permission bits in octal
    #[arg(value_parser = values::mode)]
    pub(crate) mode: u16,

    /// Files and directories of the guest
    #[arg(value_parser = guest_path(), required = true)]
    pub(crate) paths: Vec<GuestPath>,
}

#[derive(Debug, Args)]
pub(crate) struct ChownArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// `USER`, `USER:GROUP` or `:GROUP`: numbers, or names that the guest knows
    pub(crate) owner: Owner,

    /// Files and directories of the guest
    #[arg(value_parser = guest_path(), required = true)]
    pub(crate) paths: Vec<GuestPath>,

    /// Of a symbolic link, change the link itself
    #[arg(long)]
    pub(crate) no_dereference: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LnArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// The file that gets one more name, or with `-s` what the link says
    #[arg(value_parser = bytes())]
    pub(crate) target: Content,

    /// The new name in the guest
    #[arg(value_parser = guest_path())]
    pub(crate) path: GuestPath,

    /// Make a symbolic link
    #[arg(long, short)]
    pub(crate) symbolic: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MvArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// What is moved
    #[arg(value_parser = guest_path())]
    pub(crate) from: GuestPath,

    /// Its new name in full
    #[arg(value_parser = guest_path())]
    pub(crate) to: GuestPath,
}

#[derive(Debug, Subcommand)]
pub(crate) enum XattrCommand {
    /// List the names of a file's extended attributes
    List(XattrListArguments),
    /// Print the value of an extended attribute
    Get(XattrGetArguments),
    /// Set an extended attribute
    Set(XattrSetArguments),
    /// Remove an extended attribute
    Remove(XattrRemoveArguments),
}

#[derive(Debug, Args)]
pub(crate) struct XattrListArguments {
    #[command(flatten)]
    pub(crate) image: ReadVolumeArguments,

    /// The file of the guest; a symbolic link is not followed
    #[arg(value_parser = guest_path())]
    pub(crate) path: GuestPath,

    /// Print as JSON, with the values in hexadecimal
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct XattrGetArguments {
    #[command(flatten)]
    pub(crate) image: ReadVolumeArguments,

    /// The file of the guest; a symbolic link is not followed
    #[arg(value_parser = guest_path())]
    pub(crate) path: GuestPath,

    /// The attribute with its namespace, as `user.note`
    #[arg(value_parser = bytes())]
    pub(crate) name: Content,

    /// Print the value in hexadecimal
    #[arg(long)]
    pub(crate) hex: bool,
}

#[derive(Debug, Args)]
pub(crate) struct XattrSetArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// The file of the guest
    #[arg(value_parser = guest_path())]
    pub(crate) path: GuestPath,

    /// The attribute with its namespace, as `user.note`
    #[arg(value_parser = bytes())]
    pub(crate) name: Content,

    /// The value
    #[arg(value_parser = bytes())]
    pub(crate) value: Content,

    /// The value is written in hexadecimal
    #[arg(long)]
    pub(crate) hex: bool,
}

#[derive(Debug, Args)]
pub(crate) struct XattrRemoveArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// The file of the guest
    #[arg(value_parser = guest_path())]
    pub(crate) path: GuestPath,

    /// The attribute with its namespace, as `user.note`
    #[arg(value_parser = bytes())]
    pub(crate) name: Content,
}

#[derive(Debug, Args)]
pub(crate) struct EditArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// The script; `-` reads standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) script: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ImageDiffArguments {
    #[command(flatten)]
    pub(crate) first: ReadVolumeArguments,

    /// The second disk image
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) second: PathBuf,

    /// Compare times too
    #[arg(long)]
    pub(crate) times: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArguments {
    /// The disk image: a file, a block device, or the URI of an NBD export
    #[arg(value_hint = ValueHint::FilePath, required_unless_present = "root")]
    pub(crate) image: Option<PathBuf>,

    /// Instead of an image: a root tree in a directory of this host, a change to which was cut
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        conflicts_with_all = ["image", "redo_dir", "allow_backing"]
    )]
    pub(crate) root: Option<PathBuf>,

    /// Where the redo file is [default: beside the image]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) redo_dir: Option<PathBuf>,

    /// Change backing and data files that the redo file names, if they are in this directory; may be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) allow_backing: Vec<PathBuf>,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) image: PartArguments,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
// With a batch the images are in its file; the mark stands for them.
#[command(mut_arg("image", |it| it
    .index(1)
    .required(false)
    .required_unless_present("batch")
    .default_value_if("batch", ArgPredicate::IsPresent, "-")))]
pub(crate) struct InjectArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// The instance description, YAML or JSON; `-` reads standard input [default: what the options say alone]
    #[arg(index = 2, value_name = "INSTANCE", value_hint = ValueHint::FilePath)]
    pub(crate) instance: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) tree: RootArguments,

    #[command(flatten)]
    pub(crate) operator: OperatorArguments,

    /// Do many injections: each line of this file, or of standard input for `-`, is a JSON object with `image`, `instance`, and options;
    /// each result is a line of JSON
    #[arg(
        long,
        value_name = "JOBS.ndjson",
        help_heading = "Batch",
        value_hint = ValueHint::FilePath,
        conflicts_with_all = ["image", "instance", "root", "output", "dry_run", "json", "random_source"]
    )]
    pub(crate) batch: Option<PathBuf>,

    /// Do so many of a batch at a time [default: as many as there are processors]
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "batch",
        help_heading = "Batch"
    )]
    pub(crate) jobs: Option<NonZeroU16>,

    #[command(flatten)]
    pub(crate) options: InjectOptions,
}

/// An image as `-a`, as virt-customize has it, and the other names of its options.
#[derive(Debug, Args)]
#[command(
    mut_arg("image", |arg| arg
        .short('a')
        .long("add")
        .value_name("IMAGE")
        // A domain is refused, and that says how the disk is named instead.
        .required(false)
        .required_unless_present("domain")
        .default_value_if("domain", ArgPredicate::IsPresent, "-")),
    mut_arg("dry_run", |arg| arg.short('n').alias("dryrun"))
)]
pub(crate) struct CustomizeArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    #[command(flatten)]
    pub(crate) options: CustomizeOptions,

    /// Read randomness from a file, in order, for reproducible output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) random_source: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReidentifyArguments {
    #[command(flatten)]
    pub(crate) image: WriteArguments,

    /// The new host name [default: the old one stays]
    #[arg(long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,

    /// Leave this as it is; may be given several times
    #[arg(long, value_name = "MARK", value_parser = mark())]
    pub(crate) keep: Vec<Mark>,

    /// Read randomness from a file, in order, for reproducible output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) random_source: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) image: ReadVolumeArguments,

    /// The instance description, YAML or JSON; `-` reads standard input
    #[arg(value_name = "INSTANCE", value_hint = ValueHint::FilePath, required_unless_present = "root")]
    pub(crate) instance: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) tree: RootArguments,

    #[command(flatten)]
    pub(crate) operator: OperatorArguments,

    /// The time to stamp changes with, instead of SOURCE_DATE_EPOCH or the present time
    #[arg(long, value_name = "RFC3339")]
    pub(crate) time: Option<String>,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl InjectArguments {
    /// A way of injecting that takes no options for more, if one is asked for.
    pub(crate) fn way_without_options(&self) -> Option<&'static str> {
        if self.tree.root.is_some() {
            Some("`--root`")
        } else if self.batch.is_some() {
            Some("`--batch`")
        } else {
            let is_nova = self.operator.like == Some(Like::Nova);
            is_nova.then_some("`--like nova`")
        }
    }

    /// The description; with `--root` it is the first of what is typed, and a second has no place.
    pub(crate) fn description(&self) -> Result<&Path, Failure> {
        description(&self.tree, &self.image.image, self.instance.as_deref())
    }
}

impl PlanArguments {
    /// As of an injection.
    pub(crate) fn description(&self) -> Result<&Path, Failure> {
        let image = &self.image.part.image.image;
        description(&self.tree, image, self.instance.as_deref())
    }
}

fn description<'a>(
    tree: &RootArguments,
    first: &'a Path,
    second: Option<&'a Path>,
) -> Result<&'a Path, Failure> {
    match (&tree.root, second) {
        (Some(_), None) => Ok(first),
        (None, Some(second)) => Ok(second),
        (Some(_), Some(_)) => {
            Err(Failure::usage("`--root` stands for the image").detail("only INSTANCE follows"))
        }
        (None, None) => Err(Failure::usage("an image and INSTANCE are needed")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriveArgument {
    /// A config drive, label `config-2`
    ConfigDrive,
    /// A NoCloud seed, label `cidata`
    Nocloud,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) image: ReadVolumeArguments,

    /// The instance description, YAML or JSON; without it only what every identity would meet is told
    #[arg(value_name = "INSTANCE", value_hint = ValueHint::FilePath)]
    pub(crate) instance: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) operator: OperatorArguments,

    /// The drive on which the identity is to come [default: it is injected]
    #[arg(long, value_enum)]
    pub(crate) drive: Option<DriveArgument>,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
