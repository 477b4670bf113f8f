//! cloud-init inside a guest: whether it runs, what it looks for, what it would do.
//!
//! Facts from cloud-init 22.4 to 25.2: `cloudinit/util.py` (`read_conf_with_confd`, `read_conf_d`), `cloudinit/mergers`,
//! `cloudinit/settings.py`, `tools/ds-identify`, `systemd/`.

use std::fmt;

use christen_instance::tree::{self, Kind, Node, Syntax};
use christen_vfs::GuestPath;

use super::files::Files;
use super::packages::Packages;
use super::services::{ServiceState, Services};
use super::text::{lines, shown_short};

/// The datasources that cloud-init looks for when no configuration says otherwise, those that every version has
/// (`settings.py`, `CFG_BUILTIN`).
const BUILT_IN_DATASOURCES: [&str; 3] = ["NoCloud", "ConfigDrive", "None"];

/// Names of the unit that gets the documents; the newest versions have another.
const UNITS: [&str; 4] = [
    "cloud-init.service",
    "cloud-init-main.service",
    "cloud-init-network.service",
    "cloud-init-local.service",
];

/// Where the kernel's command line is set; each is a file, or a directory of them.
const COMMAND_LINES: [&str; 6] = [
    "/etc/kernel/cmdline",
    "/boot/grub/grub.cfg",
    "/boot/grub2/grub.cfg",
    "/boot/extlinux.conf",
    "/boot/extlinux/extlinux.conf",
    "/boot/loader/entries",
];

/// cloud-init inside a guest.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudInit {
    /// Its version, as the database of packages or its own files say.
    pub version: Option<String>,
    /// Whether it runs.
    pub state: CloudInitState,
    /// What it looks for.
    pub datasources: Datasources,
    /// The policy of `ds-identify`, as `/etc/cloud/ds-identify.cfg` has it.
    pub policy: Option<String>,
    /// The account that gets the keys: `system_info.default_user.name`, if `users` has `default`.
    pub default_user: Option<String>,
    /// Whether it forbids root to log in by key (`disable_root`; it is the default).
    pub disables_root: bool,
    /// Whether it lets passwords log in over SSH; `None` leaves that to sshd's configuration.
    pub ssh_password: Option<bool>,
    /// Whether it replaces SSH host keys that are in the image (`ssh_deletekeys`; it is the default).
    pub deletes_host_keys: bool,
    /// Whether it leaves the host name alone (`preserve_hostname`).
    pub keeps_hostname: bool,
    /// Whether it leaves the network alone (`network: {config: disabled}`).
    pub leaves_network: bool,
    /// The renderers that it tries, in order; `None` for the built-in order.
    pub renderers: Option<Vec<String>>,
    /// Whether it has run in this image: `/var/lib/cloud/instance` or `/var/lib/cloud/instances/` is there.
    pub has_run: bool,
    /// Documents inside the image (`/var/lib/cloud/seed/`): their directories.
    pub seeds: Vec<String>,
}

/// Whether cloud-init runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudInitState {
    /// It runs, if `ds-identify` finds a datasource.
    Enabled,
    /// Its marker file `/etc/cloud/cloud-init.disabled` is there.
    DisabledByFile,
    /// The kernel's command line disables it, in this file.
    DisabledByCommandLine(GuestPath),
    /// The policy of `ds-identify` is `disabled`.
    DisabledByPolicy,
    /// Its services are not started.
    NotStarted(ServiceState),
}

impl fmt::Display for CloudInitState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enabled => formatter.write_str("enabled"),
            Self::DisabledByFile => {
                formatter.write_str("disabled by `/etc/cloud/cloud-init.disabled`")
            }
            Self::DisabledByCommandLine(path) => {
                write!(formatter, "disabled by `cloud-init=disabled` in `{path}`")
            }
            Self::DisabledByPolicy => {
                formatter.write_str("disabled by the policy in `/etc/cloud/ds-identify.cfg`")
            }
            Self::NotStarted(state) => {
                write!(formatter, "not started: its services are {}", state.name())
            }
        }
    }
}

/// The datasources that cloud-init looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datasources {
    /// Their names, in order; of the built-in list only those that concern christen.
    pub names: Vec<String>,
    /// Which file says so; `None` for the built-in list.
    pub source: Option<GuestPath>,
}

impl Datasources {
    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|it| it == name)
    }
}

impl CloudInit {
    pub(super) fn read(
        files: &mut Files<'_>,
        services: &Services,
        packages: Option<&Packages>,
    ) -> Option<Self> {
        let version = packages
            .and_then(|it| it.version("cloud-init"))
            .map(str::to_owned)
            .or_else(|| python_version(files));
        let is_there = version.is_some()
            || files.has_any(&[
                "/usr/bin/cloud-init",
                "/usr/local/bin/cloud-init",
                "/bin/cloud-init",
            ]);
        if !is_there {
            return None;
        }
        let config = Config::read(files);
        let policy = DsIdentify::read(files);
        let datasources = policy
            .datasource
            .map(|name| Datasources {
                names: vec![name],
                source: GuestPath::new(DsIdentify::PATH).ok(),
            })
            .unwrap_or_else(|| config.datasources());
        let default_user = config
            .has_default_user()
            .then(|| config.text(&["system_info", "default_user", "name"]))
            .flatten();
        Some(Self {
            version,
            state: state(files, services, policy.policy.as_deref()),
            datasources,
            policy: policy.policy,
            default_user,
            disables_root: config.truth(&["disable_root"]).unwrap_or(true),
            ssh_password: config.truth(&["ssh_pwauth"]),
            deletes_host_keys: config.truth(&["ssh_deletekeys"]).unwrap_or(true),
            keeps_hostname: config.truth(&["preserve_hostname"]).unwrap_or(false),
            leaves_network: config.text(&["network", "config"]).as_deref() == Some("disabled"),
            renderers: config.list(&["system_info", "network", "renderers"]),
            has_run: files.has_name("/var/lib/cloud/instance")
                || !files.names("/var/lib/cloud/instances").is_empty(),
            seeds: files
                .names("/var/lib/cloud/seed")
                .into_iter()
                .filter(|name| {
                    !files
                        .names(&format!("/var/lib/cloud/seed/{name}"))
                        .is_empty()
                })
                .map(|name| format!("/var/lib/cloud/seed/{}", shown_short(name.as_bytes())))
                .collect(),
        })
    }
}

fn state(files: &mut Files<'_>, services: &Services, policy: Option<&str>) -> CloudInitState {
    // `ds-identify` and the units look whether it exists, and not what it is or holds.
    if files.has("/etc/cloud/cloud-init.disabled") {
        return CloudInitState::DisabledByFile;
    }
    if policy.is_some_and(|it| it.split(',').next() == Some("disabled")) {
        return CloudInitState::DisabledByPolicy;
    }
    if let Some(path) = disabling_command_line(files) {
        return CloudInitState::DisabledByCommandLine(path);
    }
    match services.state(&UNITS) {
        ServiceState::Enabled => CloudInitState::Enabled,
        other => CloudInitState::NotStarted(other),
    }
}

/// Finds `cloud-init=disabled` where the kernel's command line is set.
fn disabling_command_line(files: &mut Files<'_>) -> Option<GuestPath> {
    for place in COMMAND_LINES {
        let paths = if files.is_directory(place) {
            let names = files.names(place);
            names.iter().map(|name| format!("{place}/{name}")).collect()
        } else {
            vec![place.to_owned()]
        };
        for path in paths {
            let Some(content) = files.read(&path) else {
                continue;
            };
            let is_disabled = lines(&content)
                .filter(|line| !line.trim_ascii_start().starts_with(b"#"))
                .flat_map(|line| line.split(|byte| byte.is_ascii_whitespace() || *byte == b'"'))
                .any(|word| word == b"cloud-init=disabled");
            if is_disabled {
                return GuestPath::new(path).ok();
            }
        }
    }
    None
}

/// The version as Python's packages name it: `cloud_init-24.2.dist-info`, `cloud_init-23.3-py3.6.egg-info`; else as
/// `cloudinit/version.py` has it.
fn python_version(files: &mut Files<'_>) -> Option<String> {
    let mut modules = Vec::new();
    for library in ["/usr/lib", "/usr/local/lib"] {
        let names = files.names(library);
        for name in names.iter().filter(|name| name.starts_with("python3")) {
            for packages in ["site-packages", "dist-packages"] {
                modules.push(format!("{library}/{name}/{packages}"));
            }
        }
    }
    for directory in &modules {
        let found = files.names(directory).iter().find_map(|name| {
            let rest = name.strip_prefix("cloud_init-")?;
            let rest = rest
                .strip_suffix(".dist-info")
                .or_else(|| rest.strip_suffix(".egg-info"))?;
            Some(rest.split("-py3").next().unwrap_or(rest).to_owned())
        });
        if let Some(version) = found {
            return Some(shown_short(version.as_bytes()));
        }
    }
    modules.iter().find_map(|directory| {
        let text = files.read(&format!("{directory}/cloudinit/version.py"))?;
        parse_version_py(&text)
    })
}

/// Finds the version in cloud-init's `version.py`: `__VERSION__ = "24.2"`.
pub fn parse_version_py(bytes: &[u8]) -> Option<String> {
    lines(bytes).find_map(|line| {
        let rest = line.strip_prefix(b"__VERSION__")?.trim_ascii();
        let value = rest.strip_prefix(b"=")?.trim_ascii();
        let inner = value.strip_prefix(b"\"")?;
        let end = inner.iter().position(|byte| *byte == b'"')?;
        (end > 0).then(|| shown_short(&inner[..end]))
    })
}

/// `/etc/cloud/ds-identify.cfg`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DsIdentify {
    /// The datasource that is taken without a search.
    pub datasource: Option<String>,
    /// The policy.
    pub policy: Option<String>,
}

impl DsIdentify {
    const PATH: &str = "/etc/cloud/ds-identify.cfg";

    fn read(files: &mut Files<'_>) -> Self {
        files
            .read(Self::PATH)
            .map(|bytes| Self::parse(&bytes))
            .unwrap_or_default()
    }

    /// Parses the file as `ds-identify` does (`_read_config`): `key: value`, `#` begins a comment, values may be quoted, the last counts.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for line in lines(bytes) {
            let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                continue;
            };
            let mut value = line[colon + 1..].trim_ascii();
            for quote in [b'"', b'\''] {
                if let [first, inner @ .., last] = value
                    && *first == quote
                    && *last == quote
                {
                    value = inner;
                }
            }
            let value = Some(shown_short(value)).filter(|it| !it.is_empty());
            match line[..colon].trim_ascii() {
                b"datasource" => found.datasource = value,
                b"policy" => found.policy = value,
                _ => {}
            }
        }
        found
    }
}

/// cloud-init's configuration: `cloud.cfg` and what `cloud.cfg.d` adds, the mightiest first.
struct Config {
    documents: Vec<(GuestPath, Node)>,
}

impl Config {
    fn read(files: &mut Files<'_>) -> Self {
        // Later names win, `cloud.cfg` itself is the weakest.
        let mut paths: Vec<String> = files
            .names("/etc/cloud/cloud.cfg.d")
            .into_iter()
            .filter(|name| name.ends_with(".cfg"))
            .rev()
            .map(|name| format!("/etc/cloud/cloud.cfg.d/{name}"))
            .filter(|path| files.is_file(path))
            .collect();
        paths.push("/etc/cloud/cloud.cfg".to_owned());
        let mut documents = Vec::new();
        for path in paths {
            let Some(bytes) = files.read(&path) else {
                continue;
            };
            let Ok(place) = GuestPath::new(&path) else {
                continue;
            };
            match parse_config(&bytes) {
                Ok(node) => documents.push((place, node)),
                Err(reason) => files.note(&place, reason),
            }
        }
        Self { documents }
    }

    /// Finds what the merged configuration has at a path. Mappings are merged; of anything else the mightiest counts, `null` too.
    fn find(&self, keys: &[&str]) -> Option<(&GuestPath, &Node)> {
        for (path, document) in &self.documents {
            let mut node = document;
            let mut is_missing = false;
            for key in keys {
                if !matches!(node.kind, Kind::Mapping(_)) {
                    break;
                }
                match member(node, key) {
                    Some(value) => node = value,
                    None => {
                        is_missing = true;
                        break;
                    }
                }
            }
            if is_missing {
                continue;
            }
            return Some((path, node));
        }
        None
    }

    /// As [`find`](Self::find), only if it is no `null` and there all the way.
    fn value(&self, keys: &[&str]) -> Option<(&GuestPath, &Node)> {
        let (path, node) = self.find(keys)?;
        // Where something above is no mapping, this is that.
        let (_, above) = self.find(&keys[..keys.len().saturating_sub(1)])?;
        (matches!(above.kind, Kind::Mapping(_)) && !node.is_null()).then_some((path, node))
    }

    fn text(&self, keys: &[&str]) -> Option<String> {
        let (_, node) = self.value(keys)?;
        node.as_text().map(|text| shown_short(text.as_bytes()))
    }

    fn truth(&self, keys: &[&str]) -> Option<bool> {
        let (_, node) = self.value(keys)?;
        // `util.is_true` and `util.is_false` take these; PyYAML reads `yes` and `on` as true by itself.
        match &node.kind {
            Kind::Bool(truth) => Some(*truth),
            Kind::Number(number) => Some(number == "1"),
            Kind::Text { text, .. } => match &text.trim().to_ascii_lowercase()[..] {
                "1" | "true" | "on" | "yes" => Some(true),
                "0" | "false" | "off" | "no" => Some(false),
                // `ssh_pwauth: unchanged`.
                _ => None,
            },
            _ => None,
        }
    }

    fn list(&self, keys: &[&str]) -> Option<Vec<String>> {
        let (_, node) = self.value(keys)?;
        match &node.kind {
            Kind::List(items) => Some(texts(items)),
            _ => None,
        }
    }

    fn datasources(&self) -> Datasources {
        if let Some((path, node)) = self.value(&["datasource_list"])
            && let Kind::List(items) = &node.kind
            && !items.is_empty()
        {
            return Datasources {
                names: texts(items),
                source: Some(path.clone()),
            };
        }
        Datasources {
            names: BUILT_IN_DATASOURCES.map(str::to_owned).to_vec(),
            source: None,
        }
    }

    /// Whether `users` has `default` (`cloudinit/distros/ug_util.py`, `normalize_users_groups`); without `users` there is no account.
    fn has_default_user(&self) -> bool {
        let Some((_, node)) = self.value(&["users"]) else {
            return false;
        };
        let is_default = |node: &Node| {
            node.as_text() == Some("default")
                || member(node, "name").and_then(Node::as_text) == Some("default")
        };
        match &node.kind {
            Kind::List(items) => items.iter().any(is_default),
            Kind::Mapping(members) => members.iter().any(|it| it.key == "default"),
            Kind::Text { text, .. } => text.split(',').any(|it| it.trim() == "default"),
            _ => false,
        }
    }
}

/// The last member of this key: PyYAML lets it win.
fn member<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    node.members()
        .iter()
        .rev()
        .find_map(|member| (member.key == key).then_some(&member.value))
}

fn texts(items: &[Node]) -> Vec<String> {
    const MOST: usize = 100;
    items
        .iter()
        .take(MOST)
        .filter_map(Node::as_text)
        .map(|text| shown_short(text.as_bytes()))
        .collect()
}

/// Parses a file of cloud-init's configuration: a mapping, or nothing at all.
///
/// # Errors
///
/// What is wrong with it, in one line. cloud-init leaves such a file out, with a line in its log.
pub fn parse_config(bytes: &[u8]) -> Result<Node, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let node = tree::parse(text, Syntax::Yaml).map_err(|problems| {
        let first = problems.first().map(|it| it.message.clone());
        first.unwrap_or_else(|| "it is no YAML".to_owned())
    })?;
    match node.kind {
        Kind::Mapping(_) => Ok(node),
        Kind::Null => Ok(Node {
            kind: Kind::Mapping(Vec::new()),
            ..node
        }),
        _ => Err(format!("it holds {} and no mapping", node.kind_name())),
    }
}
