//! The OpenStack dialect: the `ec2/` and `openstack/` trees of a config drive.
//!
//! Nova 34.0.0, `nova/api/metadata/base.py`, `metadata_for_config_drive`.

mod bare_metal;
mod content;
mod devices;
mod meta_data;
mod network_data;
mod vendor_data;
mod vendor_data2;
mod versions;

pub use vendor_data2::Warning;
pub use versions::Version;

use std::fmt;

use crate::identity::{draw_uuid, qualified_hostname, short_hostname};
use crate::json::{self, ObjectWriter};
use crate::{
    Context, Document, Documents, Error, Instance, Secret, Value, ec2, guest, network_template,
};

/// Renders the OpenStack dialect of one instance.
///
/// Nothing is done before it is needed, and everything is done once: randomness is drawn,
/// services are asked and the template is rendered when the first document needs them, and
/// later documents tell the same story. The order of draws is in `docs/reproducible.md`.
pub struct OpenStack<'a> {
    instance: &'a Instance,
    context: Context<'a>,
    warnings: Vec<Warning>,
    uuid: Option<String>,
    random_seed: Option<String>,
    network_config: Option<Option<String>>,
    meta_data_head: Option<ObjectWriter>,
    network_data: Option<String>,
    static_data: Option<Value>,
    vendor_data: Option<String>,
    vendor_data2: Option<String>,
}

impl fmt::Debug for OpenStack<'_> {
    /// Leaves out what is already rendered: it may hold the administrator's password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenStack")
            .field("context", &self.context)
            .field("uuid", &self.uuid)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// What stands at a path.
#[derive(Debug, Clone, Copy)]
enum Part {
    UserData,
    Ec2MetaData(ec2::Version),
    MetaData(Version),
    VendorData,
    NetworkData,
    VendorData2,
    /// A content item by number.
    Content(usize),
}

impl<'a> OpenStack<'a> {
    /// Prepares to render the documents of an instance.
    pub fn new(instance: &'a Instance, context: Context<'a>) -> Self {
        Self {
            instance,
            context,
            warnings: Vec::new(),
            uuid: None,
            random_seed: None,
            network_config: None,
            meta_data_head: None,
            network_data: None,
            static_data: None,
            vendor_data: None,
            vendor_data2: None,
        }
    }

    /// Lists the paths of all documents in the order of writing.
    ///
    /// Draws no randomness and asks no service.
    ///
    /// # Errors
    ///
    /// Fails when the network template does: whether it makes a file shows only then.
    pub fn paths(&mut self) -> Result<Vec<String>, Error> {
        let layout = self.layout()?;
        Ok(layout.into_iter().map(|(path, _)| path).collect())
    }

    /// Renders the document at a path, drawing and asking only what it needs.
    ///
    /// # Errors
    ///
    /// Fails when there is no document at the path, and for every reason that [`Error`]
    /// names.
    pub fn document(&mut self, path: &str) -> Result<Document, Error> {
        let layout = self.layout()?;
        let Some((path, part)) = layout.into_iter().find(|(known, _)| known == path) else {
            return Err(Error::NoSuchDocument {
                path: path.to_owned(),
            });
        };
        let content = self.render(part)?;
        Ok(Document { path, content })
    }

    /// Renders all documents in the order of writing.
    ///
    /// # Errors
    ///
    /// Fails for every reason that [`Error`] names; then there is no drive.
    pub fn documents(&mut self) -> Result<Documents, Error> {
        let layout = self.layout()?;
        if self.context.like_nova {
            // Nova reads the file before any document, whether a provider wants it or not.
            self.static_data()?;
        }
        // The order of draws: the uuid, what the guest section needs, the seeds.
        self.uuid()?;
        if self.has_vendor_data() {
            self.vendor_data()?;
        }
        layout
            .into_iter()
            .map(|(path, part)| {
                let content = self.render(part)?;
                Ok(Document { path, content })
            })
            .collect()
    }

    /// What the operator should know about the documents rendered so far.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The instance's uuid: its own, or one drawn at the first call.
    ///
    /// # Errors
    ///
    /// Fails when a uuid has to be drawn and the source of randomness fails.
    pub fn uuid(&mut self) -> Result<String, Error> {
        if let Some(uuid) = self.instance.uuid.as_ref().or(self.uuid.as_ref()) {
            return Ok(uuid.clone());
        }
        let uuid = draw_uuid(self.context.random)?;
        self.uuid = Some(uuid.clone());
        Ok(uuid)
    }

    /// The uuid, if one had to be drawn so far.
    pub fn drawn_uuid(&self) -> Option<&str> {
        self.uuid.as_deref()
    }

    fn layout(&mut self) -> Result<Vec<(String, Part)>, Error> {
        let mut layout = Vec::with_capacity(72);
        let has_user_data = self.instance.user_data.is_some();
        let skip = &self.context.settings.config_drive_skip_versions;
        for (name, version) in ec2::directories(skip) {
            if has_user_data {
                layout.push((format!("ec2/{name}/user-data"), Part::UserData));
            }
            let path = format!("ec2/{name}/meta-data.json");
            layout.push((path, Part::Ec2MetaData(version)));
        }
        let has_vendor_data = self.context.like_nova || self.has_vendor_data();
        if !has_vendor_data && !self.warnings.contains(&Warning::NoStaticVendorData) {
            self.warnings.push(Warning::NoStaticVendorData);
        }
        // cloud-init takes the `{}` that Nova would write for "configure no NIC"; without the
        // file it falls back to DHCP, which is right where nothing is known.
        let has_network_data = self.context.like_nova || self.instance.network.is_some();
        for (name, version) in versions::directories() {
            let mut add = |file, part| layout.push((format!("openstack/{name}/{file}"), part));
            add("meta_data.json", Part::MetaData(version));
            if has_user_data {
                add("user_data", Part::UserData);
            }
            if version >= Version::Havana && has_vendor_data {
                add("vendor_data.json", Part::VendorData);
            }
            if version >= Version::Liberty && has_network_data {
                add("network_data.json", Part::NetworkData);
            }
            if version >= Version::NewtonTwo {
                add("vendor_data2.json", Part::VendorData2);
            }
        }
        let network_config = self.network_config()?;
        let items = content::content_items(network_config.as_deref(), &self.instance.files).len();
        for number in 0..items {
            let path = format!("openstack/content/{number:04}");
            layout.push((path, Part::Content(number)));
        }
        Ok(layout)
    }

    fn render(&mut self, part: Part) -> Result<Vec<u8>, Error> {
        match part {
            Part::UserData => {
                let user_data = self.instance.user_data.as_ref();
                Ok(user_data.map_or_else(Vec::new, |bytes| bytes.expose().clone()))
            }
            Part::Ec2MetaData(version) => self.ec2_meta_data(version).map(String::into_bytes),
            Part::MetaData(version) => self.meta_data(version).map(String::into_bytes),
            Part::VendorData => self.vendor_data().map(String::into_bytes),
            Part::NetworkData => self.network_data().map(String::into_bytes),
            Part::VendorData2 => self.vendor_data2().map(String::into_bytes),
            Part::Content(number) => {
                let network_config = self.network_config()?;
                let items = content::content_items(network_config.as_deref(), &self.instance.files);
                let item = items.get(number);
                Ok(item.map_or_else(Vec::new, |item| item.bytes().to_vec()))
            }
        }
    }

    /// The host name without the operator's domain.
    fn short_hostname(&mut self) -> Result<String, Error> {
        short_hostname(self.instance, || self.uuid())
    }

    fn hostname(&mut self) -> Result<String, Error> {
        let short = self.short_hostname()?;
        let domain = &self.context.settings.dhcp_domain;
        Ok(qualified_hostname(&short, domain, self.context.like_nova))
    }

    /// The rendered network template, if there is one.
    fn network_config(&mut self) -> Result<Option<String>, Error> {
        if let Some(rendered) = &self.network_config {
            return Ok(rendered.clone());
        }
        let settings = self.context.settings;
        let options = network_template::Options {
            template: &settings.injected_network_template,
            flat_injected: settings.flat_injected,
            // `nova/api/metadata/base.py` passes no type.
            virt_type: None,
            like_nova: self.context.like_nova,
        };
        let nics = self.instance.network.as_deref().unwrap_or_default();
        let rendered = network_template::render(nics, options)?;
        self.network_config = Some(rendered.clone());
        Ok(rendered)
    }

    fn ec2_meta_data(&mut self, version: ec2::Version) -> Result<String, Error> {
        let hostname = self.hostname()?;
        let uuid = match self.instance.ec2.instance {
            Some(_) => None,
            None => Some(self.uuid()?),
        };
        let identity = ec2::Identity {
            uuid: uuid.as_deref(),
            hostname: &hostname,
            like_nova: self.context.like_nova,
        };
        Ok(ec2::meta_data(self.instance, &identity, version))
    }

    fn meta_data(&mut self, version: Version) -> Result<String, Error> {
        let head = match &self.meta_data_head {
            Some(head) => head.clone(),
            None => {
                let uuid = self.uuid()?;
                let hostname = self.hostname()?;
                let network_config = self.network_config()?;
                let items = content::content_items(network_config.as_deref(), &self.instance.files);
                let keys = meta_data::shown_keys(self.instance, self.context.like_nova);
                let head = meta_data::head(self.instance, &uuid, &hostname, &items, &keys);
                self.meta_data_head.insert(head).clone()
            }
        };
        let seed = if version >= Version::Grizzly {
            Some(self.random_seed()?)
        } else {
            None
        };
        let seed = seed.as_deref();
        Ok(meta_data::finish(head, self.instance, version, seed))
    }

    /// One seed for every version of the document; Nova draws one for each rendering.
    fn random_seed(&mut self) -> Result<String, Error> {
        if let Some(seed) = self
            .random_seed
            .as_ref()
            .filter(|_| !self.context.like_nova)
        {
            return Ok(seed.clone());
        }
        let seed = meta_data::draw_random_seed(self.context.random)?;
        Ok(self.random_seed.insert(seed).clone())
    }

    fn network_data(&mut self) -> Result<String, Error> {
        if let Some(encoded) = &self.network_data {
            return Ok(encoded.clone());
        }
        let encoded = json::encode(&network_data::network_data(
            self.instance,
            self.context.like_nova,
        )?);
        Ok(self.network_data.insert(encoded).clone())
    }

    /// The operator's static document; an empty object without one.
    fn static_data(&mut self) -> Result<&Value, Error> {
        let parsed = match self.static_data.take() {
            Some(parsed) => parsed,
            None => match &self.context.settings.vendordata_json {
                Some(text) => json::parse(text).map_err(Error::StaticVendorData)?,
                None => Value::Object(Vec::new()),
            },
        };
        Ok(self.static_data.insert(parsed))
    }

    fn provides_static_data(&self) -> bool {
        let providers = &self.context.settings.vendordata_providers;
        providers.iter().any(|provider| provider == "StaticJSON")
    }

    /// Whether `vendor_data.json` has anything to be made of.
    fn has_vendor_data(&self) -> bool {
        self.provides_static_data() || !self.instance.guest.is_empty()
    }

    fn vendor_data(&mut self) -> Result<String, Error> {
        if let Some(encoded) = &self.vendor_data {
            return Ok(encoded.clone());
        }
        if !self.has_vendor_data() {
            return Err(Error::NoStaticVendorData);
        }
        let cloud_config = guest::cloud_config(&self.instance.guest, self.context.random)?;
        let empty = Value::Object(Vec::new());
        let operator = if self.provides_static_data() {
            self.static_data()?
        } else {
            &empty
        };
        let encoded = match cloud_config {
            Some(text) => {
                let combined = vendor_data::with_guest(operator.clone(), Secret::new(text))?;
                json::encode(&combined)
            }
            None => json::encode(operator),
        };
        Ok(self.vendor_data.insert(encoded).clone())
    }

    fn vendor_data2(&mut self) -> Result<String, Error> {
        if let Some(encoded) = &self.vendor_data2 {
            return Ok(encoded.clone());
        }
        let settings = self.context.settings;
        let providers = &settings.vendordata_providers;
        let known = |provider: &&String| matches!(provider.as_str(), "StaticJSON" | "DynamicJSON");
        if let Some(name) = providers.iter().find(|provider| !known(provider)) {
            return Err(Error::UnknownVendorDataProvider { name: name.clone() });
        }
        let answers = if providers.iter().any(|provider| provider == "DynamicJSON") {
            let uuid = self.uuid()?;
            let hostname = self.short_hostname()?;
            let body = vendor_data2::request_body(self.instance, &uuid, &hostname);
            let service = &mut *self.context.vendordata;
            vendor_data2::ask_all(settings, &body, service, &mut self.warnings)?
        } else {
            Vec::new()
        };
        let static_data = if self.provides_static_data() {
            self.static_data()?.clone()
        } else {
            Value::Null
        };
        let joined = vendor_data2::join(providers, &static_data, &answers, &mut self.warnings);
        Ok(self.vendor_data2.insert(json::encode(&joined)).clone())
    }
}
