//! What can be wrong with a drive, precisely.

use std::fmt;

use super::limits;

/// A rule of the format that a drive breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    pub(crate) place: Place,
    pub(crate) rule: Rule,
}

impl Corrupt {
    pub(crate) fn new(place: Place, rule: Rule) -> Self {
        Self { place, rule }
    }

    /// Returns a short stable name of the rule, such as `both-endian`.
    pub fn code(&self) -> &'static str {
        self.rule.code()
    }

    /// Returns the byte of the drive at which the broken structure begins.
    pub fn offset(&self) -> Option<u64> {
        self.place.offset
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.rule)
    }
}

impl std::error::Error for Corrupt {}

/// A structure on the drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) structure: &'static str,
    pub(crate) offset: Option<u64>,
    pub(crate) path: Option<Vec<u8>>,
}

impl Place {
    pub(crate) fn at(structure: &'static str, offset: u64) -> Self {
        Self {
            structure,
            offset: Some(offset),
            path: None,
        }
    }

    /// The structure that belongs to a path; the empty path is the root.
    pub(crate) fn of(structure: &'static str, offset: u64, path: &[u8]) -> Self {
        Self {
            structure,
            offset: Some(offset),
            path: Some(path.to_vec()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.structure)?;
        if let Some(path) = &self.path {
            write!(formatter, " of `{}`", printable(path))?;
        }
        if let Some(offset) = self.offset {
            write!(formatter, " at byte {offset}")?;
        }
        Ok(())
    }
}

/// A path for messages: what could steer a terminal is escaped.
pub(crate) fn printable(path: &[u8]) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    String::from_utf8_lossy(path)
        .chars()
        .flat_map(|character| {
            let escape = character.is_control();
            character
                .escape_default()
                .filter(move |_| escape)
                .chain(std::iter::once(character).filter(move |_| !escape))
        })
        .collect()
}

/// What a broken rule means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// A reader may see something else than was meant, or nothing: reading stops.
    Stops,
    /// The format forbids it; readers get by.
    Error,
    /// The format forbids it; it is common, or nothing depends on it.
    Warning,
}

/// A rule of ISO 9660, SUSP, RRIP, Joliet or FAT, with the numbers that break it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[rustfmt::skip]
pub(crate) enum Rule {
    // Any format.
    #[error("its {length} bytes do not lie on the drive, which has {drive}")]
    PastEnd { length: u64, drive: u64 },
    #[error("the directory's {length} bytes do not lie on the drive, which has {drive}")]
    DirectoryPastEnd { length: u64, drive: u64 },
    #[error("directories lie deeper than {} levels", limits::MAX_DEPTH)]
    TooDeep,
    #[error("the tree has more than {} entries", limits::MAX_ENTRIES)]
    TooManyEntries,
    #[error("the tree's directories have more than {} bytes", limits::MAX_DIRECTORY_BYTES_IN_TREE)]
    TooManyDirectoryBytes,
    #[error("paths are longer than {} bytes, or {} in all", limits::MAX_PATH_BYTES, limits::MAX_PATH_BYTES_IN_TREE)]
    TooLongPaths,
    #[error("the file has more than {} extents", limits::MAX_EXTENTS_IN_FILE)]
    TooManyExtents,
    #[error("the directory was met before: directories form a loop or share their content")]
    DirectoryLoop,
    #[error("a name is empty, `.`, `..`, or holds a `/` or a NUL")]
    BadName,
    #[error("two entries have this name")]
    DuplicateName,

    // ISO 9660.
    #[error("there is no primary volume descriptor")]
    NoPrimary,
    #[error("no terminator ends the volume descriptors")]
    NoTerminator,
    #[error("the logical block size is {0}; 512, 1024 and 2048 are possible")]
    BlockSize(u16),
    #[error("`{field}` says {little} in its first half and {big} in its second")]
    BothEndian { field: &'static str, little: u32, big: u32 },
    #[error("`{field}` is {value}, not {expected}")]
    DescriptorField { field: &'static str, value: u32, expected: u32 },
    #[error("the volume has {volume} bytes, the drive only {drive}")]
    VolumeTruncated { volume: u64, drive: u64 },
    #[error("the record's length {length} is below the least, 34, or leaves its block")]
    RecordLength { length: u8 },
    #[error("the identifier's length {identifier} does not fit a record of {record} bytes")]
    IdentifierLength { identifier: u8, record: u8 },
    #[error("the first two records are not `.` and `..`")]
    NoDotRecords,
    #[error("`{record}` stands for block {block}, not {expected}")]
    DotRecord { record: &'static str, block: u32, expected: u32 },
    #[error("identifiers are not in order")]
    Unordered,
    #[error("the directory's length {0} is not a multiple of its block size")]
    DirectoryLength(u32),
    #[error("the content lies behind the end of the volume, block {blocks}")]
    PastVolume { blocks: u32 },
    #[error("the content shares bytes with `{other}` without being the same")]
    Overlap { other: String },
    #[error("a time is none")]
    BadTime,
    #[error("the flag for more extents is set on the last record of a file")]
    UnfinishedFile,
    #[error("the record of directory {index} says {field} {value}, not {expected}")]
    PathTable { index: usize, field: &'static str, value: u32, expected: u32 },
    #[error("the table lists {table} directories; the tree has {tree}")]
    PathTableCount { table: usize, tree: usize },
    #[error("record {index} leaves the table")]
    PathTableLength { index: usize },
    #[error("both tables differ in record {index}")]
    PathTablesDiffer { index: usize },

    // SUSP and RRIP.
    #[error("field `{signature}` has a length of {length}")]
    FieldLength { signature: String, length: u8 },
    #[error("a continuation area of {length} bytes at {offset} leaves its block")]
    Continuation { offset: u32, length: u32 },
    #[error("the record has more than {} continuation areas", limits::MAX_CONTINUATIONS)]
    TooManyContinuations,
    #[error("the symbolic link's target has more than {} bytes", limits::MAX_SYMLINK_BYTES)]
    LongSymlink,
    #[error("there is no `PX` field")]
    NoPosix,
    #[error("mode {mode:o} and the directory flag disagree")]
    ModeKind { mode: u32 },
    #[error("the relocated directory at block {0} does not begin with itself")]
    ChildLink(u32),
    #[error("`PL` says block {parent}, not {expected}")]
    ParentLink { parent: u32, expected: u32 },

    // Joliet.
    #[error("an identifier has an odd number of bytes")]
    OddIdentifier,
    #[error("an identifier has an unpaired surrogate")]
    UnpairedSurrogate,

    // FAT.
    #[error("`{field}` is {value}, which cannot be")]
    BootField { field: &'static str, value: u32 },
    #[error("the boot sector does not end with 55 aa")]
    NoBootSignature,
    #[error("the backup boot sector differs")]
    BackupBootSector,
    #[error("the table of {bytes} bytes has no room for {clusters} clusters")]
    ShortFat { bytes: u64, clusters: u32 },
    #[error("the copy {copy} differs from the first in entry {cluster}")]
    FatCopies { copy: u8, cluster: u32 },
    #[error("entry {entry} is {value:#x}, not {expected:#x}")]
    ReservedFatEntry { entry: u32, value: u32, expected: u32 },
    #[error("the chain goes to cluster {cluster:#x}, which cannot be")]
    BadCluster { cluster: u32 },
    #[error("cluster {cluster} belongs to two chains, or twice to one")]
    CrossLinked { cluster: u32 },
    #[error("the chain ends after {have} clusters; {need} are needed")]
    ShortChain { have: u64, need: u64 },
    #[error("the chain goes on behind the {need} clusters that are needed")]
    LongChain { need: u64 },
    #[error("an empty file has a chain")]
    ChainOfEmptyFile,
    #[error("{count} clusters belong to no file, the first is {first}")]
    LostClusters { count: u32, first: u32 },
    #[error("the free count says {says}; {counted} clusters are free")]
    FreeCount { says: u32, counted: u32 },
    #[error("a directory has a length of {0}; it must be 0")]
    DirectorySize(u32),
    #[error("a long name's parts are not in order, or nothing follows them")]
    LongNameOrder,
    #[error("a long name's checksum is {says:#04x}; its short name's is {counted:#04x}")]
    LongNameChecksum { says: u8, counted: u8 },
    #[error("a short name holds the byte {0:#04x}")]
    ShortNameByte(u8),
    #[error("two volume labels stand in the root")]
    TwoLabels,
    #[error("reserved bits {0:#04x} are set")]
    ReservedBits(u8),
}

impl Rule {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::PastEnd { .. } => "past-end",
            Self::DirectoryPastEnd { .. } => "directory-past-end",
            Self::TooDeep => "too-deep",
            Self::TooManyEntries => "too-many-entries",
            Self::TooManyDirectoryBytes => "too-many-directory-bytes",
            Self::TooLongPaths => "too-long-paths",
            Self::TooManyExtents => "too-many-extents",
            Self::DirectoryLoop => "directory-loop",
            Self::BadName => "bad-name",
            Self::DuplicateName => "duplicate-name",
            Self::NoPrimary => "no-primary-descriptor",
            Self::NoTerminator => "no-terminator",
            Self::BlockSize(_) => "block-size",
            Self::BothEndian { .. } => "both-endian",
            Self::DescriptorField { .. } => "descriptor-field",
            Self::VolumeTruncated { .. } => "volume-truncated",
            Self::RecordLength { .. } => "record-length",
            Self::IdentifierLength { .. } => "identifier-length",
            Self::NoDotRecords => "no-dot-records",
            Self::DotRecord { .. } => "dot-record",
            Self::Unordered => "unordered",
            Self::DirectoryLength(_) => "directory-length",
            Self::PastVolume { .. } => "past-volume",
            Self::Overlap { .. } => "overlap",
            Self::BadTime => "bad-time",
            Self::UnfinishedFile => "unfinished-file",
            Self::PathTable { .. } => "path-table",
            Self::PathTableCount { .. } => "path-table-count",
            Self::PathTableLength { .. } => "path-table-length",
            Self::PathTablesDiffer { .. } => "path-tables-differ",
            Self::FieldLength { .. } => "field-length",
            Self::Continuation { .. } => "continuation",
            Self::TooManyContinuations => "too-many-continuations",
            Self::LongSymlink => "long-symlink",
            Self::NoPosix => "no-posix",
            Self::ModeKind { .. } => "mode-kind",
            Self::ChildLink(_) => "child-link",
            Self::ParentLink { .. } => "parent-link",
            Self::OddIdentifier => "odd-identifier",
            Self::UnpairedSurrogate => "unpaired-surrogate",
            Self::BootField { .. } => "boot-field",
            Self::NoBootSignature => "no-boot-signature",
            Self::BackupBootSector => "backup-boot-sector",
            Self::ShortFat { .. } => "short-fat",
            Self::FatCopies { .. } => "fat-copies",
            Self::ReservedFatEntry { .. } => "reserved-fat-entry",
            Self::BadCluster { .. } => "bad-cluster",
            Self::CrossLinked { .. } => "cross-linked",
            Self::ShortChain { .. } => "short-chain",
            Self::LongChain { .. } => "long-chain",
            Self::ChainOfEmptyFile => "chain-of-empty-file",
            Self::LostClusters { .. } => "lost-clusters",
            Self::FreeCount { .. } => "free-count",
            Self::DirectorySize(_) => "directory-size",
            Self::LongNameOrder => "long-name-order",
            Self::LongNameChecksum { .. } => "long-name-checksum",
            Self::ShortNameByte(_) => "short-name-byte",
            Self::TwoLabels => "two-labels",
            Self::ReservedBits(_) => "reserved-bits",
        }
    }

    pub(crate) fn weight(&self) -> Weight {
        match self {
            Self::DirectoryPastEnd { .. }
            | Self::TooDeep
            | Self::TooManyEntries
            | Self::TooManyDirectoryBytes
            | Self::TooLongPaths
            | Self::TooManyExtents
            | Self::DirectoryLoop
            | Self::BadName
            | Self::NoPrimary
            | Self::BlockSize(_)
            | Self::RecordLength { .. }
            | Self::IdentifierLength { .. }
            | Self::Continuation { .. }
            | Self::TooManyContinuations
            | Self::LongSymlink
            | Self::ChildLink(_)
            | Self::BadCluster { .. }
            | Self::CrossLinked { .. }
            | Self::ShortChain { .. }
            | Self::ShortFat { .. } => Weight::Stops,
            Self::Unordered
            | Self::BadTime
            | Self::NoTerminator
            | Self::PastVolume { .. }
            | Self::UnpairedSurrogate
            | Self::FreeCount { .. }
            | Self::LostClusters { .. }
            | Self::LongChain { .. }
            | Self::ReservedBits(_)
            | Self::BackupBootSector
            | Self::DescriptorField { .. } => Weight::Warning,
            _ => Weight::Error,
        }
    }
}

/// What kind of drive, or of file on it, is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// Nothing known begins like this.
    #[error("it is neither ISO 9660 nor FAT")]
    UnknownFormat,
    /// Something else that can be named.
    #[error("it is {0}, not ISO 9660 or FAT")]
    OtherFormat(&'static str),
    /// A table of FAT longer than is kept in memory.
    #[error(
        "its file allocation table of {bytes} bytes is longer than {}",
        limits::MAX_FAT_BYTES
    )]
    HugeFat {
        /// The table's length.
        bytes: u64,
    },
    /// A file whose content is stored in a way that is not read.
    #[error("`{path}` is stored {how}")]
    Storage {
        /// The file.
        path: String,
        /// How it is stored.
        how: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_cannot_steer_the_terminal() {
        let fault = Corrupt::new(Place::of("directory", 7, b"a\x1b[2Jb"), Rule::Unordered);
        assert_eq!(
            fault.to_string(),
            "directory of `a\\u{1b}[2Jb` at byte 7: identifiers are not in order"
        );
    }
}
