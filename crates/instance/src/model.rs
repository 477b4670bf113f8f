//! The instance: everything that christen knows of one machine.
//!
//! The fields follow the identity that Nova collects (`nova/api/metadata/base.py`,
//! `InstanceMetadata`), plus [`Guest`], which is ours. Short forms of the description
//! (`ssh_authorized_keys`, an address in a NIC) are already expanded here, files are
//! already read: one meaning, one field.

mod operation;

pub use operation::{MachineId, Operation, Seed};

use crate::{Secret, Value};

/// One machine and its identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// The stable identity. `None` when the description leaves it to be drawn: see
    /// `docs/reproducible.md` for when that happens.
    pub uuid: Option<String>,
    /// Display name.
    pub name: String,
    /// Host name, short or fully qualified, as given; `None`: made from `name` by Nova's rule.
    pub hostname: Option<String>,
    /// The project (tenant) that owns the instance.
    pub project_id: Option<String>,
    /// The user who made the instance.
    pub user_id: Option<String>,
    /// EC2 reservation ID, `r-` and eight characters.
    pub reservation_id: Option<String>,
    /// Place among instances made by one request, from 0.
    pub launch_index: i64,
    /// Availability zone.
    pub availability_zone: Option<String>,
    /// The `config_drive` column's text; any text that is not empty asks for a drive.
    pub config_drive: String,
    /// Whether the instance has ever been launched (`launched_at` is set).
    pub launched: bool,
    /// Name of the flavor (machine size).
    pub flavor_name: Option<String>,
    /// The image it boots from; `None` when booted from a volume without one.
    pub image: Option<Image>,
    /// Numbers behind the EC2 identifiers.
    pub ec2: Ec2Numbers,
    /// The key pair.
    pub key: Option<KeyPair>,
    /// All public keys that may log in as the image's default user, one line each, in order.
    /// Nova knows one key pair; without [`Instance::key`] in the description the first of
    /// these is that too.
    pub ssh_authorized_keys: Vec<String>,
    /// The owner's opaque bytes. `Some` and empty is different from `None`.
    pub user_data: Option<Secret<Vec<u8>>>,
    /// The owner's key-value pairs, in order.
    pub metadata: Vec<(String, String)>,
    /// Nova's own key-value pairs; only `boot_roles` is used here.
    pub system_metadata: Vec<(String, String)>,
    /// Administrator password: on a config drive and in injection only, never served.
    pub admin_password: Option<Secret>,
    /// Names of security groups, in order.
    pub security_groups: Vec<String>,
    /// Files for the config drive or injection ("personality").
    pub files: Vec<InjectedFile>,
    /// Root device, `/dev/vda`; `None` gives Nova's fixed default mapping.
    pub root_device: Option<String>,
    /// Default device of the first ephemeral disk.
    pub default_ephemeral_device: Option<String>,
    /// Default device of the swap disk.
    pub default_swap_device: Option<String>,
    /// Block device mappings, in order.
    pub block_devices: Vec<BlockDevice>,
    /// NICs in order. `None` means that nothing is known of the network: the documents are
    /// silent and the guest's default applies. Nova has no such state and takes it for no NIC.
    pub network: Option<Vec<Nic>>,
    /// Ironic's ports and port groups.
    pub bare_metal: Option<BareMetal>,
    /// Tagged devices as the driver saw them.
    pub devices: Option<Vec<Device>>,
    /// Guest NUMA cells.
    pub numa: Vec<NumaCell>,
    /// What concerns the guest's own system.
    pub guest: Guest,
}

/// The image that an instance boots from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// Glance identifier.
    pub id: Option<String>,
    /// Separate kernel image.
    pub kernel_id: Option<String>,
    /// Separate ramdisk image.
    pub ramdisk_id: Option<String>,
    /// Property `img_config_drive`: `optional` or `mandatory`.
    pub img_config_drive: Option<String>,
}

/// Numbers behind `i-`, `ami-`, `aki-` and `ari-`; rows of Nova's mapping tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ec2Numbers {
    /// Number of the instance, behind `i-`.
    pub instance: Option<u64>,
    /// Number of the image, behind `ami-`.
    pub image: Option<u64>,
    /// Number of the kernel image, behind `aki-`.
    pub kernel: Option<u64>,
    /// Number of the ramdisk image, behind `ari-`.
    pub ramdisk: Option<u64>,
}

/// A key pair's public half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// Name of the key pair.
    pub name: String,
    /// `ssh` or `x509`.
    pub kind: String,
    /// The public key, passed on untouched (a final newline stays).
    pub public_key: Option<String>,
    /// The pair is gone; only the instance's own row still holds the key. It then shows in
    /// the EC2 documents alone.
    pub deleted: bool,
}

/// A file to put on the drive or into the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectedFile {
    /// Absolute path in the guest.
    pub path: String,
    /// The file's bytes.
    pub content: Secret<Vec<u8>>,
}

/// A block device mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockDevice {
    /// `blank`, `image`, `snapshot` or `volume`.
    pub source: Option<String>,
    /// `local` or `volume`.
    pub destination: Option<String>,
    /// Device name with `/dev/`.
    pub device: Option<String>,
    /// Format of a blank device (`swap`, `ext4`).
    pub format: Option<String>,
    /// Boot order, 0 first, -1 or `None` for never.
    pub boot_index: Option<i64>,
}

/// One NIC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nic {
    /// Port ID.
    pub id: String,
    /// MAC address as given.
    pub mac: String,
    /// VIF type (`ovs`, `bridge`, ...).
    pub kind: Option<String>,
    /// VNIC type (`normal`, `direct`, ...).
    pub vnic_type: Option<String>,
    /// Host device name (`tap...`); `None` or empty: `interfaceN`.
    pub device: Option<String>,
    /// VLAN of the port's binding details.
    pub vlan: Option<i64>,
    /// `trusted` of the port's binding profile.
    pub trusted: Option<bool>,
    /// The network it stands in.
    pub network: Option<Network>,
    /// Subnets in order.
    pub subnets: Vec<Subnet>,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Network ID.
    pub id: Option<String>,
    /// Host bridge.
    pub bridge: Option<String>,
    /// Label (name).
    pub label: Option<String>,
    /// Maximum transmission unit in bytes.
    pub mtu: Option<u32>,
    /// Marked for injection. `None`: by option `flat_injected`.
    pub injected: Option<bool>,
}

/// A subnet as seen by one NIC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subnet {
    /// Address range, `192.0.2.0/24`; as given, known to parse.
    pub cidr: String,
    /// Default gateway.
    pub gateway: Option<String>,
    /// DNS servers, in order.
    pub dns: Vec<String>,
    /// Host routes, in order.
    pub routes: Vec<Route>,
    /// Whether DHCP is on; `None` when not known.
    pub enable_dhcp: Option<bool>,
    /// Address of the DHCP port, when there is one.
    pub dhcp_server: Option<String>,
    /// `slaac`, `dhcpv6-stateful` or `dhcpv6-stateless`.
    pub ipv6_address_mode: Option<String>,
    /// The NIC's addresses in this subnet.
    pub ips: Vec<FixedIp>,
}

/// How a subnet gives a NIC its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// They are said.
    Static,
    /// A DHCP server says them.
    Dhcp,
    /// The NIC makes them of what a router says.
    Slaac,
    /// A DHCP server for IPv6 says them, or what goes with them.
    DhcpV6,
}

impl Subnet {
    /// Returns how the NIC gets its addresses. The rules are those of `network_data.json`.
    pub fn addressing(&self) -> Addressing {
        match self.ipv6_address_mode.as_deref() {
            Some("slaac") => Addressing::Slaac,
            Some(_) => Addressing::DhcpV6,
            None if self.dhcp_server.is_some() || self.enable_dhcp == Some(true) => {
                Addressing::Dhcp
            }
            None => Addressing::Static,
        }
    }
}

/// A host route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Destination range, host bits allowed (`10.8.0.7/8`).
    pub to: String,
    /// Next hop.
    pub via: String,
}

/// A fixed address and the floating ones behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FixedIp {
    /// The address.
    pub address: String,
    /// Floating addresses.
    pub floating: Vec<String>,
}

/// Ironic's view of a machine's network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BareMetal {
    /// Physical ports.
    pub ports: Vec<BareMetalPort>,
    /// Port groups (bonds).
    pub port_groups: Vec<BareMetalPortGroup>,
}

/// A physical port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BareMetalPort {
    /// Port ID.
    pub id: String,
    /// MAC address.
    pub mac: String,
    /// The group it belongs to.
    pub port_group: Option<String>,
    /// ID of the Neutron port attached to it.
    pub vif: Option<String>,
}

/// A port group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BareMetalPortGroup {
    /// Group ID.
    pub id: String,
    /// The group's own MAC address.
    pub mac: Option<String>,
    /// Bond mode, `802.3ad`.
    pub mode: Option<String>,
    /// ID of the Neutron port attached to it.
    pub vif: Option<String>,
    /// Further bond properties in order, any JSON value.
    pub properties: Vec<(String, Value)>,
}

/// A tagged device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What it is.
    pub kind: DeviceKind,
    /// `pci`, `usb`, `scsi`, `ide`, `xen`; any other known text leaves the device out; `None`
    /// shows as `none`.
    pub bus: Option<String>,
    /// Address on the bus.
    pub address: Option<String>,
    /// Tags; `Some` and empty is shown as `[]`, `None` is left out.
    pub tags: Option<Vec<String>>,
}

/// The kinds of tagged device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceKind {
    /// A network interface.
    Nic {
        /// MAC address.
        mac: String,
        /// VLAN.
        vlan: Option<i64>,
        /// Whether the virtual function is trusted.
        trusted: Option<bool>,
    },
    /// A disk.
    Disk {
        /// Serial number: `None` when unset (left out), `Some(None)` when set to null, as
        /// libvirt's driver does for a tagged disk that is no volume (shown as `null`).
        serial: Option<Option<String>>,
        /// Path in the guest, with the same difference between unset and null.
        path: Option<Option<String>>,
    },
    /// A virtiofs share.
    Share {
        /// Share ID.
        share_id: String,
        /// Mount tag.
        tag: Option<String>,
    },
    /// A kind no document version knows: left out everywhere.
    Other,
}

/// A guest NUMA cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumaCell {
    /// Guest CPU numbers that are pinned.
    pub dedicated: Vec<u32>,
    /// Guest CPU numbers that float.
    pub shared: Vec<u32>,
}

/// What concerns the guest's own system: the description's `guest:` section.
///
/// On a drive it travels as vendor data in cloud-config form; into an image it is written
/// directly.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guest {
    /// Accounts, in order.
    pub users: Vec<GuestUser>,
    /// Password of root.
    pub root_password: Option<Password>,
    /// Time zone (`Europe/Berlin`).
    pub timezone: Option<String>,
    /// Locale (`de_DE.UTF-8`).
    pub locale: Option<String>,
    /// SSH host keys.
    pub ssh_host_keys: Vec<SshHostKey>,
    /// An SSH host key is made at the injection, so that it is known before the first boot.
    pub generate_ssh_host_key: bool,
    /// CA certificates to trust, PEM.
    pub ca_certificates: Vec<String>,
    /// Shell commands to run once, at the first boot, in order.
    pub first_boot_commands: Vec<Secret>,
    /// Files with owner and mode.
    pub files: Vec<GuestFile>,
    /// Plain operations on files, in order.
    pub operations: Vec<Operation>,
    /// What becomes of the machine ID; `None`: it stays.
    pub machine_id: Option<MachineId>,
    /// The documents that injection puts into the image for its cloud-init; a drive is such documents itself, and takes no notice.
    pub seed_cloud_init: Option<Seed>,
}

impl Guest {
    /// Whether the section says nothing of the guest's system.
    pub fn is_empty(&self) -> bool {
        let nothing = Self {
            seed_cloud_init: self.seed_cloud_init,
            ..Self::default()
        };
        *self == nothing
    }
}

/// An account in the guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuestUser {
    /// Login name.
    pub name: String,
    /// Public keys that may log in, in order.
    pub ssh_authorized_keys: Vec<String>,
    /// Password.
    pub password: Option<Password>,
    /// Supplementary groups.
    pub groups: Vec<String>,
    /// Login shell.
    pub shell: Option<String>,
    /// Rule for `sudo`, as in sudoers(5) after the user's name.
    pub sudo: Option<String>,
    /// Full name.
    pub gecos: Option<String>,
    /// Home directory.
    pub home: Option<String>,
    /// User ID.
    pub uid: Option<u32>,
    /// A system account.
    pub system: bool,
}

/// How an account's password is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// In clear; hashed before it goes anywhere (from `text:` or `file:`).
    Text(Secret),
    /// A crypt(5) hash.
    Hash(Secret),
    /// Login by password is impossible.
    Locked,
}

/// An SSH host key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshHostKey {
    /// `rsa`, `ecdsa` or `ed25519`.
    pub algorithm: String,
    /// Private half, OpenSSH PEM.
    pub private: Secret,
    /// Public half, one line.
    pub public: Option<String>,
}

/// A file in the guest, with owner and mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestFile {
    /// Absolute path.
    pub path: String,
    /// The file's bytes.
    pub content: Secret<Vec<u8>>,
    /// Owner and group by name (`root:root`); `None` leaves the default.
    pub owner: Option<String>,
    /// Permission bits, `0o644`; `None` leaves the default.
    pub mode: Option<u32>,
}
