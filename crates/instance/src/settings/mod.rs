//! The operator's options: Nova's, by Nova's groups and names.
//!
//! ```text
//! nova.conf ──nova_conf──► sections ──┐
//! christen.toml ──toml──► values ─────┼─ Loader ──interpolate, convert──► Settings, warnings
//! GROUP.NAME=VALUE ──set──► values ───┘
//! ```
//!
//! What options there are is said once, in [`option::OPTIONS`]; `docs/settings.md` is made
//! from it. How the sources are joined is said at [`Loader`].

mod convert;
mod error;
mod interpolate;
mod loader;
mod name;
pub mod nova_conf;
pub mod option;
pub mod reference;
mod set;
mod suggest;
mod toml;

use std::fmt;
use std::num::NonZeroU32;

pub use error::{Error, Finding, Place, Problem, Warning};
pub use loader::{Effective, Loaded, Loader};
pub use option::OptionValue;

/// How the documents are to be made.
///
/// Each field is an option of Nova 34.0.0; the default is Nova's. Where an option names a
/// file, the field holds the file's text: reading it is for whoever loads the settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `[DEFAULT] config_drive_format`.
    pub config_drive_format: DriveFormat,
    /// `[DEFAULT] force_config_drive`.
    pub force_config_drive: bool,
    /// `[DEFAULT] flat_injected`: networks that do not say otherwise are marked injected.
    pub flat_injected: bool,
    /// `[DEFAULT] injected_network_template`.
    pub injected_network_template: NetworkTemplate,
    /// `[api] config_drive_skip_versions`, the raw text (split on single spaces by the
    /// renderer, as Nova does).
    pub config_drive_skip_versions: String,
    /// `[api] vendordata_providers`, in order.
    pub vendordata_providers: Vec<String>,
    /// The text of the file named by `[api] vendordata_jsonfile_path`.
    pub vendordata_json: Option<String>,
    /// `[api] vendordata_dynamic_targets`, `NAME@URL`, in order.
    pub vendordata_dynamic_targets: Vec<String>,
    /// `[api] vendordata_dynamic_ssl_certfile`: path of a CA file; empty for the system's.
    pub vendordata_dynamic_ssl_certfile: String,
    /// `[api] vendordata_dynamic_connect_timeout`, seconds, at least 3. `None` (an empty
    /// value in nova.conf) sets no limit of its own.
    pub vendordata_dynamic_connect_timeout_seconds: Option<u32>,
    /// `[api] vendordata_dynamic_read_timeout`, seconds, at least 0: how long the service
    /// may be silent. `None` (an empty value in nova.conf) sets no limit of its own.
    pub vendordata_dynamic_read_timeout_seconds: Option<u32>,
    /// `[api] vendordata_dynamic_failure_fatal`.
    pub vendordata_dynamic_failure_fatal: bool,
    /// `[api] dhcp_domain`; empty for none.
    pub dhcp_domain: String,
    /// `[libvirt] inject_key`: injection gives the public key.
    pub inject_key: bool,
    /// `[libvirt] inject_partition`.
    pub inject_partition: InjectPartition,
    /// `[libvirt] inject_password`: injection gives the administrator password.
    pub inject_password: bool,
    /// `[libvirt] virt_type`, passed to the network template when it is injected.
    pub virt_type: String,
    /// `[quota] injected_files`: how many files an instance may have; `None` for any number.
    pub quota_injected_files: Option<u32>,
    /// `[quota] injected_file_content_bytes`; `None` for any size.
    pub quota_injected_file_content_bytes: Option<u32>,
    /// `[quota] injected_file_path_length`, in bytes; `None` for any length.
    pub quota_injected_file_path_length: Option<u32>,
}

/// `[DEFAULT] config_drive_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveFormat {
    /// `iso9660`, a CD-ROM.
    Iso9660,
    /// `vfat`, a disk.
    Vfat,
}

/// `[libvirt] inject_partition`: whether identities are injected into images, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectPartition {
    /// -2: nothing is injected.
    Off,
    /// -1: into the one system that inspection finds.
    Inspect,
    /// 0, or an empty value: the disk has no partitions, it is the filesystem.
    Whole,
    /// A partition by its number, from 1.
    Number(NonZeroU32),
}

/// `[DEFAULT] injected_network_template`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkTemplate {
    /// The Debian-style template that Nova ships.
    Shipped,
    /// The option is empty: no template is rendered.
    None,
    /// The Jinja2 text of the operator's file.
    Text(String),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            config_drive_format: DriveFormat::Iso9660,
            force_config_drive: false,
            flat_injected: false,
            injected_network_template: NetworkTemplate::Shipped,
            config_drive_skip_versions: "1.0 2007-01-19 2007-03-01 2007-08-29 2007-10-10 \
                                         2007-12-15 2008-02-01 2008-09-01"
                .to_owned(),
            vendordata_providers: vec!["StaticJSON".to_owned()],
            vendordata_json: None,
            vendordata_dynamic_targets: Vec::new(),
            vendordata_dynamic_ssl_certfile: String::new(),
            vendordata_dynamic_connect_timeout_seconds: Some(5),
            vendordata_dynamic_read_timeout_seconds: Some(5),
            vendordata_dynamic_failure_fatal: false,
            dhcp_domain: "novalocal".to_owned(),
            inject_key: false,
            inject_partition: InjectPartition::Off,
            inject_password: false,
            virt_type: "kvm".to_owned(),
            quota_injected_files: Some(5),
            quota_injected_file_content_bytes: Some(10_240),
            quota_injected_file_path_length: Some(255),
        }
    }
}

impl fmt::Debug for Settings {
    /// Leaves the vendor data out: it may hold tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("config_drive_format", &self.config_drive_format)
            .field("dhcp_domain", &self.dhcp_domain)
            .finish_non_exhaustive()
    }
}
