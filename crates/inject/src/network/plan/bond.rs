//! Ironic's port groups as bonds.

use christen_instance::Value;
use christen_instance::model::{BareMetal, Nic};

use super::{Device, Mac, impossible};
use crate::Result;

/// A bond of Ethernet devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bond {
    /// The number among the bonds, from 0.
    pub number: usize,
    /// The bond's own address.
    pub mac: Mac,
    /// The addresses of the devices that it is made of.
    pub members: Vec<Mac>,
    /// The options in order, the mode first.
    pub options: Vec<(BondOption, String)>,
}

impl Bond {
    /// The name of the interface; the kernel gives no device such a name by itself unless somebody asks for a bond without one.
    pub fn name(&self) -> String {
        format!("bond{}", self.number)
    }
}

macro_rules! options {
    ($($(#[$doc:meta])* $option:ident = $kernel:literal, $netplan:literal, $networkd:literal, $kind:ident;)+) => {
        /// An option of the kernel's bonding driver that netplan and with it cloud-init know; there are more, which the documents
        /// leave out too.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum BondOption {
            $($(#[$doc])* $option,)+
        }

        impl BondOption {
            const ALL: &[Self] = &[$(Self::$option,)+];

            /// The kernel's name (Linux, `Documentation/networking/bonding.rst`).
            pub const fn kernel_name(self) -> &'static str {
                match self { $(Self::$option => $kernel,)+ }
            }

            /// netplan's name (`doc/netplan-yaml.md`, "Properties for device type `bonds:`").
            pub const fn netplan_name(self) -> &'static str {
                match self { $(Self::$option => $netplan,)+ }
            }

            /// systemd-networkd's name (systemd.netdev(5), "\[Bond\] Section Options").
            pub const fn networkd_name(self) -> &'static str {
                match self { $(Self::$option => $networkd,)+ }
            }

            /// Whether the value is a whole number and nothing else.
            pub const fn is_number(self) -> bool {
                match self { $(Self::$option => Type::$kind.is_number(),)+ }
            }
        }
    };
}

#[derive(Clone, Copy)]
enum Type {
    Text,
    Number,
}

impl Type {
    const fn is_number(self) -> bool {
        matches!(self, Self::Number)
    }
}

options! {
    /// The mode.
    Mode = "mode", "mode", "Mode", Text;
    /// How 802.3ad chooses its aggregator.
    AdSelect = "ad_select", "ad-select", "AdSelect", Text;
    /// Milliseconds between ARP probes.
    ArpInterval = "arp_interval", "arp-interval", "ARPIntervalSec", Number;
    /// Which answers to ARP probes count.
    ArpValidate = "arp_validate", "arp-validate", "ARPValidate", Text;
    /// Milliseconds before a link that is down counts as that.
    DownDelay = "downdelay", "down-delay", "DownDelaySec", Number;
    /// Whose MAC address the members have.
    FailOverMac = "fail_over_mac", "fail-over-mac-policy", "FailOverMACPolicy", Text;
    /// How often 802.3ad's partner is to speak.
    LacpRate = "lacp_rate", "lacp-rate", "LACPTransmitRate", Text;
    /// Milliseconds between looks at the links.
    MiiMonitor = "miimon", "mii-monitor-interval", "MIIMonitorSec", Text;
    /// Links that have to be up.
    MinLinks = "min_links", "min-links", "MinLinks", Number;
    /// ARP messages after a change of member.
    GratuitousArp = "num_grat_arp", "gratuitous-arp", "GratuitousARP", Number;
    /// Milliseconds before a link that is up counts as that.
    UpDelay = "updelay", "up-delay", "UpDelaySec", Number;
    /// What decides which member sends a packet.
    TransmitHashPolicy = "xmit_hash_policy", "transmit-hash-policy", "TransmitHashPolicy", Text;
}

/// The device that a NIC stands on: of several claims the last counts, groups go before ports, as in the documents.
pub(super) fn device(
    number: usize,
    nic: &Nic,
    bare_metal: &BareMetal,
    bonds: usize,
) -> Result<Device> {
    let claims = |vif: &Option<String>| vif.as_deref() == Some(&nic.id);
    let group = bare_metal
        .port_groups
        .iter()
        .rev()
        .find(|it| claims(&it.vif));
    let Some(group) = group else {
        let port = bare_metal.ports.iter().rev().find(|it| claims(&it.vif));
        let mac = port.map_or(&nic.mac, |port| &port.mac);
        return Ok(Device::Ethernet(Mac::parse(number, mac)?));
    };
    let mac = group.mac.as_deref().filter(|mac| !mac.is_empty());
    let members = bare_metal.ports.iter();
    let members = members.filter(|port| port.port_group.as_deref() == Some(&group.id));
    let members: Vec<Mac> = members
        .map(|port| Mac::parse(number, &port.mac))
        .collect::<Result<_>>()?;
    if members.is_empty() {
        return Err(impossible(format!(
            "NIC {number} stands on a port group without ports"
        )));
    }
    let mut options = Vec::new();
    if let Some(mode) = &group.mode {
        options.push((BondOption::Mode, checked(number, mode)?));
    }
    for (name, value) in &group.properties {
        let name = name.replace('-', "_");
        let name = name.strip_prefix("bond_").unwrap_or(&name);
        let known = BondOption::ALL.iter().skip(1);
        let Some(option) = known.copied().find(|it| it.kernel_name() == name) else {
            continue;
        };
        // Ironic gives numbers as text as often as not.
        let (Value::String(text) | Value::Integer(text)) = value else {
            continue;
        };
        if option.is_number() && text.parse::<i64>().is_err() {
            continue;
        }
        if !options.iter().any(|(known, _)| *known == option) {
            options.push((option, checked(number, text)?));
        }
    }
    Ok(Device::Bond(Bond {
        number: bonds,
        mac: Mac::parse(number, mac.unwrap_or(&nic.mac))?,
        members,
        options,
    }))
}

/// Takes a value of an option: a word, because it goes into files of several grammars.
fn checked(number: usize, text: &str) -> Result<String> {
    let is_word =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+');
    if text.is_empty() || !text.bytes().all(is_word) {
        return Err(impossible(format!(
            "NIC {number}: `{}` is no value of a bond's option",
            text.escape_debug()
        )));
    }
    Ok(text.to_owned())
}
