//! What can be typed: the one definition behind parsing, help, completions and man pages.

pub(crate) mod image;

use std::path::PathBuf;

use christen_instance::Dialect;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

/// Give a virtual machine its identity before its first boot
#[derive(Debug, Parser)]
#[command(
    name = "christen",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Exit status: 0 done; 1 failed, target unchanged; 2 usage or bad input; \
                  3 failed, target may have changed."
)]
pub struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build config drives and look into anyone's
    #[command(subcommand)]
    Drive(DriveCommand),
    /// Write the documents that a guest would read, as files or to standard output
    Render(RenderArguments),
    /// Tell what each consumer in the guest will see, what wins and what is ignored
    Explain(ExplainArguments),
    /// Make a NoCloud seed from files, with cloud-localds' own arguments
    #[command(
        name = "cloud-localds",
        disable_help_flag = true,
        disable_version_flag = true
    )]
    CloudLocalds(PassedOnArguments),
    /// Tell what a disk image is, how it is divided, and what is on each part
    Inspect(image::InspectArguments),
    /// List a directory of a disk image
    Ls(image::ListArguments),
    /// Print the content of a file of a disk image
    Cat(image::CatArguments),
    /// Show a directory of a disk image and all that is below it
    Tree(image::TreeArguments),
    /// Tell all that is known of a file of a disk image
    Stat(image::StatArguments),
    /// Put a file of this host into a disk image
    Put(image::PutArguments),
    /// Remove files and directories of a disk image
    Rm(image::RmArguments),
    /// Make directories in a disk image
    Mkdir(image::MkdirArguments),
    /// Set the permission bits of files of a disk image
    Chmod(image::ChmodArguments),
    /// Set the owners of files of a disk image
    Chown(image::ChownArguments),
    /// Make a hard or a symbolic link in a disk image
    Ln(image::LnArguments),
    /// Move a file or a directory of a disk image
    Mv(image::MvArguments),
    /// Read and change extended attributes of files of a disk image
    #[command(subcommand)]
    Xattr(image::XattrCommand),
    /// Put an instance's identity into the guest of a disk image, all of it or nothing
    Inject(image::InjectArguments),
    /// Change the guest of a disk image, with a command line of virt-customize
    Customize(image::CustomizeArguments),
    /// Make a stopped clone another machine: machine ID, SSH host keys, leases, random seed and more are made anew or taken away
    Reidentify(image::ReidentifyArguments),
    /// Show what `inject` would change in a disk image, as a diff; nothing is written
    Plan(image::PlanArguments),
    /// Tell before the boot whether the guest of a disk image will take an identity; exit status 1 when something keeps it from that,
    /// 2 when that cannot be told
    Doctor(image::DoctorArguments),
    /// Prove, by readers that share nothing with what writes, that a disk image has an instance's identity; exit status 1 when it has
    /// not, or when not all of it could be read so
    Verify(image::PlanArguments),
    /// Do a script of changes to a disk image, all of them or none
    Edit(image::EditArguments),
    /// Compare the files of two disk images; exit status 1 when they differ, 2 when that cannot be told
    Diff(image::ImageDiffArguments),
    /// Check a filesystem of a disk image: checksums, counters, bitmaps against trees; exit status 1 when something is wrong
    Check(image::CheckArguments),
    /// Complete a commit that was cut, or tell that there is none
    Recover(image::RecoverArguments),
    /// Print the JSON Schema of the instance description
    Schema,
    /// Print a completion script for a shell
    Completions(CompletionsArguments),
    /// Print the manual page, or write all of them into a directory
    Man(ManArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DriveCommand {
    /// Build a config drive from an instance description
    Build(BuildArguments),
    /// Show what a drive is and what is on it
    Show(ShowArguments),
    /// Tell what each consumer in the guest will see of a drive
    Explain(DriveExplainArguments),
    /// Copy a drive's documents into a new directory
    Extract(ExtractArguments),
    /// Compare two drives by the meaning of their documents; exit status 1 when they differ, 2
    /// when that cannot be told
    Diff(DiffArguments),
    /// Check a drive: structure, label, documents and their references
    Verify(VerifyArguments),
}

/// Which instance, and how its documents are made.
#[derive(Debug, Args)]
pub(crate) struct IdentityArguments {
    /// The instance description, YAML or JSON; `-` reads standard input
    #[arg(value_name = "INSTANCE", value_hint = ValueHint::FilePath)]
    pub(crate) instance: PathBuf,

    /// Form of the documents
    #[arg(long, value_enum, default_value_t = DialectArgument::Openstack)]
    pub(crate) dialect: DialectArgument,

    #[command(flatten)]
    pub(crate) operator: OperatorArguments,

    /// The time to write, instead of SOURCE_DATE_EPOCH or the present time
    #[arg(long, value_name = "RFC3339")]
    pub(crate) time: Option<String>,
}

/// What the operator adds to a description.
#[derive(Debug, Args, Default)]
pub(crate) struct OperatorArguments {
    /// Options by Nova's groups and names, in TOML
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) settings: Option<PathBuf>,

    /// Read the same options from a nova.conf; may be given several times, later files win
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) nova_conf: Vec<PathBuf>,

    /// Set one option (`api.dhcp_domain=example.org`); may be given several times
    #[arg(long, value_name = "GROUP.NAME=VALUE")]
    pub(crate) set: Vec<String>,

    /// Raise or lower a limit on the description (`user_data_base64_bytes=1000000`); may be
    /// given several times
    #[arg(long, value_name = "NAME=NUMBER")]
    pub(crate) limit: Vec<String>,

    /// Be exactly like another program where a guest can see the difference
    #[arg(long, value_enum, value_name = "PROGRAM")]
    pub(crate) like: Option<Like>,

    /// Read randomness from a file, in order, for reproducible output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) random_source: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectArgument {
    /// Config drive of OpenStack: `openstack/` and `ec2/`, label `config-2`
    Openstack,
    /// cloud-init's NoCloud seed, label `cidata`
    Nocloud,
}

impl DialectArgument {
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Openstack => Dialect::OpenStack,
            Self::Nocloud => Dialect::NoCloud,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Like {
    /// OpenStack Nova 34.0.0
    Nova,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArgument {
    /// ISO 9660 with Joliet and Rock Ridge: a CD-ROM
    Iso9660,
    /// FAT: a disk
    Vfat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutArgument {
    /// As small as the content allows
    Exact,
    /// Nova's: always 64 MiB, FAT16
    Nova,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    #[command(flatten)]
    pub(crate) identity: IdentityArguments,

    /// Where to write the drive; `-` writes to standard output
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,

    /// Filesystem of the drive [default: option config_drive_format, which is iso9660]
    #[arg(long, value_enum)]
    pub(crate) format: Option<FormatArgument>,

    /// Size and layout of a VFAT drive [default: exact; nova with --like nova]
    #[arg(long, value_enum, value_name = "LAYOUT")]
    pub(crate) vfat_layout: Option<LayoutArgument>,

    /// Do not wait until the drive is on stable storage (it may be lost in a power cut)
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RenderArguments {
    #[command(flatten)]
    pub(crate) identity: IdentityArguments,

    #[command(flatten)]
    pub(crate) what: RenderTarget,

    /// Print the list of what was written as JSON; with --list, the list of paths
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RenderTarget {
    /// Write the whole tree of the dialect into this new or empty directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) tree: Option<PathBuf>,

    /// Print one document, such as `openstack/latest/meta_data.json`
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,

    /// Print the paths of all documents in the order of writing
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    pub(crate) identity: IdentityArguments,

    /// Print the explanation as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// The drive image
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) drive: PathBuf,

    /// Print one document's bytes instead
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,

    /// Print as JSON
    #[arg(long, conflicts_with = "path")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DriveExplainArguments {
    /// The drive image
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) drive: PathBuf,

    /// What the drive is meant to be [default: told by the label]
    #[arg(long, value_enum)]
    pub(crate) dialect: Option<DialectArgument>,

    /// Print the explanation as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExtractArguments {
    /// The drive image
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) drive: PathBuf,

    /// A directory that does not exist or is empty
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,

    /// Print the list of what was written as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The first drive image
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) before: PathBuf,

    /// The second drive image
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) after: PathBuf,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The drive image
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) drive: PathBuf,

    /// Whose documents it should carry [default: told by the label, then by the tree]
    #[arg(long, value_enum)]
    pub(crate) dialect: Option<DialectArgument>,

    /// Fail on warnings too
    #[arg(long)]
    pub(crate) strict: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Write a page for each command into this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
}

/// Arguments that clap has no form for.
#[derive(Debug, Args)]
pub(crate) struct PassedOnArguments {
    /// As cloud-localds takes them; `--help` lists them
    #[arg(
        value_name = "ARGUMENT",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_hint = ValueHint::FilePath
    )]
    pub(crate) arguments: Vec<std::ffi::OsString>,
}
