//! From the sources of settings to [`Settings`].

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::num::NonZeroU32;

use super::error::{Error, Finding, Place, Problem, Warning};
use super::interpolate::Resolver;
use super::name::Named;
use super::nova_conf::{self, NovaConf};
use super::option::{
    DEFAULT_GROUP, Effect, GROUPS_WITHOUT_EFFECT, OPTIONS, OptionDefinition, OptionValue,
    SHIPPED_TEMPLATE, title,
};
use super::{DriveFormat, InjectPartition, NetworkTemplate, Settings, set, toml};
use crate::inputs::FileSource;

/// The most bytes that the file of an option may have. Vendor data goes to every guest whole
/// and several times over.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Options whose value is a path, to be found relative to the `christen.toml` that sets them.
const PATHS: [(&str, &str); 3] = [
    (DEFAULT_GROUP, "injected_network_template"),
    ("api", "vendordata_jsonfile_path"),
    ("api", "vendordata_dynamic_ssl_certfile"),
];

/// Collects settings from their sources.
///
/// The stronger source wins, in whatever order they are given here: an option's default,
/// then each nova.conf in the order given, then `christen.toml`, then `--set`. So one starts
/// from the nova.conf that a cloud already has, says in a `christen.toml` what shall differ,
/// and tries things out with `--set`. Of two settings of one option by `--set`, or in two
/// files of one kind, the later wins.
///
/// Within the nova.conf files the rules are those of oslo.config: a later file wins over an
/// earlier one even where it uses an option's deprecated name.
///
/// ```
/// use christen_instance::settings::Loader;
/// # use std::io;
/// # struct NoFiles;
/// # impl christen_instance::inputs::FileSource for NoFiles {
/// #     fn read(&self, _: &str, _: u64) -> io::Result<Vec<u8>> {
/// #         Err(io::ErrorKind::NotFound.into())
/// #     }
/// # }
///
/// let loaded = Loader::new()
///     .nova_conf("[api]\ndhcp_domain = $host\n[DEFAULT]\nhost = node-1", "nova.conf")?
///     .toml("[libvirt]\nvirt_type = 'qemu'", "christen.toml")?
///     .set("flat_injected=yes")?
///     .finish(&NoFiles)?;
/// assert_eq!(loaded.settings.dhcp_domain, "node-1");
/// assert_eq!(loaded.settings.virt_type, "qemu");
/// assert!(loaded.settings.flat_injected);
/// # Ok::<(), christen_instance::settings::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Loader {
    sources: Sources,
}

/// Settings as loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What the operator should know, in the order of the table of options.
    pub warnings: Vec<Warning>,
    /// Every option that has an effect, with its value and where that comes from.
    pub effective: Vec<Effective>,
}

/// An option's value and where it comes from.
#[derive(Clone)]
pub struct Effective {
    /// The option.
    pub option: &'static OptionDefinition,
    /// Its value. Not for display when the option is sensitive.
    pub value: OptionValue,
    /// Where it was set; origin `default` when nowhere.
    pub place: Place,
}

impl fmt::Debug for Effective {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} = ", self.option.title())?;
        if self.option.sensitive {
            return formatter.write_str("[redacted]");
        }
        write!(formatter, "{:?}", self.value)
    }
}

/// What a source says of an option.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) named: Named,
    /// The value; none for an option that has no effect and no known type.
    pub(super) value: Option<OptionValue>,
    pub(super) place: Place,
}

/// Everything that the sources say.
#[derive(Default)]
pub(super) struct Sources {
    /// Weakest first.
    nova_confs: Vec<NovaConf>,
    /// `christen.toml` and then `--set`, by group and name.
    toml: BTreeMap<(&'static str, &'static str), Typed>,
    sets: BTreeMap<(&'static str, &'static str), Typed>,
    /// First setting in each group that has no effect as a whole.
    without_effect: BTreeMap<&'static str, (&'static str, Place)>,
}

struct Typed {
    value: OptionValue,
    place: Place,
}

impl fmt::Debug for Sources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Sources({} nova.conf, {} by christen.toml, {} by --set)",
            self.nova_confs.len(),
            self.toml.len(),
            self.sets.len()
        )
    }
}

/// Where the sources set an option.
pub(super) enum Found<'s> {
    /// By a value of its type.
    Typed(&'s OptionValue, Place),
    /// By text in a nova.conf, under the group and name given.
    Text(&'s str, Place, (&'static str, &'static str)),
    /// Not at all.
    Nowhere,
}

impl Found<'_> {
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Typed(_, place) | Self::Text(_, place, _) => place.clone(),
            Self::Nowhere => Place::of("default"),
        }
    }
}

impl Sources {
    /// Finds the strongest setting of an option.
    pub(super) fn find(&self, option: &'static OptionDefinition) -> Found<'_> {
        self.find_in(option, option.group)
    }

    /// The same with another group in place of the option's own, in nova.conf: where
    /// oslo.config looks when a reference uses a deprecated name (`cfg.py`, `_do_get`, which
    /// replaces the name and keeps the group).
    pub(super) fn find_in(
        &self,
        option: &'static OptionDefinition,
        group: &'static str,
    ) -> Found<'_> {
        let name = (option.group, option.name);
        if let Some(typed) = self.sets.get(&name).or_else(|| self.toml.get(&name)) {
            return Found::Typed(&typed.value, typed.place.clone());
        }
        let name = (group, option.name);
        for conf in self.nova_confs.iter().rev() {
            for name in std::iter::once(&name).chain(option.deprecated) {
                if let Some(assignment) = conf.get(name.0, name.1) {
                    let place = Place::line(&conf.origin, assignment.line);
                    return Found::Text(&assignment.value, place, *name);
                }
            }
        }
        Found::Nowhere
    }

    /// Returns the text of an option that is not in the table.
    pub(super) fn foreign(&self, group: &str, name: &str) -> Option<&str> {
        self.nova_confs
            .iter()
            .rev()
            .find_map(|conf| conf.get(group, name))
            .map(|assignment| assignment.value.as_str())
    }

    fn assign(
        values: &mut BTreeMap<(&'static str, &'static str), Typed>,
        without_effect: &mut BTreeMap<&'static str, (&'static str, Place)>,
        assigned: Assigned,
    ) {
        match (assigned.named, assigned.value) {
            (Named::Option(option), Some(value)) => {
                let place = assigned.place;
                values.insert((option.group, option.name), Typed { value, place });
            }
            (Named::WithoutEffect(group, reason), _) => {
                without_effect
                    .entry(group)
                    .or_insert((reason, assigned.place));
            }
            (Named::Option(_), None) => {}
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for option in OPTIONS {
            let found = self.find(option);
            if let (Effect::None(reason), Found::Typed(..) | Found::Text(..)) =
                (option.effect, &found)
            {
                warnings.push(Warning::NoEffect {
                    option: option.title(),
                    place: found.place(),
                    reason,
                });
            }
            if let Found::Text(_, place, (group, name)) = found
                && (group, name) != (option.group, option.name)
            {
                warnings.push(Warning::Deprecated {
                    used: title(group, name),
                    instead: option.title(),
                    place,
                });
            }
        }
        for &(group, reason) in GROUPS_WITHOUT_EFFECT {
            let place = self
                .without_effect
                .get(group)
                .map(|(_, place)| place.clone());
            let place = place.or_else(|| {
                self.nova_confs.iter().find_map(|conf| {
                    let line = conf.first_line(group)?;
                    Some(Place::line(&conf.origin, line))
                })
            });
            if let Some(place) = place {
                warnings.push(Warning::NoEffect {
                    option: format!("[{group}]"),
                    place,
                    reason,
                });
            }
        }
        warnings
    }
}

impl Loader {
    /// Starts with every option at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the text of a nova.conf, read by oslo.config's rules (see [`nova_conf`]);
    /// `origin` is its name for messages. Later files win over earlier ones.
    ///
    /// # Errors
    ///
    /// The text is too large or breaks the rules of the form. Values are looked at by
    /// [`Loader::finish`], as they may refer to later files.
    pub fn nova_conf(mut self, text: &str, origin: &str) -> Result<Self, Error> {
        self.sources
            .nova_confs
            .push(nova_conf::parse(text, origin)?);
        Ok(self)
    }

    /// Adds the text of a `christen.toml`; `origin` is its path, for messages and to find
    /// the files it names beside it.
    ///
    /// # Errors
    ///
    /// The text is too large, not TOML, names an option that there is not, or gives one a
    /// value that it cannot have: all that is wrong with it, with line and column.
    pub fn toml(mut self, text: &str, origin: &str) -> Result<Self, Error> {
        let assigned = toml::parse(text, origin).map_err(|findings| Error::Invalid { findings })?;
        for mut assigned in assigned {
            beside(origin, &mut assigned);
            let sources = &mut self.sources;
            Sources::assign(&mut sources.toml, &mut sources.without_effect, assigned);
        }
        Ok(self)
    }

    /// Adds a setting of the form `GROUP.NAME=VALUE`, or `NAME=VALUE` for group `DEFAULT`.
    ///
    /// The value is read as in nova.conf, except that `$` is an ordinary character.
    ///
    /// # Errors
    ///
    /// The argument has another form, names an option that there is not, or gives one a
    /// value that it cannot have.
    pub fn set(mut self, argument: &str) -> Result<Self, Error> {
        let assigned = set::parse(argument)?;
        let sources = &mut self.sources;
        Sources::assign(&mut sources.sets, &mut sources.without_effect, assigned);
        Ok(self)
    }

    /// Joins the sources and reads the files that options name.
    ///
    /// `files` gets a path as the operator wrote it, or joined to the directory of the
    /// `christen.toml` that has it; relative ones are relative to the working directory, as
    /// they are to oslo.config.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every option of the nova.conf files whose value is wrong or
    /// cannot be made; [`Error::File`] and [`Error::FileNotText`] for the files.
    pub fn finish(self, files: &dyn FileSource) -> Result<Loaded, Error> {
        let mut resolver = Resolver::new(&self.sources);
        let mut effective = Vec::new();
        let mut findings = Vec::new();
        for option in OPTIONS
            .iter()
            .filter(|option| option.effect == Effect::Used)
        {
            let (problem, place) = match resolver.value(option) {
                Ok((OptionValue::Integer(None), place)) if option.group == "quota" => {
                    // Nova would fail when it first counts; a limit is no place to guess.
                    (Problem::Empty, place)
                }
                Ok((value, place)) => {
                    effective.push(Effective {
                        option,
                        value,
                        place,
                    });
                    continue;
                }
                Err(failed) => failed,
            };
            findings.push(Finding {
                place,
                option: Some(option.title()),
                problem,
            });
        }
        if !findings.is_empty() {
            return Err(Error::Invalid { findings });
        }
        let settings = Values {
            effective: &effective,
        }
        .settings(files)?;
        Ok(Loaded {
            settings,
            warnings: self.sources.warnings(),
            effective,
        })
    }
}

/// Makes a relative path in a `christen.toml` relative to the directory of that file.
fn beside(origin: &str, assigned: &mut Assigned) {
    let Named::Option(option) = assigned.named else {
        return;
    };
    let Some(OptionValue::Text(Some(path))) = &mut assigned.value else {
        return;
    };
    if PATHS.contains(&(option.group, option.name))
        && !path.is_empty()
        && path != SHIPPED_TEMPLATE
        && let Some((directory, _)) = origin.rsplit_once('/')
        && !path.starts_with('/')
    {
        *path = format!("{directory}/{path}");
    }
}

/// The values of all options that have an effect.
struct Values<'v> {
    effective: &'v [Effective],
}

impl Values<'_> {
    /// Fills the settings, reading the files that they name.
    fn settings(&self, files: &dyn FileSource) -> Result<Settings, Error> {
        let template = match self.text(DEFAULT_GROUP, "injected_network_template") {
            Some(SHIPPED_TEMPLATE) => NetworkTemplate::Shipped,
            None | Some("") => NetworkTemplate::None,
            Some(_) => NetworkTemplate::Text(self.file(
                DEFAULT_GROUP,
                "injected_network_template",
                files,
            )?),
        };
        let vendordata_json = match self.text("api", "vendordata_jsonfile_path") {
            None | Some("") => None,
            Some(_) => Some(self.file("api", "vendordata_jsonfile_path", files)?),
        };
        let text = |group, name| self.text(group, name).unwrap_or_default().to_owned();
        Ok(Settings {
            config_drive_format: match self.text(DEFAULT_GROUP, "config_drive_format") {
                Some("vfat") => DriveFormat::Vfat,
                _ => DriveFormat::Iso9660,
            },
            force_config_drive: self.flag(DEFAULT_GROUP, "force_config_drive"),
            flat_injected: self.flag(DEFAULT_GROUP, "flat_injected"),
            injected_network_template: template,
            config_drive_skip_versions: text("api", "config_drive_skip_versions"),
            vendordata_providers: self.list("api", "vendordata_providers"),
            vendordata_json,
            vendordata_dynamic_targets: self.list("api", "vendordata_dynamic_targets"),
            vendordata_dynamic_ssl_certfile: text("api", "vendordata_dynamic_ssl_certfile"),
            vendordata_dynamic_connect_timeout_seconds: self
                .number("api", "vendordata_dynamic_connect_timeout"),
            vendordata_dynamic_read_timeout_seconds: self
                .number("api", "vendordata_dynamic_read_timeout"),
            vendordata_dynamic_failure_fatal: self.flag("api", "vendordata_dynamic_failure_fatal"),
            dhcp_domain: text("api", "dhcp_domain"),
            inject_key: self.flag("libvirt", "inject_key"),
            inject_partition: self.inject_partition(),
            inject_password: self.flag("libvirt", "inject_password"),
            virt_type: text("libvirt", "virt_type"),
            quota_injected_files: self.number("quota", "injected_files"),
            quota_injected_file_content_bytes: self.number("quota", "injected_file_content_bytes"),
            quota_injected_file_path_length: self.number("quota", "injected_file_path_length"),
        })
    }

    /// Nova 34.0.0, `nova/virt/libvirt/driver.py`: anything but -2 turns injection on
    /// (`_create_and_inject_local_root`), and no number is as good as 0 (`_inject_data`,
    /// `setup_os_static`).
    fn inject_partition(&self) -> InjectPartition {
        let number = match self.get("libvirt", "inject_partition").value {
            OptionValue::Integer(number) => number.unwrap_or(0),
            _ => unreachable!("[libvirt] inject_partition is an integer in the table"),
        };
        match number {
            -2 => InjectPartition::Off,
            -1 => InjectPartition::Inspect,
            // The table keeps it between -2 and `u32::MAX`.
            number => u32::try_from(number)
                .ok()
                .and_then(NonZeroU32::new)
                .map_or(InjectPartition::Whole, InjectPartition::Number),
        }
    }

    /// Reads the file that an option names.
    fn file(&self, group: &str, name: &str, files: &dyn FileSource) -> Result<String, Error> {
        let effective = self.get(group, name);
        let path = self.text(group, name).unwrap_or_default();
        let read: io::Result<Vec<u8>> = files.read(path, MAX_FILE_BYTES);
        let bytes = read.map_err(|source| Error::File {
            option: effective.option.title(),
            path: path.to_owned(),
            place: effective.place.clone(),
            source,
        })?;
        String::from_utf8(bytes).map_err(|_| Error::FileNotText {
            option: effective.option.title(),
            path: path.to_owned(),
            place: effective.place.clone(),
        })
    }

    fn get(&self, group: &str, name: &str) -> &Effective {
        self.effective
            .iter()
            .find(|effective| (effective.option.group, effective.option.name) == (group, name))
            .unwrap_or_else(|| unreachable!("[{group}] {name} is in the table"))
    }

    fn text(&self, group: &str, name: &str) -> Option<&str> {
        match &self.get(group, name).value {
            OptionValue::Text(text) => text.as_deref(),
            _ => unreachable!("[{group}] {name} is a text in the table"),
        }
    }

    fn flag(&self, group: &str, name: &str) -> bool {
        match self.get(group, name).value {
            OptionValue::Flag(flag) => flag,
            _ => unreachable!("[{group}] {name} is a flag in the table"),
        }
    }

    /// Returns a number; none for an empty value and for -1, which both mean no limit.
    fn number(&self, group: &str, name: &str) -> Option<u32> {
        match self.get(group, name).value {
            OptionValue::Integer(number) => number.and_then(|number| u32::try_from(number).ok()),
            _ => unreachable!("[{group}] {name} is an integer in the table"),
        }
    }

    fn list(&self, group: &str, name: &str) -> Vec<String> {
        match &self.get(group, name).value {
            OptionValue::List(items) => items.clone(),
            _ => unreachable!("[{group}] {name} is a list in the table"),
        }
    }
}
