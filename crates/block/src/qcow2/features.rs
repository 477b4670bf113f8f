//! The feature bits, and what they are called.
//!
//! QEMU `docs/interop/qcow2.rst`, "Header", bytes 72 to 95.

use super::header::Header;

/// Incompatible: refcounts may be wrong.
pub(super) const DIRTY: u64 = 1;
/// Incompatible: anything may be wrong.
pub(super) const CORRUPT: u64 = 1 << 1;
/// Incompatible: the guest's data is in another file.
pub(super) const DATA_FILE: u64 = 1 << 2;
/// Incompatible: compressed clusters are not deflate.
pub(super) const COMPRESSION: u64 = 1 << 3;
/// Incompatible: L2 entries are 16 bytes long.
pub(super) const EXTENDED_L2: u64 = 1 << 4;
/// The incompatible bits that are known.
pub(super) const KNOWN_INCOMPATIBLE: u64 = DIRTY | CORRUPT | DATA_FILE | COMPRESSION | EXTENDED_L2;
/// Compatible: refcounts may be written late, under the dirty bit.
const LAZY_REFCOUNTS: u64 = 1;
/// Autoclear: the bitmaps match the disk.
pub(super) const BITMAPS: u64 = 1;
/// Autoclear: the data file alone is a raw image.
pub(super) const RAW_DATA_FILE: u64 = 1 << 1;

/// The length of an entry of the feature name table in bytes.
const NAME_ENTRY_BYTES: usize = 48;

/// Which of the three sets of bits a bit belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureSet {
    /// An image with an unknown bit must not be opened.
    Incompatible,
    /// Unknown bits are ignored.
    Compatible,
    /// Unknown bits are cleared before a write.
    Autoclear,
}

/// What an image calls one of its feature bits.
///
/// QEMU `docs/interop/qcow2.rst`, "Feature name table".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureName {
    /// The set the bit belongs to.
    pub set: FeatureSet,
    /// The number of the bit, 0 to 63.
    pub bit: u8,
    /// The name; bytes that are not UTF-8 are replaced, since it is only ever shown.
    pub name: String,
}

impl FeatureName {
    /// Parses the table; entries that make no sense are stepped over, since they are only names.
    pub(super) fn parse_table(data: &[u8]) -> Vec<Self> {
        data.chunks_exact(NAME_ENTRY_BYTES)
            .filter_map(Self::parse)
            .collect()
    }

    fn parse(entry: &[u8]) -> Option<Self> {
        let (&[set, bit], name) = entry.split_first_chunk::<2>()?;
        let set = match set {
            0 => FeatureSet::Incompatible,
            1 => FeatureSet::Compatible,
            2 => FeatureSet::Autoclear,
            _ => return None,
        };
        let end = name
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(name.len());
        Some(Self {
            set,
            bit,
            name: String::from_utf8_lossy(&name[..end]).into_owned(),
        })
    }
}

/// Names every bit that is set.
pub(super) fn names(header: &Header) -> Vec<String> {
    let sets = [
        (FeatureSet::Incompatible, header.incompatible),
        (FeatureSet::Compatible, header.compatible),
        (FeatureSet::Autoclear, header.autoclear),
    ];
    let mut names = Vec::new();
    for (set, bits) in sets {
        for bit in (0..64).filter(|bit| bits & 1 << bit != 0) {
            names.push(name(header, set, bit));
        }
    }
    names
}

/// Names one bit: as we know it, else as the image says, else by its number.
pub(super) fn name(header: &Header, set: FeatureSet, bit: u8) -> String {
    let known = match (set, 1_u64 << bit) {
        (FeatureSet::Incompatible, DIRTY) => "dirty",
        (FeatureSet::Incompatible, CORRUPT) => "corrupt",
        (FeatureSet::Incompatible, DATA_FILE) => "external data file",
        (FeatureSet::Incompatible, COMPRESSION) => "compression type",
        (FeatureSet::Incompatible, EXTENDED_L2) => "extended L2 entries",
        (FeatureSet::Compatible, LAZY_REFCOUNTS) => "lazy refcounts",
        (FeatureSet::Autoclear, BITMAPS) => "bitmaps",
        (FeatureSet::Autoclear, RAW_DATA_FILE) => "raw external data",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let by_image = header
        .feature_names
        .iter()
        .find(|feature| feature.set == set && feature.bit == bit && !feature.name.is_empty());
    match by_image {
        Some(feature) => feature.name.clone(),
        None => match set {
            FeatureSet::Incompatible => format!("incompatible feature {bit}"),
            FeatureSet::Compatible => format!("compatible feature {bit}"),
            FeatureSet::Autoclear => format!("autoclear feature {bit}"),
        },
    }
}
