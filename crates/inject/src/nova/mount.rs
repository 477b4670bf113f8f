//! Which volumes Nova mounts, in which order, and what a failure gives.
//!
//! Nova 34.0.0, `nova/virt/disk/vfs/guestfs.py`, `setup_os*`, and `nova/virt/disk/api.py`, `inject_data`. These are the rules alone:
//! whoever has the image finds its systems, opens what is to be mounted, and says what failed.

use std::num::NonZeroU32;

use christen_vfs::GuestPath;

use super::{Exception, ItemName, Items};

/// Where in an image its system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partition {
    /// Wherever inspection finds it.
    Inspect,
    /// The disk has no partitions; it is the filesystem.
    Whole,
    /// In a partition by its number, from 1.
    Number(NonZeroU32),
}

/// A system that inspection found; `V` is what volumes are known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System<V> {
    /// What it mounts, as its fstab has it, in any order.
    pub mounts: Vec<(GuestPath, V)>,
}

/// A volume of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Volume<V> {
    /// The whole disk.
    Disk,
    /// A partition by its number.
    Partition(NonZeroU32),
    /// What inspection found.
    Found(V),
}

/// A volume to be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount<V> {
    /// Which volume.
    pub volume: Volume<V>,
    /// Where.
    pub at: GuestPath,
}

/// Why there is nothing to be mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoGuest {
    /// Inspection found no system.
    #[error("no operating system is in the image")]
    NoSystem,
    /// Inspection found several systems, and Nova chooses none.
    #[error("{count} operating systems are in the image")]
    SeveralSystems {
        /// How many.
        count: usize,
    },
    /// The system mounts nothing.
    #[error("the system in the image has no mount points")]
    NoMounts,
}

/// Says what is to be mounted, in order. `systems` is what inspection finds, and only looked at for [`Partition::Inspect`].
///
/// Mounts go by the text of their path, so that the root comes first.
///
/// # Errors
///
/// [`NoGuest`]; Nova raises a [`NovaException`](Exception::NovaException) for each.
pub fn plan<V>(
    partition: Partition,
    systems: impl IntoIterator<Item = System<V>>,
) -> Result<Vec<Mount<V>>, NoGuest> {
    let volume = match partition {
        Partition::Whole => Volume::Disk,
        Partition::Number(number) => Volume::Partition(number),
        Partition::Inspect => return inspected(systems.into_iter().collect()),
    };
    let at = GuestPath::root();
    Ok(vec![Mount { volume, at }])
}

fn inspected<V>(systems: Vec<System<V>>) -> Result<Vec<Mount<V>>, NoGuest> {
    let count = systems.len();
    let mut systems = systems.into_iter();
    let (Some(system), None) = (systems.next(), systems.next()) else {
        return Err(match count {
            0 => NoGuest::NoSystem,
            count => NoGuest::SeveralSystems { count },
        });
    };
    let mut mounts = system.mounts;
    if mounts.is_empty() {
        return Err(NoGuest::NoMounts);
    }
    mounts.sort_by_key(|(at, _)| at.to_bytes());
    let mounts = mounts.into_iter().map(|(at, volume)| Mount {
        volume: Volume::Found(volume),
        at,
    });
    Ok(mounts.collect())
}

/// A volume that could not be mounted, and why.
#[derive(Debug)]
pub struct Failed<V, E> {
    /// Which volume, and where.
    pub mount: Mount<V>,
    /// Why.
    pub error: E,
}

/// Mounts what [`plan`] says, and returns what could not be mounted.
///
/// # Errors
///
/// The first failure, if nothing was mounted before it; Nova raises a [`NovaException`](Exception::NovaException). A later one only
/// goes to Nova's debug log: the guest is then without that volume.
pub fn mount<V, E>(
    mounts: Vec<Mount<V>>,
    mut each: impl FnMut(&Mount<V>) -> Result<(), E>,
) -> Result<Vec<Failed<V, E>>, Failed<V, E>> {
    let mut failures = Vec::new();
    let mut is_mounted = false;
    for mount in mounts {
        match each(&mount) {
            Ok(()) => is_mounted = true,
            Err(error) if is_mounted => failures.push(Failed { mount, error }),
            Err(error) => return Err(Failed { mount, error }),
        }
    }
    Ok(failures)
}

/// Says what is raised when an image cannot be opened and mounted; with `None` Nova warns, and its result is false.
///
/// `exception` is what the failure itself raises. It is raised if a mandatory item is given. Nova looks for each mandatory item in a
/// table that lacks the password, and fails there with a `KeyError`, whether or not there is a password.
pub fn not_opened(
    items: &Items,
    mandatory: &[ItemName],
    exception: Exception,
) -> Option<Exception> {
    mandatory.iter().find_map(|item| match item {
        ItemName::AdminPassword => Some(Exception::KeyError),
        item => items.has(*item).then_some(exception),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(mounts: &[(&str, &'static str)]) -> System<&'static str> {
        let mounts = mounts.iter();
        System {
            mounts: mounts
                .map(|(at, volume)| (GuestPath::new(at).unwrap(), *volume))
                .collect(),
        }
    }

    fn found(mounts: &[Mount<&'static str>]) -> Vec<String> {
        let mounts = mounts.iter();
        mounts
            .map(|mount| format!("{} {:?}", mount.at, mount.volume))
            .collect()
    }

    #[test]
    fn without_inspection_one_volume_is_the_root() {
        let number = NonZeroU32::new(3).unwrap();
        for (partition, expected) in [
            (Partition::Whole, "/ Disk"),
            (Partition::Number(number), "/ Partition(3)"),
        ] {
            // What inspection would find is of no interest.
            let mounts = plan(partition, [system(&[]), system(&[])]).unwrap();
            assert_eq!(found(&mounts), [expected]);
        }
    }

    #[test]
    fn inspection_goes_by_the_text_of_paths() {
        let one = system(&[("/usr/b", "d"), ("/usr-b", "c"), ("/", "a"), ("/usr", "b")]);
        let mounts = plan(Partition::Inspect, [one.clone()]).unwrap();
        assert_eq!(
            found(&mounts),
            [
                "/ Found(\"a\")",
                "/usr Found(\"b\")",
                "/usr-b Found(\"c\")",
                "/usr/b Found(\"d\")"
            ]
        );
        let refused = |systems: Vec<_>| plan(Partition::Inspect, systems).unwrap_err();
        assert_eq!(refused(vec![]), NoGuest::NoSystem);
        assert_eq!(
            refused(vec![one.clone(), one]),
            NoGuest::SeveralSystems { count: 2 }
        );
        assert_eq!(refused(vec![system(&[])]), NoGuest::NoMounts);
    }

    #[test]
    fn only_the_first_mount_must_succeed() {
        let mounts = || {
            let one = system(&[("/", "a"), ("/boot", "b"), ("/usr", "c")]);
            plan(Partition::Inspect, [one]).unwrap()
        };
        let without = |failing: &'static [&str]| {
            mount(mounts(), move |mount| {
                match failing.contains(&mount.at.to_string().as_str()) {
                    true => Err(()),
                    false => Ok(()),
                }
            })
        };
        assert!(without(&[]).unwrap().is_empty());
        let failures = without(&["/boot", "/usr"]).unwrap();
        assert_eq!(failures.len(), 2);
        let failed = without(&["/"]).unwrap_err();
        assert_eq!(failed.mount.at, GuestPath::root());
    }

    #[test]
    fn a_mandatory_item_raises_what_failed() {
        use ItemName::{AdminPassword, Files, Key};
        let items = Items {
            key: Some("k".to_owned()),
            ..Items::default()
        };
        let raised =
            |mandatory: &[ItemName]| not_opened(&items, mandatory, Exception::NovaException);
        assert_eq!(raised(&[]), None);
        assert_eq!(raised(&[Files]), None);
        assert_eq!(raised(&[Files, Key]), Some(Exception::NovaException));
        assert_eq!(
            raised(&[Files, AdminPassword, Key]),
            Some(Exception::KeyError)
        );
        assert_eq!(
            raised(&[Key, AdminPassword]),
            Some(Exception::NovaException)
        );
    }
}
