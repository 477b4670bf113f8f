//! The client of the operator's services, made when the first one is asked.

use christen_instance::Settings;
use christen_instance::inputs::{VendorDataFailure, VendorDataRequest, VendorDataService};
use christen_vendordata::Client;

/// A [`Client`] that costs nothing until it is used: most drives ask nobody, and reading the
/// system's certificates takes longer than making such a drive.
pub(crate) struct LazyClient {
    settings: Settings,
    client: Option<Client>,
}

impl LazyClient {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            client: None,
        }
    }
}

impl VendorDataService for LazyClient {
    fn ask(&mut self, request: &VendorDataRequest) -> Result<String, VendorDataFailure> {
        let client = match &mut self.client {
            Some(client) => client,
            None => {
                let client = Client::new(&self.settings).map_err(|error| VendorDataFailure {
                    reason: error.to_string(),
                })?;
                self.client.insert(client)
            }
        };
        client.ask(request)
    }
}
