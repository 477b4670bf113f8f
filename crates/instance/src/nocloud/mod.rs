//! The NoCloud dialect: four documents in the root of a volume labelled `cidata`.
//!
//! cloud-init 26.2, `cloudinit/sources/DataSourceNoCloud.py` and
//! `doc/rtd/reference/datasources/nocloud.rst`.

mod bond;
mod meta_data;
mod network_config;
mod vendor_data;

use std::fmt;

use crate::identity::{draw_uuid, qualified_hostname, short_hostname};
use crate::{Context, Document, Documents, Error, Instance, yaml};

/// Renders the NoCloud dialect of one instance.
///
/// `meta-data` and `user-data` are always there: cloud-init takes a volume without one of
/// them for no seed at all. `vendor-data` and `network-config` are left out when they have
/// nothing to say. Of the operator's options `dhcp_domain` and the static vendor data
/// count here; dynamic vendor data services are not asked.
///
/// Randomness is drawn when the first document needs it: the uuid when the description has
/// none, then the salts of the guest section's passwords ([`crate::guest::cloud_config`]).
pub struct NoCloud<'a> {
    instance: &'a Instance,
    context: Context<'a>,
    uuid: Option<String>,
    vendor_data: Option<Option<String>>,
}

impl fmt::Debug for NoCloud<'_> {
    /// Leaves out what is already rendered: it holds hashes and keys.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NoCloud")
            .field("context", &self.context)
            .field("uuid", &self.uuid)
            .finish_non_exhaustive()
    }
}

/// The documents, in the order of writing.
#[derive(Debug, Clone, Copy)]
enum Part {
    MetaData,
    UserData,
    VendorData,
    NetworkConfig,
}

impl Part {
    fn path(self) -> &'static str {
        match self {
            Self::MetaData => "meta-data",
            Self::UserData => "user-data",
            Self::VendorData => "vendor-data",
            Self::NetworkConfig => "network-config",
        }
    }
}

impl<'a> NoCloud<'a> {
    /// Prepares to render the documents of an instance.
    pub fn new(instance: &'a Instance, context: Context<'a>) -> Self {
        Self {
            instance,
            context,
            uuid: None,
            vendor_data: None,
        }
    }

    /// Lists the paths of all documents in the order of writing. Draws no randomness.
    ///
    /// # Errors
    ///
    /// Fails when the operator's static vendor data is not JSON or an address range cannot
    /// be read: what there is to say shows only then.
    pub fn paths(&mut self) -> Result<Vec<String>, Error> {
        let parts = self.parts()?;
        Ok(parts
            .into_iter()
            .map(|part| part.path().to_owned())
            .collect())
    }

    /// Renders the document at a path, drawing only what it needs.
    ///
    /// # Errors
    ///
    /// Fails when there is no document at the path, and for every reason that [`Error`]
    /// names.
    pub fn document(&mut self, path: &str) -> Result<Document, Error> {
        let parts = self.parts()?;
        let Some(part) = parts.into_iter().find(|part| part.path() == path) else {
            return Err(Error::NoSuchDocument {
                path: path.to_owned(),
            });
        };
        self.render(part)
    }

    /// Renders all documents in the order of writing.
    ///
    /// # Errors
    ///
    /// Fails for every reason that [`Error`] names; then there is no drive.
    pub fn documents(&mut self) -> Result<Documents, Error> {
        let parts = self.parts()?;
        parts.into_iter().map(|part| self.render(part)).collect()
    }

    /// The instance's uuid, which is the guest's instance ID: its own, or one drawn at the
    /// first call.
    ///
    /// # Errors
    ///
    /// Fails when a uuid has to be drawn and the source of randomness fails.
    pub fn uuid(&mut self) -> Result<String, Error> {
        if let Some(uuid) = self.instance.uuid.as_ref().or(self.uuid.as_ref()) {
            return Ok(uuid.clone());
        }
        let uuid = draw_uuid(self.context.random)?;
        Ok(self.uuid.insert(uuid).clone())
    }

    /// The uuid, if one had to be drawn so far.
    pub fn drawn_uuid(&self) -> Option<&str> {
        self.uuid.as_deref()
    }

    fn parts(&self) -> Result<Vec<Part>, Error> {
        let mut parts = vec![Part::MetaData, Part::UserData];
        let operator = vendor_data::operator_parts(self.context.settings)?;
        if !operator.is_empty() || !self.instance.guest.is_empty() {
            parts.push(Part::VendorData);
        }
        if network_config::network_config(self.instance)?.is_some() {
            parts.push(Part::NetworkConfig);
        }
        Ok(parts)
    }

    fn render(&mut self, part: Part) -> Result<Document, Error> {
        let content = match part {
            Part::MetaData => {
                let uuid = self.uuid()?;
                let short = short_hostname(self.instance, || Ok(uuid.clone()))?;
                let domain = &self.context.settings.dhcp_domain;
                let hostname = qualified_hostname(&short, domain, self.context.like_nova);
                let document = meta_data::meta_data(self.instance, &uuid, &hostname);
                yaml::encode(&document).into_bytes()
            }
            Part::UserData => {
                let user_data = self.instance.user_data.as_ref();
                user_data.map_or_else(Vec::new, |bytes| bytes.expose().clone())
            }
            Part::VendorData => self.vendor_data()?.unwrap_or_default().into_bytes(),
            Part::NetworkConfig => {
                let document = network_config::network_config(self.instance)?;
                document.map_or_else(Vec::new, |document| yaml::encode(&document).into_bytes())
            }
        };
        Ok(Document {
            path: part.path().to_owned(),
            content,
        })
    }

    /// Rendered once, so that the same salts stand in it however often it is asked for.
    fn vendor_data(&mut self) -> Result<Option<String>, Error> {
        if let Some(rendered) = &self.vendor_data {
            return Ok(rendered.clone());
        }
        let operator = vendor_data::operator_parts(self.context.settings)?;
        let guest = crate::guest::cloud_config(&self.instance.guest, self.context.random)?;
        let rendered = vendor_data::join(operator, guest);
        Ok(self.vendor_data.insert(rendered).clone())
    }
}
