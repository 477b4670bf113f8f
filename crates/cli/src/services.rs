//! The operator's vendor data services, if there are any to ask.

use christen_instance::Settings;
use christen_instance::inputs::{VendorDataFailure, VendorDataRequest, VendorDataService};
use christen_vendordata::Client;

use crate::failure::Failure;

/// The services of `[api] vendordata_dynamic_targets`.
///
/// A client is made only when targets are configured: reading the system's certificates
/// takes longer than making a drive that asks nobody.
pub(crate) struct Services(Option<Client>);

impl Services {
    /// Prepares to ask; a CA file that cannot be used is fatal, as it is to Nova.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Failure> {
        if settings.vendordata_dynamic_targets.is_empty() {
            return Ok(Self(None));
        }
        let client = Client::new(settings).map_err(|error| {
            Failure::usage("cannot prepare to ask the vendor data services").because(&error)
        })?;
        Ok(Self(Some(client)))
    }
}

impl VendorDataService for Services {
    fn ask(&mut self, request: &VendorDataRequest) -> Result<String, VendorDataFailure> {
        match &mut self.0 {
            Some(client) => client.ask(request),
            None => Err(VendorDataFailure {
                reason: "no service is configured".to_owned(),
            }),
        }
    }
}
