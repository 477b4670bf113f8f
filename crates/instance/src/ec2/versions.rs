//! The versions of the EC2 documents.

/// A version of the EC2 documents.
///
/// Nova 34.0.0, `nova/api/metadata/base.py`, `VERSIONS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `1.0`
    V1,
    /// `2007-01-19`: `local-hostname`, `public-hostname`, `public-ipv4`.
    V20070119,
    /// `2007-03-01`: nothing new.
    V20070301,
    /// `2007-08-29`: `instance-type`.
    V20070829,
    /// `2007-10-10`: nothing new.
    V20071010,
    /// `2007-12-15`: `block-device-mapping`, `kernel-id`, `ramdisk-id`.
    V20071215,
    /// `2008-02-01`: `placement`.
    V20080201,
    /// `2008-09-01`: `instance-action`.
    V20080901,
    /// `2009-04-04`: nothing new.
    V20090404,
}

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Self; 9] = [
        Self::V1,
        Self::V20070119,
        Self::V20070301,
        Self::V20070829,
        Self::V20071010,
        Self::V20071215,
        Self::V20080201,
        Self::V20080901,
        Self::V20090404,
    ];

    /// The version that `latest` stands for.
    pub const LATEST: Self = Self::V20090404;

    /// The version's name in a path.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V20070119 => "2007-01-19",
            Self::V20070301 => "2007-03-01",
            Self::V20070829 => "2007-08-29",
            Self::V20071010 => "2007-10-10",
            Self::V20071215 => "2007-12-15",
            Self::V20080201 => "2008-02-01",
            Self::V20080901 => "2008-09-01",
            Self::V20090404 => "2009-04-04",
        }
    }
}

/// The directories of a drive in the order of writing: each version, then `latest`, but for
/// those in `[api] config_drive_skip_versions`.
///
/// Nova splits the option on single spaces; what names no EC2 version has no effect, be it
/// the empty text between two spaces or an OpenStack version.
pub(crate) fn directories(skip: &str) -> impl Iterator<Item = (&'static str, Version)> {
    let dated = Version::ALL.map(|version| (version.name(), version));
    dated
        .into_iter()
        .chain([("latest", Version::LATEST)])
        .filter(move |(name, _)| !skip.split(' ').any(|skipped| skipped == *name))
}
