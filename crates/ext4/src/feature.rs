//! The features of a filesystem, with the names that `dumpe2fs` gives them.

/// Which of the three words of the superblock a feature stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// May be ignored by who does not know it.
    Compatible,
    /// Forbids reading to who does not know it.
    Incompatible,
    /// Forbids writing to who does not know it.
    ReadOnlyCompatible,
}

macro_rules! features {
    ($($(#[$meta:meta])* $feature:ident = $word:ident $bit:literal $name:literal,)*) => {
        /// A feature that has a name.
        ///
        /// Linux `Documentation/filesystems/ext4/super.rst`; names from e2fsprogs `lib/e2p/feature.c`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Feature {
            $(
                #[doc = concat!("`", $name, "`.")]
                $(#[$meta])*
                $feature,
            )*
        }

        impl Feature {
            /// Every feature that has a name.
            pub const ALL: &[Self] = &[$(Self::$feature),*];

            /// Returns the name that `dumpe2fs` prints.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$feature => $name),* }
            }

            const fn word(self) -> Word {
                match self { $(Self::$feature => Word::$word),* }
            }

            const fn bit(self) -> u32 {
                match self { $(Self::$feature => $bit),* }
            }
        }
    };
}

features! {
    DirPrealloc = Compatible 0x1 "dir_prealloc",
    ImagicInodes = Compatible 0x2 "imagic_inodes",
    HasJournal = Compatible 0x4 "has_journal",
    ExtAttr = Compatible 0x8 "ext_attr",
    ResizeInode = Compatible 0x10 "resize_inode",
    DirIndex = Compatible 0x20 "dir_index",
    SparseSuper2 = Compatible 0x200 "sparse_super2",
    FastCommit = Compatible 0x400 "fast_commit",
    StableInodes = Compatible 0x800 "stable_inodes",
    OrphanFile = Compatible 0x1000 "orphan_file",
    Compression = Incompatible 0x1 "compression",
    Filetype = Incompatible 0x2 "filetype",
    NeedsRecovery = Incompatible 0x4 "needs_recovery",
    JournalDev = Incompatible 0x8 "journal_dev",
    MetaBg = Incompatible 0x10 "meta_bg",
    Extent = Incompatible 0x40 "extent",
    SixtyFourBit = Incompatible 0x80 "64bit",
    Mmp = Incompatible 0x100 "mmp",
    FlexBg = Incompatible 0x200 "flex_bg",
    EaInode = Incompatible 0x400 "ea_inode",
    Dirdata = Incompatible 0x1000 "dirdata",
    MetadataCsumSeed = Incompatible 0x2000 "metadata_csum_seed",
    LargeDir = Incompatible 0x4000 "large_dir",
    InlineData = Incompatible 0x8000 "inline_data",
    Encrypt = Incompatible 0x10000 "encrypt",
    Casefold = Incompatible 0x20000 "casefold",
    SparseSuper = ReadOnlyCompatible 0x1 "sparse_super",
    LargeFile = ReadOnlyCompatible 0x2 "large_file",
    BtreeDir = ReadOnlyCompatible 0x4 "btree_dir",
    HugeFile = ReadOnlyCompatible 0x8 "huge_file",
    /// Later releases call it `uninit_bg` when they print it.
    GdtCsum = ReadOnlyCompatible 0x10 "uninit_bg",
    DirNlink = ReadOnlyCompatible 0x20 "dir_nlink",
    ExtraIsize = ReadOnlyCompatible 0x40 "extra_isize",
    Snapshot = ReadOnlyCompatible 0x80 "snapshot",
    Quota = ReadOnlyCompatible 0x100 "quota",
    Bigalloc = ReadOnlyCompatible 0x200 "bigalloc",
    MetadataCsum = ReadOnlyCompatible 0x400 "metadata_csum",
    Replica = ReadOnlyCompatible 0x800 "replica",
    ReadOnly = ReadOnlyCompatible 0x1000 "read-only",
    Project = ReadOnlyCompatible 0x2000 "project",
    SharedBlocks = ReadOnlyCompatible 0x4000 "shared_blocks",
    Verity = ReadOnlyCompatible 0x8000 "verity",
    OrphanPresent = ReadOnlyCompatible 0x10000 "orphan_present",
}

/// What cannot even be read.
const UNREADABLE: &[Feature] = &[Feature::Compression, Feature::JournalDev, Feature::Dirdata];

/// What is read, and where writing would be wrong.
///
/// `needs_recovery` and `orphan_present` are not here: they are states, and opening decides on them.
const UNWRITABLE: &[Feature] = &[
    Feature::ImagicInodes,
    Feature::Encrypt,
    Feature::Casefold,
    Feature::Snapshot,
    Feature::Bigalloc,
    Feature::Replica,
    Feature::ReadOnly,
    Feature::SharedBlocks,
];

/// The features of one filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    compatible: u32,
    incompatible: u32,
    read_only_compatible: u32,
}

impl Features {
    pub(crate) const fn new(compatible: u32, incompatible: u32, read_only_compatible: u32) -> Self {
        Self {
            compatible,
            incompatible,
            read_only_compatible,
        }
    }

    const fn word(self, word: Word) -> u32 {
        match word {
            Word::Compatible => self.compatible,
            Word::Incompatible => self.incompatible,
            Word::ReadOnlyCompatible => self.read_only_compatible,
        }
    }

    /// Tells whether the filesystem has a feature.
    pub const fn has(self, feature: Feature) -> bool {
        self.word(feature.word()) & feature.bit() != 0
    }

    /// Tells whether group descriptors have checksums, and so may mark groups as not initialised
    /// (`fs/ext4/ext4.h`, `ext4_has_group_desc_csum`).
    pub(crate) const fn has_group_checksums(self) -> bool {
        self.has(Feature::GdtCsum) || self.has(Feature::MetadataCsum)
    }

    /// Returns the features that have a name, in the order of [`Feature::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL
            .iter()
            .copied()
            .filter(move |feature| self.has(*feature))
    }

    /// Names the first thing that forbids reading.
    pub(crate) fn forbids_reading(self) -> Option<String> {
        first_of(self, UNREADABLE).or_else(|| self.unknown(Word::Incompatible, "incompatible"))
    }

    /// Names the first thing that forbids writing.
    pub(crate) fn forbids_writing(self) -> Option<String> {
        first_of(self, UNWRITABLE)
            .or_else(|| {
                // Values in inodes of their own count for each owner that shares them.
                (self.has(Feature::Quota) && self.has(Feature::EaInode))
                    .then(|| "the features `quota` and `ea_inode` together".to_owned())
            })
            .or_else(|| self.unknown(Word::ReadOnlyCompatible, "read-only compatible"))
    }

    fn unknown(self, word: Word, name: &str) -> Option<String> {
        let known = Feature::ALL
            .iter()
            .filter(|feature| feature.word() == word)
            .fold(0, |bits, feature| bits | feature.bit());
        let unknown = self.word(word) & !known;
        (unknown != 0).then(|| format!("the unknown {name} features {unknown:#x}"))
    }
}

fn first_of(features: Features, list: &[Feature]) -> Option<String> {
    list.iter()
        .find(|feature| features.has(**feature))
        .map(|feature| format!("the feature `{}`", feature.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_bits_are_refused_where_they_matter() {
        assert_eq!(
            Features::new(0x8000_0000, 0x42, 0x3).forbids_reading(),
            None
        );
        assert_eq!(
            Features::new(0x8000_0000, 0x42, 0x3).forbids_writing(),
            None
        );
        let unknown = Features::new(0, 0x0800_0042, 0);
        assert!(unknown.forbids_reading().unwrap().contains("0x8000000"));
        let unknown = Features::new(0, 0x42, 0x0100_0000);
        assert_eq!(unknown.forbids_reading(), None);
        assert!(unknown.forbids_writing().unwrap().contains("0x1000000"));
    }

    #[test]
    fn what_is_refused_is_named() {
        let encrypted = Features::new(0, 0x10042, 0);
        assert_eq!(
            encrypted.forbids_writing().unwrap(),
            "the feature `encrypt`"
        );
    }
}
