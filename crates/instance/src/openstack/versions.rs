//! The versions of the OpenStack documents.

/// A version of the OpenStack documents: a date, and what was there by then.
///
/// Nova 34.0.0, `nova/api/metadata/base.py`, `OPENSTACK_VERSIONS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `2012-08-10`: `meta_data.json`, `user_data`.
    Folsom,
    /// `2013-04-04`: `random_seed`.
    Grizzly,
    /// `2013-10-17`: `vendor_data.json`.
    Havana,
    /// `2015-10-15`: `project_id`, `network_data.json`.
    Liberty,
    /// `2016-06-30`: `devices`.
    NewtonOne,
    /// `2016-10-06`: `vendor_data2.json`.
    NewtonTwo,
    /// `2017-02-22`: `vlan` of network devices.
    Ocata,
    /// `2018-08-27`: `vf_trusted` of network devices.
    Rocky,
    /// `2020-10-14`: `dedicated_cpus`.
    Victoria,
    /// `2025-04-04`: devices that are shares.
    Epoxy,
}

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Self; 10] = [
        Self::Folsom,
        Self::Grizzly,
        Self::Havana,
        Self::Liberty,
        Self::NewtonOne,
        Self::NewtonTwo,
        Self::Ocata,
        Self::Rocky,
        Self::Victoria,
        Self::Epoxy,
    ];

    /// The version that `latest` stands for.
    pub const LATEST: Self = Self::Epoxy;

    /// The version's name in a path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folsom => "2012-08-10",
            Self::Grizzly => "2013-04-04",
            Self::Havana => "2013-10-17",
            Self::Liberty => "2015-10-15",
            Self::NewtonOne => "2016-06-30",
            Self::NewtonTwo => "2016-10-06",
            Self::Ocata => "2017-02-22",
            Self::Rocky => "2018-08-27",
            Self::Victoria => "2020-10-14",
            Self::Epoxy => "2025-04-04",
        }
    }
}

/// The directories of a drive in the order of writing: each version, then `latest`.
pub(super) fn directories() -> impl Iterator<Item = (&'static str, Version)> {
    let dated = Version::ALL.map(|version| (version.name(), version));
    dated.into_iter().chain([("latest", Version::LATEST)])
}
