//! The table of options: what Nova calls them, what they hold, what they do here.

use std::fmt;

/// Nova's name for the group of options outside any group.
pub const DEFAULT_GROUP: &str = "DEFAULT";

/// The path that Nova gives `injected_network_template` when nobody sets it
/// (`nova/conf/compute.py`). Written out in a file it means the shipped template too.
pub const SHIPPED_TEMPLATE: &str = "$pybasedir/nova/virt/interfaces.template";

/// The largest integer an option takes. oslo.config has no such limit; seconds and counts
/// beyond it mean nothing.
pub const MAX_INTEGER: i64 = u32::MAX as i64;

/// One option of Nova 34.0.0.
#[derive(Debug)]
pub struct OptionDefinition {
    /// Its group, [`DEFAULT_GROUP`] for none.
    pub group: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Older places of it, group and name, that nova.conf may still use.
    pub deprecated: &'static [(&'static str, &'static str)],
    /// What it holds.
    pub kind: Kind,
    /// Its value when nobody sets it.
    pub default: Default,
    /// What it does here.
    pub effect: Effect,
    /// Whether its value may hold a secret and is never shown.
    pub sensitive: bool,
    /// What it is for, in one line.
    pub about: &'static str,
}

/// What an option holds, by oslo.config's types (`oslo_config/types.py`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `StrOpt`.
    Text,
    /// `StrOpt` with choices.
    Choice(&'static [&'static str]),
    /// `BoolOpt`.
    Flag,
    /// `IntOpt` of at least the given value and at most [`MAX_INTEGER`].
    Integer(i64),
    /// `ListOpt`.
    List,
    /// `ListOpt` whose items are from a set.
    ChoiceList(&'static [&'static str]),
}

/// An option's value when nobody sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Python's `None`.
    Nothing,
    /// Text, possibly with references to other options.
    Text(&'static str),
    /// A flag.
    Flag(bool),
    /// An integer.
    Integer(i64),
    /// A list.
    List(&'static [&'static str]),
    /// A fact of the host that Nova runs on, which nobody knows here.
    OfTheHost,
}

/// What an option does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It fills a field of [`crate::Settings`].
    Used,
    /// It only serves references (`$state_path`) in other options.
    Reference,
    /// Nothing, for the reason given; setting it is reported.
    None(&'static str),
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// Text; `None` when there is none.
    Text(Option<String>),
    /// A flag.
    Flag(bool),
    /// An integer; `None` for an empty value, as oslo.config has it.
    Integer(Option<i64>),
    /// A list.
    List(Vec<String>),
}

impl fmt::Display for OptionValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text.as_deref().unwrap_or("")),
            Self::Flag(flag) => write!(formatter, "{flag}"),
            Self::Integer(Some(number)) => write!(formatter, "{number}"),
            Self::Integer(None) => Ok(()),
            Self::List(items) => formatter.write_str(&items.join(",")),
        }
    }
}

impl OptionDefinition {
    /// Returns the option as users write it: `dhcp_domain` of group `api` is
    /// `[api] dhcp_domain`.
    pub fn title(&self) -> String {
        title(self.group, self.name)
    }
}

/// Writes a group and a name as users know them: `[api] dhcp_domain`.
pub(crate) fn title(group: &str, name: &str) -> String {
    format!("[{group}] {name}")
}

/// Finds an option by group and name, deprecated ones not included.
pub fn find(group: &str, name: &str) -> Option<&'static OptionDefinition> {
    OPTIONS
        .iter()
        .find(|option| option.group == group && option.name == name)
}

/// Finds an option by a deprecated group and name, and returns that group too.
pub fn find_deprecated(
    group: &str,
    name: &str,
) -> Option<(&'static OptionDefinition, &'static str)> {
    OPTIONS.iter().find_map(|option| {
        let deprecated = option.deprecated.iter();
        let (group, _) = deprecated.copied().find(|&place| place == (group, name))?;
        Some((option, group))
    })
}

/// Groups whose every option has no effect here, and why.
pub const GROUPS_WITHOUT_EFFECT: &[(&str, &str)] = &[(
    "vendordata_dynamic_auth",
    "requests for dynamic vendor data carry no Keystone token",
)];

const DRIVE_FORMATS: &[&str] = &["iso9660", "vfat"];
const PROVIDERS: &[&str] = &["StaticJSON", "DynamicJSON"];
const VIRT_TYPES: &[&str] = &["kvm", "lxc", "qemu", "parallels"];

const SERVICE_ONLY: Effect = Effect::None("it concerns Nova's metadata service");

/// An option as most are: no older names, nothing secret.
const fn option(
    group: &'static str,
    name: &'static str,
    kind: Kind,
    default: Default,
    effect: Effect,
    about: &'static str,
) -> OptionDefinition {
    OptionDefinition {
        group,
        name,
        deprecated: &[],
        kind,
        default,
        effect,
        sensitive: false,
        about,
    }
}

impl OptionDefinition {
    const fn formerly(mut self, deprecated: &'static [(&'static str, &'static str)]) -> Self {
        self.deprecated = deprecated;
        self
    }

    const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }
}

/// Every option that is known here, by group and name.
///
/// Nova 34.0.0: `nova/conf/{api,compute,configdrive,guestfs,libvirt,netconf,neutron,paths,
/// quota}.py`. `crates/instance/tests/settings_nova.rs` compares the table with Nova itself.
pub const OPTIONS: &[OptionDefinition] = &[
    option(
        DEFAULT_GROUP,
        "config_drive_format",
        Kind::Choice(DRIVE_FORMATS),
        Default::Text("iso9660"),
        Effect::Used,
        "format of the config drive",
    ),
    option(
        DEFAULT_GROUP,
        "flat_injected",
        Kind::Flag,
        Default::Flag(false),
        Effect::Used,
        "networks that do not say otherwise are marked for injection",
    ),
    option(
        DEFAULT_GROUP,
        "force_config_drive",
        Kind::Flag,
        Default::Flag(false),
        Effect::Used,
        "every instance gets a config drive",
    ),
    option(
        DEFAULT_GROUP,
        "host",
        Kind::Text,
        Default::OfTheHost,
        Effect::Reference,
        "name of the compute host",
    ),
    option(
        DEFAULT_GROUP,
        "injected_network_template",
        Kind::Text,
        Default::Text(SHIPPED_TEMPLATE),
        Effect::Used,
        "file with the Jinja2 template of the guest's network configuration; empty for none",
    ),
    option(
        DEFAULT_GROUP,
        "instances_path",
        Kind::Text,
        Default::Text("$state_path/instances"),
        Effect::Reference,
        "where Nova keeps instances",
    ),
    option(
        DEFAULT_GROUP,
        "mkisofs_cmd",
        Kind::Text,
        Default::Text("genisoimage"),
        Effect::None("drives are written without another program"),
        "program that Nova calls to write ISO 9660",
    ),
    option(
        DEFAULT_GROUP,
        "my_block_storage_ip",
        Kind::Text,
        Default::Text("$my_ip"),
        Effect::Reference,
        "address of the compute host in the block storage network",
    ),
    option(
        DEFAULT_GROUP,
        "my_ip",
        Kind::Text,
        Default::OfTheHost,
        Effect::Reference,
        "address of the compute host",
    ),
    option(
        DEFAULT_GROUP,
        "pybasedir",
        Kind::Text,
        Default::OfTheHost,
        Effect::Reference,
        "where Nova's Python modules are",
    ),
    option(
        DEFAULT_GROUP,
        "state_path",
        Kind::Text,
        Default::Text("$pybasedir"),
        Effect::Reference,
        "where Nova keeps its state",
    ),
    option(
        DEFAULT_GROUP,
        "tempdir",
        Kind::Text,
        Default::Nothing,
        Effect::Reference,
        "where Nova puts temporary files",
    ),
    option(
        "api",
        "config_drive_skip_versions",
        Kind::Text,
        Default::Text(
            "1.0 2007-01-19 2007-03-01 2007-08-29 2007-10-10 2007-12-15 2008-02-01 2008-09-01",
        ),
        Effect::Used,
        "EC2 versions left out of config drives, each separated by one space",
    ),
    option(
        "api",
        "dhcp_domain",
        Kind::Text,
        Default::Text("novalocal"),
        Effect::Used,
        "domain appended to short host names; empty for none",
    ),
    option(
        "api",
        "local_metadata_per_cell",
        Kind::Flag,
        Default::Flag(false),
        SERVICE_ONLY,
        "one metadata service for each cell",
    ),
    option(
        "api",
        "metadata_cache_expiration",
        Kind::Integer(0),
        Default::Integer(15),
        SERVICE_ONLY,
        "seconds for which metadata is cached",
    ),
    option(
        "api",
        "vendordata_dynamic_connect_timeout",
        Kind::Integer(3),
        Default::Integer(5),
        Effect::Used,
        "seconds to connect to a vendor data service; empty for no limit of its own",
    ),
    option(
        "api",
        "vendordata_dynamic_failure_fatal",
        Kind::Flag,
        Default::Flag(false),
        Effect::Used,
        "a failed vendor data service fails the drive",
    ),
    option(
        "api",
        "vendordata_dynamic_read_timeout",
        Kind::Integer(0),
        Default::Integer(5),
        Effect::Used,
        "seconds for which a vendor data service may be silent; empty for no limit of its own",
    ),
    option(
        "api",
        "vendordata_dynamic_ssl_certfile",
        Kind::Text,
        Default::Text(""),
        Effect::Used,
        "file of CA certificates for vendor data services; empty for the system's",
    ),
    // An operator may have put a token into a target's URL.
    option(
        "api",
        "vendordata_dynamic_targets",
        Kind::List,
        Default::List(&[]),
        Effect::Used,
        "vendor data services, each `NAME@URL`",
    )
    .sensitive(),
    option(
        "api",
        "vendordata_jsonfile_path",
        Kind::Text,
        Default::Nothing,
        Effect::Used,
        "file with the static vendor data; empty for none",
    ),
    option(
        "api",
        "vendordata_providers",
        Kind::ChoiceList(PROVIDERS),
        Default::List(&["StaticJSON"]),
        Effect::Used,
        "providers of vendor data, in order",
    ),
    option(
        "guestfs",
        "debug",
        Kind::Flag,
        Default::Flag(false),
        Effect::None("it concerns what Nova logs"),
        "libguestfs logs more",
    ),
    option(
        "libvirt",
        "inject_key",
        Kind::Flag,
        Default::Flag(false),
        Effect::Used,
        "the public key is injected into the image",
    ),
    option(
        "libvirt",
        "inject_partition",
        Kind::Integer(-2),
        Default::Integer(-2),
        Effect::Used,
        "partition to inject into: -2 for none at all, -1 for the one with the system, 0 for a disk without partitions",
    ),
    option(
        "libvirt",
        "inject_password",
        Kind::Flag,
        Default::Flag(false),
        Effect::Used,
        "the administrator password is injected into the image",
    ),
    option(
        "libvirt",
        "virt_type",
        Kind::Choice(VIRT_TYPES),
        Default::Text("kvm"),
        Effect::Used,
        "hypervisor, as the network template and injection see it",
    ),
    option(
        "neutron",
        "metadata_proxy_shared_secret",
        Kind::Text,
        Default::Text(""),
        SERVICE_ONLY,
        "secret shared with Neutron's metadata proxy",
    )
    .sensitive(),
    option(
        "neutron",
        "service_metadata_proxy",
        Kind::Flag,
        Default::Flag(false),
        SERVICE_ONLY,
        "metadata requests come through Neutron's proxy",
    ),
    option(
        "quota",
        "injected_file_content_bytes",
        Kind::Integer(-1),
        Default::Integer(10_240),
        Effect::Used,
        "bytes in one of an instance's files; -1 for any number",
    )
    .formerly(&[(DEFAULT_GROUP, "quota_injected_file_content_bytes")]),
    option(
        "quota",
        "injected_file_path_length",
        Kind::Integer(-1),
        Default::Integer(255),
        Effect::Used,
        "bytes in the path of one of an instance's files; -1 for any number",
    )
    .formerly(&[(DEFAULT_GROUP, "quota_injected_file_path_length")]),
    option(
        "quota",
        "injected_files",
        Kind::Integer(-1),
        Default::Integer(5),
        Effect::Used,
        "files of an instance; -1 for any number",
    )
    .formerly(&[(DEFAULT_GROUP, "quota_injected_files")]),
];
