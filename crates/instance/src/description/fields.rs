//! Every key of the format. The reference (`docs/description.md`) and the JSON Schema are
//! made from these tables, so the documentation is the code.
//!
//! The limits on list lengths bound the work for a hostile text; each is far above what any
//! machine has.

use super::format::{Field, Object, Shape, Text};
use super::operations::OPERATION;

/// Items of a list, where nothing smaller is sensible.
const MANY: usize = 1000;

/// NICs of a machine: QEMU's PCI topologies end well below.
const MAX_NICS: usize = 256;

/// Subnets of a NIC, addresses of a subnet, servers and routes.
const MAX_PER_NIC: usize = 128;

const ANY: Shape = Shape::Text(Text::Any);
const SHORT: Shape = Shape::Text(Text::Short);
const NAME: Shape = Shape::Text(Text::Name);
const NUMBER: Shape = Shape::Integer(0, i64::MAX);
const ADDRESS: Shape = Shape::Text(Text::Address);
const PUBLIC_KEY: Shape = Shape::Either(&[Shape::Text(Text::PublicKey), Shape::Object(&FILE)]);
const PUBLIC_KEYS: Shape = Shape::Either(&[
    Shape::Text(Text::PublicKey),
    Shape::List(&PUBLIC_KEY, MANY),
    Shape::Object(&FILE),
]);
const ADDRESSES: Shape = Shape::Either(&[ADDRESS, Shape::List(&ADDRESS, MAX_PER_NIC)]);
const ROUTES: Shape = Shape::List(&Shape::Object(&ROUTE), MAX_PER_NIC);

/// The whole description.
pub(crate) static INSTANCE: Object = Object {
    name: "instance",
    doc: "What an instance is. Every key may be left out.",
    fields: &[
        Field::new(
            "christen",
            Shape::Integer(1, 1),
            "Version of this format: `1`.",
        ),
        Field::new(
            "uuid",
            Shape::Text(Text::Uuid),
            "The instance's stable identity; a new one means \"first boot\" to the guest. \
             When absent one is made and reported.",
        )
        .alike(&["id", "instance_id", "instance-id"]),
        Field::new(
            "name",
            SHORT,
            "Display name. When absent, the first label of `hostname`.",
        )
        .alike(&["display_name", "title"]),
        Field::new(
            "hostname",
            Shape::Text(Text::Hostname),
            "Host name, short or fully qualified. When absent it is made from `name` by \
             Nova's rule: `my server` becomes `my-server`.",
        )
        .alike(&["host", "fqdn", "local-hostname", "host_name"]),
        Field::new(
            "ssh_authorized_keys",
            PUBLIC_KEYS,
            "Public keys that may log in as the image's default user: one, or a list; each \
             is the key's text or `{file: ...}`. Without `key`, the first is also the key \
             pair, named `default`.",
        )
        .alike(&[
            "ssh_keys",
            "ssh-authorized-keys",
            "public_keys",
            "public-keys",
            "authorized_keys",
            "sshkeys",
        ]),
        Field::new(
            "user_data",
            Shape::Either(&[ANY, Shape::Object(&USER_DATA)]),
            "The owner's own bytes for the guest: a script, a cloud-config, anything. Text, \
             or a mapping that says where it comes from.",
        )
        .secret()
        .alike(&["userdata", "user-data"]),
        Field::new(
            "cloud_config",
            Shape::Mapping,
            "A cloud-config written inline; short for `user_data: {cloud_config: ...}`.",
        )
        .secret()
        .alike(&["cloud-config", "cloudconfig", "cloud_init"]),
        Field::new(
            "network",
            Shape::Either(&[
                Shape::Text(Text::Choice(&["dhcp"])),
                Shape::List(&Shape::Object(&NIC), MAX_NICS),
            ]),
            "The NICs in order; `[]` for none. `dhcp`, or leaving it out, says nothing of the \
             network: the guest's own default applies, which is DHCP on the first NIC.",
        )
        .alike(&[
            "networks",
            "nics",
            "interfaces",
            "ethernets",
            "network_config",
        ]),
        Field::new(
            "metadata",
            Shape::Pairs,
            "The owner's key-value pairs. Values are text; the order is kept.",
        )
        .alike(&["meta", "meta_data", "meta-data", "tags", "properties"]),
        Field::new(
            "admin_password",
            Shape::Either(&[ANY, Shape::Object(&SECRET_TEXT)]),
            "Administrator password, on the drive and in injection only; it stands there in \
             clear. Text, or a mapping that says where it comes from.",
        )
        .secret()
        .alike(&["admin_pass", "adminPass", "password"]),
        Field::new(
            "files",
            Shape::List(&Shape::Object(&INJECTED_FILE), MANY),
            "Files for the drive's `content` directory or for injection, as Nova's \
             personality files. Nova allows five of 10240 bytes; options raise that. From a \
             config drive cloud-init writes them at the first boot, mode 0660; for owner and \
             mode see `guest.files`.",
        )
        .alike(&["personality", "injected_files", "write_files"]),
        Field::new(
            "guest",
            Shape::Object(&GUEST),
            "What concerns the guest's own system. On a drive it travels as vendor data in \
             cloud-config form.",
        )
        .alike(&["os", "system"]),
        Field::new(
            "key",
            Shape::Object(&KEY),
            "The key pair, as Nova knows it.",
        )
        .alike(&["key_pair", "keypair", "key_name"]),
        Field::new("project_id", SHORT, "The project that owns the instance.").alike(&[
            "project",
            "tenant_id",
            "tenant",
        ]),
        Field::new("user_id", SHORT, "The user who made the instance.").alike(&["user"]),
        Field::new(
            "reservation_id",
            SHORT,
            "EC2 reservation ID: `r-` and eight characters.",
        ),
        Field::new(
            "launch_index",
            NUMBER,
            "Place among instances made by one request, from 0.",
        ),
        Field::new("availability_zone", SHORT, "Availability zone.").alike(&[
            "availability-zone",
            "zone",
            "az",
        ]),
        Field::new(
            "config_drive",
            Shape::Either(&[Shape::Flag, SHORT]),
            "Whether a config drive was asked for: `true`, `false`, or the text of Nova's \
             column, where any text that is not empty asks for one.",
        ),
        Field::new(
            "launched",
            Shape::Flag,
            "Whether the instance has ever been started.",
        ),
        Field::new(
            "launched_at",
            SHORT,
            "When it was first started; the same as `launched: true`.",
        ),
        Field::new("flavor", Shape::Object(&FLAVOR), "The machine size."),
        Field::new("image", Shape::Object(&IMAGE), "The image it boots from."),
        Field::new(
            "ec2",
            Shape::Object(&EC2),
            "Numbers behind the EC2 identifiers.",
        ),
        Field::new(
            "system_metadata",
            Shape::Pairs,
            "Nova's own key-value pairs; only `boot_roles` is used.",
        ),
        Field::new(
            "security_groups",
            Shape::List(&NAME, MANY),
            "Names of security groups, in order.",
        )
        .alike(&["security-groups"]),
        Field::new(
            "root_device",
            SHORT,
            "Root device, as `/dev/vda`; when absent, EC2's block device mapping is Nova's \
             fixed one.",
        )
        .alike(&["root_device_name"]),
        Field::new(
            "default_ephemeral_device",
            SHORT,
            "Device of the first ephemeral disk, as `/dev/vdb`.",
        ),
        Field::new(
            "default_swap_device",
            SHORT,
            "Device of the swap disk, as `/dev/vdc`.",
        ),
        Field::new(
            "block_devices",
            Shape::List(&Shape::Object(&BLOCK_DEVICE), MANY),
            "Block device mappings, in order.",
        )
        .alike(&["block_device_mapping", "disks"]),
        Field::new(
            "bare_metal",
            Shape::Object(&BARE_METAL),
            "Ironic's ports and port groups, for machines of metal.",
        ),
        Field::new(
            "devices",
            Shape::List(&Shape::Object(&DEVICE), MANY),
            "Tagged devices as the driver saw them.",
        ),
        Field::new(
            "numa",
            Shape::List(&Shape::Object(&NUMA), MANY),
            "Guest NUMA cells.",
        ),
        Field::new(
            "full",
            Shape::Any,
            "A mark of Nova's test vectors; ignored.",
        )
        .hidden(),
    ],
    exactly_one: &[],
    strangers: &[
        ("version", "the format's version is `christen: 1`"),
        (
            "users",
            "accounts belong in `guest`: `guest: {users: [...]}`",
        ),
        (
            "timezone",
            "it belongs in `guest`: `guest: {timezone: ...}`",
        ),
        ("locale", "it belongs in `guest`: `guest: {locale: ...}`"),
        (
            "root_password",
            "it belongs in `guest`: `guest: {root_password: ...}`",
        ),
        (
            "runcmd",
            "commands belong in `guest`: `guest: {first_boot_commands: [...]}`",
        ),
        (
            "packages",
            "give a cloud-config: `cloud_config: {packages: [...]}`",
        ),
        (
            "vendor_data",
            "vendor data is the operator's: name it in the settings file",
        ),
        (
            "config",
            "options belong in the settings file, or give `--set`",
        ),
    ],
};

static FILE: Object = Object {
    name: "file",
    doc: "Text from a file.",
    fields: &[Field::new(
        "file",
        Shape::Text(Text::LocalPath),
        "The file to read, relative to the description.",
    )
    .required()
    .alike(&["path", "source"])],
    exactly_one: &[],
    strangers: &[],
};

static USER_DATA: Object = Object {
    name: "user_data",
    doc: "Where the user data comes from: exactly one of these.",
    fields: &[
        Field::new("text", ANY, "The text itself.")
            .secret()
            .alike(&["content"]),
        Field::new("base64", Shape::Text(Text::Base64), "Bytes in base64.")
            .secret()
            .alike(&["b64"]),
        Field::new(
            "file",
            Shape::Text(Text::LocalPath),
            "A file to read, relative to the description.",
        )
        .alike(&["path", "source"]),
        Field::new(
            "cloud_config",
            Shape::Mapping,
            "A cloud-config, written to the guest as `#cloud-config` and YAML.",
        )
        .secret()
        .alike(&["cloud-config"]),
    ],
    exactly_one: &["text", "base64", "file", "cloud_config"],
    strangers: &[],
};

static SECRET_TEXT: Object = Object {
    name: "secret_text",
    doc: "Where a secret comes from: exactly one of these.",
    fields: &[
        Field::new("text", ANY, "The text itself.").secret(),
        Field::new(
            "file",
            Shape::Text(Text::LocalPath),
            "A file to read, relative to the description; one final newline is dropped.",
        )
        .alike(&["path", "source"]),
    ],
    exactly_one: &["text", "file"],
    strangers: &[],
};

static PASSWORD: Object = Object {
    name: "password",
    doc: "An account's password: exactly one of these.",
    fields: &[
        Field::new(
            "text",
            ANY,
            "The password in clear; it is hashed before it goes anywhere.",
        )
        .secret(),
        Field::new("hash", ANY, "A crypt(5) hash, as in `/etc/shadow`.")
            .secret()
            .alike(&["hashed", "crypt", "passwd"]),
        Field::new(
            "file",
            Shape::Text(Text::LocalPath),
            "A file with the password in clear; one final newline is dropped.",
        )
        .alike(&["path", "source"]),
        Field::new("locked", Shape::Flag, "`true`: nobody logs in by password.")
            .alike(&["lock_passwd"]),
    ],
    exactly_one: &["text", "hash", "file", "locked"],
    strangers: &[],
};

static FLAVOR: Object = Object {
    name: "flavor",
    doc: "A machine size.",
    fields: &[Field::new("name", SHORT, "Its name.")],
    exactly_one: &[],
    strangers: &[],
};

static IMAGE: Object = Object {
    name: "image",
    doc: "The image an instance boots from.",
    fields: &[
        Field::new("id", SHORT, "Its ID.").alike(&["uuid"]),
        Field::new("kernel_id", SHORT, "ID of a separate kernel image."),
        Field::new("ramdisk_id", SHORT, "ID of a separate ramdisk image."),
        Field::new(
            "properties",
            Shape::Object(&IMAGE_PROPERTIES),
            "The properties that matter here.",
        ),
    ],
    exactly_one: &[],
    strangers: &[],
};

static IMAGE_PROPERTIES: Object = Object {
    name: "image_properties",
    doc: "Properties of an image.",
    fields: &[Field::new(
        "img_config_drive",
        Shape::Text(Text::Choice(&["optional", "mandatory"])),
        "Whether the image needs a config drive.",
    )],
    exactly_one: &[],
    strangers: &[],
};

static EC2: Object = Object {
    name: "ec2",
    doc: "Numbers behind the EC2 identifiers, rows of Nova's mapping tables.",
    fields: &[
        Field::new("instance", NUMBER, "Behind `i-`."),
        Field::new("image", NUMBER, "Behind `ami-`."),
        Field::new("kernel", NUMBER, "Behind `aki-`."),
        Field::new("ramdisk", NUMBER, "Behind `ari-`."),
    ],
    exactly_one: &[],
    strangers: &[],
};

static KEY: Object = Object {
    name: "key",
    doc: "A key pair's public half.",
    fields: &[
        Field::new("name", Shape::Text(Text::PathName), "Its name.").required(),
        Field::new(
            "type",
            Shape::Text(Text::Choice(&["ssh", "x509"])),
            "`ssh` when absent.",
        ),
        Field::new(
            "public_key",
            PUBLIC_KEY,
            "The key's text, or `{file: ...}`. Passed on untouched.",
        )
        .required()
        .alike(&["key", "data", "public"]),
        Field::new(
            "deleted",
            Shape::Flag,
            "The pair is gone and only the instance's row holds the key: it shows in the \
             EC2 documents alone.",
        ),
    ],
    exactly_one: &[],
    strangers: &[("private_key", "only the public half belongs here")],
};

static INJECTED_FILE: Object = Object {
    name: "injected_file",
    doc: "A file for the drive or for injection: `path` and exactly one of `text`, `base64` \
          and `source`.",
    fields: &[
        Field::new("path", Shape::Text(Text::Path), "Path in the guest.")
            .required()
            .alike(&["target", "destination"]),
        Field::new("text", ANY, "The text itself.")
            .secret()
            .alike(&["content", "contents"]),
        Field::new("base64", Shape::Text(Text::Base64), "Bytes in base64.")
            .secret()
            .alike(&["b64"]),
        Field::new(
            "source",
            Shape::Text(Text::LocalPath),
            "A file to read, relative to the description.",
        )
        .alike(&["file", "from", "src"]),
    ],
    exactly_one: &["text", "base64", "source"],
    strangers: &[
        (
            "mode",
            "files with owner and mode belong in `guest: {files: [...]}`",
        ),
        (
            "permissions",
            "files with owner and mode belong in `guest: {files: [...]}`",
        ),
        (
            "owner",
            "files with owner and mode belong in `guest: {files: [...]}`",
        ),
    ],
};

static BLOCK_DEVICE: Object = Object {
    name: "block_device",
    doc: "A block device mapping.",
    fields: &[
        Field::new(
            "source",
            Shape::Text(Text::Choice(&["blank", "image", "snapshot", "volume"])),
            "What it is made from.",
        ),
        Field::new(
            "destination",
            Shape::Text(Text::Choice(&["local", "volume"])),
            "Where it lives.",
        ),
        Field::new("device", SHORT, "Device name, as `/dev/vdb`."),
        Field::new("format", SHORT, "Format of a blank device: `swap`, `ext4`."),
        Field::new(
            "boot_index",
            Shape::Integer(-1, i64::MAX),
            "Boot order, 0 first; -1 or absent for never.",
        ),
    ],
    exactly_one: &[],
    strangers: &[],
};

/// Keys of a NIC that belong to its short form.
pub(crate) const SHORT_FORM: [&str; 6] = ["address", "dhcp", "ipv6", "gateway", "dns", "routes"];

static NIC: Object = Object {
    name: "nic",
    doc: "One NIC. Either the short form (`address`, `dhcp`, `ipv6`, `gateway`, `dns`, \
          `routes`) or Neutron's full form (`network`, `subnets`).",
    fields: &[
        Field::new(
            "mac",
            Shape::Text(Text::Mac),
            "MAC address, by which the guest finds the NIC.",
        )
        .required()
        .alike(&[
            "mac_address",
            "macaddress",
            "hwaddr",
            "ethernet_mac_address",
        ]),
        Field::new(
            "address",
            Shape::Either(&[
                Shape::Text(Text::Interface),
                Shape::List(&Shape::Text(Text::Interface), MAX_PER_NIC),
            ]),
            "Static address with its prefix length, `192.0.2.17/24`, or a list of them. Nova's \
             documents carry the first IPv4 and the first IPv6 one.",
        )
        .alike(&["addresses", "ip", "ip_address"]),
        Field::new("dhcp", Shape::Flag, "Ask for an IPv4 address by DHCP.").alike(&["dhcp4"]),
        Field::new(
            "ipv6",
            Shape::Text(Text::Choice(&[
                "slaac",
                "dhcpv6-stateful",
                "dhcpv6-stateless",
            ])),
            "How the NIC gets its IPv6 address, when not by `address`.",
        )
        .alike(&["dhcp6"]),
        Field::new(
            "gateway",
            ADDRESSES,
            "Default gateway; one, or one of each family.",
        )
        .alike(&["gateway4", "gateway6", "gw"]),
        Field::new("dns", ADDRESSES, "DNS servers.").alike(&[
            "nameservers",
            "dns_nameservers",
            "nameserver",
        ]),
        Field::new("routes", ROUTES, "Further routes."),
        Field::new(
            "mtu",
            Shape::Integer(1, 65535),
            "Maximum transmission unit in bytes.",
        ),
        Field::new(
            "id",
            SHORT,
            "Port ID. When absent it is made from the place in the list and the MAC address.",
        )
        .alike(&["port_id", "port"]),
        Field::new("type", SHORT, "VIF type: `ovs`, `bridge`, ...").alike(&["vif_type"]),
        Field::new("vnic_type", SHORT, "VNIC type: `normal`, `direct`, ..."),
        Field::new(
            "device",
            SHORT,
            "Host device, as `tap3f9d0a11-1e`; when absent the documents say `interfaceN`.",
        )
        .alike(&["devname", "name"]),
        Field::new("vlan", Shape::Integer(0, 4095), "VLAN of the port."),
        Field::new(
            "trusted",
            Shape::Flag,
            "Whether the virtual function is trusted.",
        ),
        Field::new(
            "network",
            Shape::Object(&NETWORK),
            "The network it stands in.",
        ),
        Field::new(
            "subnets",
            Shape::List(&Shape::Object(&SUBNET), MAX_PER_NIC),
            "Subnets in order. Nova's documents carry the first of each family.",
        ),
    ],
    exactly_one: &[],
    strangers: &[
        (
            "netmask",
            "give the prefix length with the address: `address: 192.0.2.17/24`",
        ),
        (
            "cidr",
            "give the address with its prefix length: `address: 192.0.2.17/24`",
        ),
    ],
};

static NETWORK: Object = Object {
    name: "network",
    doc: "A network.",
    fields: &[
        Field::new(
            "id",
            SHORT,
            "Network ID. When absent it is made from the place in the list and the MAC address.",
        ),
        Field::new("bridge", SHORT, "Host bridge."),
        Field::new("label", SHORT, "Its name.").alike(&["name"]),
        Field::new(
            "mtu",
            Shape::Integer(1, 65535),
            "Maximum transmission unit in bytes.",
        ),
        Field::new(
            "injected",
            Shape::Flag,
            "Put into the injected network template; when absent, by option `flat_injected`.",
        ),
    ],
    exactly_one: &[],
    strangers: &[],
};

static SUBNET: Object = Object {
    name: "subnet",
    doc: "A subnet as one NIC sees it.",
    fields: &[
        Field::new("cidr", Shape::Text(Text::Range), "Address range.")
            .required()
            .alike(&["range", "subnet"]),
        Field::new("gateway", ADDRESS, "Default gateway; absent for none.").alike(&["gateway_ip"]),
        Field::new(
            "dns",
            Shape::List(&ADDRESS, MAX_PER_NIC),
            "DNS servers, in order.",
        )
        .alike(&["dns_nameservers", "nameservers"]),
        Field::new("routes", ROUTES, "Host routes, in order.").alike(&["host_routes"]),
        Field::new("enable_dhcp", Shape::Flag, "Whether DHCP is on.").alike(&["dhcp"]),
        Field::new(
            "dhcp_server",
            ADDRESS,
            "Address of the DHCP server, when it is known.",
        ),
        Field::new(
            "ipv6_address_mode",
            Shape::Text(Text::Choice(&[
                "slaac",
                "dhcpv6-stateful",
                "dhcpv6-stateless",
            ])),
            "How IPv6 addresses are given.",
        ),
        Field::new(
            "ips",
            Shape::List(&Shape::Object(&FIXED_IP), MAX_PER_NIC),
            "The NIC's addresses. Nova's documents carry the first.",
        )
        .alike(&["addresses", "fixed_ips"]),
    ],
    exactly_one: &[],
    strangers: &[],
};

static ROUTE: Object = Object {
    name: "route",
    doc: "A route.",
    fields: &[
        Field::new("to", Shape::Text(Text::Range), "Destination range.")
            .required()
            .alike(&["destination", "cidr", "network"]),
        Field::new("via", ADDRESS, "Next hop.")
            .required()
            .alike(&["nexthop", "gateway"]),
    ],
    exactly_one: &[],
    strangers: &[],
};

static FIXED_IP: Object = Object {
    name: "fixed_ip",
    doc: "A fixed address.",
    fields: &[
        Field::new("address", ADDRESS, "The address.")
            .required()
            .alike(&["ip", "ip_address"]),
        Field::new(
            "floating",
            Shape::List(&ADDRESS, MAX_PER_NIC),
            "Floating addresses behind it.",
        )
        .alike(&["floating_ips"]),
    ],
    exactly_one: &[],
    strangers: &[],
};

static BARE_METAL: Object = Object {
    name: "bare_metal",
    doc: "Ironic's view of a machine's network.",
    fields: &[
        Field::new(
            "ports",
            Shape::List(&Shape::Object(&BARE_METAL_PORT), MANY),
            "Physical ports.",
        ),
        Field::new(
            "port_groups",
            Shape::List(&Shape::Object(&BARE_METAL_PORT_GROUP), MANY),
            "Port groups (bonds).",
        ),
    ],
    exactly_one: &[],
    strangers: &[],
};

static BARE_METAL_PORT: Object = Object {
    name: "bare_metal_port",
    doc: "A physical port.",
    fields: &[
        Field::new("id", SHORT, "Port ID.").required(),
        Field::new("mac", Shape::Text(Text::Mac), "MAC address.").required(),
        Field::new("port_group", SHORT, "ID of the group it belongs to."),
        Field::new("vif", SHORT, "ID of the NIC attached to it."),
    ],
    exactly_one: &[],
    strangers: &[],
};

static BARE_METAL_PORT_GROUP: Object = Object {
    name: "bare_metal_port_group",
    doc: "A group of physical ports: a bond.",
    fields: &[
        Field::new("id", SHORT, "Group ID.").required(),
        Field::new(
            "mac",
            Shape::Text(Text::Mac),
            "The group's own MAC address.",
        ),
        Field::new("mode", SHORT, "Bond mode, as `802.3ad`."),
        Field::new("vif", SHORT, "ID of the NIC attached to it."),
        Field::new(
            "properties",
            Shape::Mapping,
            "Further properties of the bond.",
        ),
    ],
    exactly_one: &[],
    strangers: &[],
};

static DEVICE: Object = Object {
    name: "device",
    doc: "A tagged device. Which keys count depends on its kind.",
    fields: &[
        Field::new(
            "kind",
            Shape::Text(Text::Choice(&["nic", "disk", "share", "other"])),
            "What it is.",
        )
        .required()
        .alike(&["type"]),
        Field::new("bus", SHORT, "`pci`, `usb`, `scsi`, `ide`, `xen`, ..."),
        Field::new("address", SHORT, "Address on the bus."),
        Field::new("tags", Shape::List(&SHORT, MANY), "Tags."),
        Field::new("mac", Shape::Text(Text::Mac), "Of a NIC: MAC address."),
        Field::new("vlan", Shape::Integer(0, 4095), "Of a NIC: VLAN."),
        Field::new(
            "trusted",
            Shape::Flag,
            "Of a NIC: whether the virtual function is trusted.",
        ),
        Field::new("serial", SHORT, "Of a disk: serial number."),
        Field::new("path", SHORT, "Of a disk: device path in the guest."),
        Field::new("share_id", SHORT, "Of a share: its ID."),
        Field::new("tag", SHORT, "Of a share: mount tag."),
    ],
    exactly_one: &[],
    strangers: &[],
};

static NUMA: Object = Object {
    name: "numa_cell",
    doc: "A guest NUMA cell.",
    fields: &[
        Field::new(
            "dedicated",
            Shape::List(&CPU, MANY),
            "Guest CPU numbers that are pinned.",
        ),
        Field::new(
            "shared",
            Shape::List(&CPU, MANY),
            "Guest CPU numbers that float.",
        ),
    ],
    exactly_one: &[],
    strangers: &[],
};

const CPU: Shape = Shape::Integer(0, u32::MAX as i64);

static GUEST: Object = Object {
    name: "guest",
    doc: "What concerns the guest's own system.",
    fields: &[
        Field::new(
            "users",
            Shape::List(&Shape::Object(&USER), MANY),
            "Accounts, made or changed in this order.",
        ),
        Field::new(
            "root_password",
            Shape::Either(&[ANY, Shape::Object(&PASSWORD)]),
            "Password of root: text, or a mapping.",
        )
        .secret(),
        Field::new("timezone", NAME, "Time zone, as `Europe/Berlin`.").alike(&["time_zone", "tz"]),
        Field::new("locale", NAME, "Locale, as `de_DE.UTF-8`.").alike(&["lang"]),
        Field::new(
            "ssh_host_keys",
            Shape::Either(&[
                Shape::Text(Text::Choice(&["generate"])),
                Shape::List(&Shape::Object(&HOST_KEY), MANY),
            ]),
            "SSH host keys, so that clients know the machine before its first boot; `generate`: injection makes one, Ed25519, and tells \
             its public half.",
        )
        .alike(&["host_keys", "ssh_keys"]),
        Field::new(
            "ca_certificates",
            Shape::List(&Shape::Either(&[ANY, Shape::Object(&FILE)]), MANY),
            "CA certificates to trust, in PEM: text or `{file: ...}`.",
        )
        .alike(&["ca_certs", "trusted"]),
        Field::new(
            "first_boot_commands",
            Shape::List(&ANY, MANY),
            "Shell commands, run once at the first boot, in order.",
        )
        .secret()
        .alike(&["runcmd", "commands", "bootcmd"]),
        Field::new(
            "files",
            Shape::List(&Shape::Object(&GUEST_FILE), MANY),
            "Files with owner and mode.",
        )
        .alike(&["write_files"]),
        Field::new(
            "operations",
            Shape::List(&Shape::Object(&OPERATION), MANY),
            "Plain operations on files, in order, as virt-customize has them.",
        ),
        Field::new(
            "machine_id",
            Shape::Text(Text::MachineId),
            "The machine ID, by injection only: `reset` (the guest makes one when it boots), `random` (each injection draws one), or \
             the ID itself.",
        )
        .alike(&["machine-id"]),
        Field::new(
            "seed_cloud_init",
            Shape::Text(Text::Choice(&["nocloud", "config-drive"])),
            "By injection: the documents that the cloud-init inside the image is to read, without what is injected itself. That is \
             how user data gets into an image; a drive takes no notice.",
        )
        .alike(&["seed", "cloud_init_seed"]),
    ],
    exactly_one: &[],
    strangers: &[
        ("hostname", "it belongs at the top: `hostname: ...`"),
        (
            "ssh_authorized_keys",
            "it belongs at the top, or below a user",
        ),
    ],
};

static USER: Object = Object {
    name: "user",
    doc: "An account in the guest.",
    fields: &[
        Field::new("name", Shape::Text(Text::Account), "Login name.")
            .required()
            .alike(&["username", "login"]),
        Field::new(
            "ssh_authorized_keys",
            PUBLIC_KEYS,
            "Public keys that may log in.",
        )
        .alike(&["ssh_keys", "keys", "ssh-authorized-keys", "authorized_keys"]),
        Field::new(
            "password",
            Shape::Either(&[ANY, Shape::Object(&PASSWORD)]),
            "Password: text, or a mapping.",
        )
        .secret()
        .alike(&["passwd", "plain_text_passwd", "hashed_passwd"]),
        Field::new(
            "groups",
            Shape::List(&Shape::Text(Text::Account), MANY),
            "Supplementary groups.",
        ),
        Field::new("shell", Shape::Text(Text::AbsolutePath), "Login shell."),
        Field::new("sudo", NAME, "Rule for sudo, as `ALL=(ALL) NOPASSWD:ALL`."),
        Field::new("gecos", NAME, "Full name.").alike(&["full_name", "comment"]),
        Field::new("home", Shape::Text(Text::AbsolutePath), "Home directory.").alike(&["homedir"]),
        Field::new("uid", CPU, "User ID."),
        Field::new("system", Shape::Flag, "A system account."),
    ],
    exactly_one: &[],
    strangers: &[("lock_passwd", "write `password: {locked: true}`")],
};

static HOST_KEY: Object = Object {
    name: "ssh_host_key",
    doc: "An SSH host key pair.",
    fields: &[
        Field::new(
            "algorithm",
            Shape::Text(Text::Choice(&["rsa", "ecdsa", "ed25519"])),
            "Its algorithm.",
        )
        .required()
        .alike(&["type"]),
        Field::new(
            "private",
            Shape::Either(&[ANY, Shape::Object(&FILE)]),
            "Private half, OpenSSH or PEM: text or `{file: ...}`.",
        )
        .required()
        .secret()
        .alike(&["private_key"]),
        Field::new("public", PUBLIC_KEY, "Public half: text or `{file: ...}`.")
            .alike(&["public_key"]),
    ],
    exactly_one: &[],
    strangers: &[],
};

static GUEST_FILE: Object = Object {
    name: "guest_file",
    doc: "A file in the guest: `path` and exactly one of `text`, `base64` and `source`.",
    fields: &[
        Field::new("path", Shape::Text(Text::AbsolutePath), "Absolute path.")
            .required()
            .alike(&["target", "destination"]),
        Field::new("text", ANY, "The text itself.")
            .secret()
            .alike(&["content", "contents"]),
        Field::new("base64", Shape::Text(Text::Base64), "Bytes in base64.")
            .secret()
            .alike(&["b64"]),
        Field::new(
            "source",
            Shape::Text(Text::LocalPath),
            "A file to read, relative to the description.",
        )
        .alike(&["file", "from", "src"]),
        Field::new(
            "owner",
            NAME,
            "Owner, or owner and group, by name: `root:root`.",
        ),
        Field::new(
            "mode",
            Shape::Text(Text::Mode),
            "Permission bits in octal, in quotes: `\"0644\"`.",
        )
        .alike(&["permissions", "perms"]),
    ],
    exactly_one: &["text", "base64", "source"],
    strangers: &[],
};

/// Every object of the format, each after the first one that uses it.
pub(crate) fn objects() -> Vec<&'static Object> {
    fn visit(shape: &'static Shape, found: &mut Vec<&'static Object>) {
        match shape {
            Shape::Object(object) => add(object, found),
            Shape::List(item, _) => visit(item, found),
            Shape::Either(shapes) => shapes.iter().for_each(|shape| visit(shape, found)),
            _ => {}
        }
    }
    fn add(object: &'static Object, found: &mut Vec<&'static Object>) {
        if found.iter().any(|known| known.name == object.name) {
            return;
        }
        found.push(object);
        for field in object.fields {
            visit(&field.shape, found);
        }
    }
    let mut found = Vec::new();
    add(&INSTANCE, &mut found);
    found
}
