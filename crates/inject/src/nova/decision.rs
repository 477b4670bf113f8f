//! Whether Nova injects, and what.
//!
//! Nova 34.0.0, `nova/virt/libvirt/driver.py`, `_create_and_inject_local_root` and `_inject_data`.

use christen_instance::model::InjectedFile;
use christen_instance::network_template::{self, Options};
use christen_instance::settings::InjectPartition;
use christen_instance::{Error, Instance, Secret, Settings, config_drive_required};

use super::mount::Partition;
use super::{ItemName, Items};

/// What the root disk is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// A new instance.
    Spawn,
    /// An instance made anew from an image.
    Rebuild,
    /// A rescue disk.
    Rescue,
    /// The end of a resize or of a migration.
    Resize,
    /// Any other: a start, a reboot, a live migration.
    Other,
}

/// What is handed on for injection besides the instance's own row (`InjectionInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Information<'a> {
    /// The administrator password.
    pub admin_password: Option<&'a Secret>,
    /// Files.
    pub files: &'a [InjectedFile],
}

impl<'a> Information<'a> {
    /// Returns what is handed on in a phase: all when an instance is made, the password alone for a rescue, else nothing at all.
    pub fn of(instance: &'a Instance, phase: Phase) -> Option<Self> {
        let files = match phase {
            Phase::Spawn | Phase::Rebuild => &instance.files[..],
            Phase::Rescue => &[],
            Phase::Resize | Phase::Other => return None,
        };
        Some(Self {
            admin_password: instance.admin_password.as_ref(),
            files,
        })
    }
}

/// Whether the root disk is a volume, which Nova does not inject into: the boot index 0 is one's (`nova/block_device.py`,
/// `get_root_bdm`).
pub fn is_booted_from_volume(instance: &Instance) -> bool {
    let devices = &instance.block_devices;
    devices.iter().any(|device| {
        device.boot_index == Some(0) && device.destination.as_deref() == Some("volume")
    })
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// These items go into that partition.
    Inject(Box<Injection>),
    /// Nothing is opened, for this reason.
    Nothing(Reason),
}

/// An injection that Nova would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    /// What is injected.
    pub items: Items,
    /// Where.
    pub partition: Partition,
    /// The items whose failure fails the boot.
    pub mandatory: &'static [ItemName],
}

/// Why nothing is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The instance gets a config drive, which holds all this.
    ConfigDrive,
    /// The phase hands nothing on for injection.
    Phase,
    /// `[libvirt] inject_partition` is -2.
    Off,
    /// The root disk is a volume. Nova warns; files are lost.
    BootedFromVolume,
    /// No item is given.
    NoItems,
}

/// Decides whether an instance's identity is injected, and what.
///
/// `information` is what the phase hands on, see [`Information::of`].
///
/// # Errors
///
/// The network template cannot be rendered.
pub fn decide(
    instance: &Instance,
    settings: &Settings,
    information: Option<Information<'_>>,
    booted_from_volume: bool,
) -> Result<Decision, Error> {
    if config_drive_required(instance, settings) {
        return Ok(Decision::Nothing(Reason::ConfigDrive));
    }
    let Some(information) = information else {
        return Ok(Decision::Nothing(Reason::Phase));
    };
    let partition = match settings.inject_partition {
        InjectPartition::Off => return Ok(Decision::Nothing(Reason::Off)),
        InjectPartition::Inspect => Partition::Inspect,
        InjectPartition::Whole => Partition::Whole,
        InjectPartition::Number(number) => Partition::Number(number),
    };
    if booted_from_volume {
        return Ok(Decision::Nothing(Reason::BootedFromVolume));
    }
    let items = items(instance, settings, information)?;
    if items.is_empty() {
        return Ok(Decision::Nothing(Reason::NoItems));
    }
    Ok(Decision::Inject(Box::new(Injection {
        items,
        partition: if is_filesystem(instance, settings) {
            Partition::Whole
        } else {
            partition
        },
        mandatory: &[ItemName::Files],
    })))
}

/// Whether the image is a filesystem whatever the option says: one with a kernel of its own, and a container's.
fn is_filesystem(instance: &Instance, settings: &Settings) -> bool {
    let image = instance.image.as_ref();
    let kernel = image.and_then(|image| image.kernel_id.as_deref());
    kernel.is_some_and(|it| !it.is_empty()) || settings.virt_type == "lxc"
}

fn items(
    instance: &Instance,
    settings: &Settings,
    information: Information<'_>,
) -> Result<Items, Error> {
    let key = instance.key.as_ref().filter(|_| settings.inject_key);
    let password = information.admin_password;
    let options = Options {
        template: &settings.injected_network_template,
        flat_injected: settings.flat_injected,
        virt_type: Some(&settings.virt_type),
        like_nova: true,
    };
    let nics = instance.network.as_deref().unwrap_or_default();
    Ok(Items {
        key: key.and_then(|key| key.public_key.clone()),
        net: network_template::render(nics, options)?,
        metadata: instance.metadata.clone(),
        admin_password: password.filter(|_| settings.inject_password).cloned(),
        files: information.files.to_vec(),
    })
}
