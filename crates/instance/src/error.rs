//! Why documents cannot be made.

use std::io;

use crate::cidr::CidrError;
use crate::inputs::VendorDataFailure;
use crate::json;
use crate::network_template::TemplateError;

/// Why a document cannot be made.
///
/// Rendering writes nothing anywhere, so a failure leaves nothing behind but the draws and
/// the requests that were already made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The instance has no document at this path.
    #[error("there is no document `{path}`")]
    NoSuchDocument {
        /// The path that was asked for.
        path: String,
    },

    /// The source of randomness failed, or came to its end.
    #[error("cannot draw random bytes for {purpose}")]
    Random {
        /// What the bytes were for.
        purpose: &'static str,
        /// The source's own error.
        source: io::Error,
    },

    /// The operator's static vendor data is not JSON.
    #[error("the static vendor data (`[api] vendordata_jsonfile_path`) is not valid JSON")]
    StaticVendorData(#[source] json::ParseError),

    /// `vendor_data.json` belongs to the drive, but no provider makes it: like Nova, whose
    /// build fails with `InvalidMetadataPath`.
    #[error(
        "`vendor_data.json` cannot be made: `StaticJSON` is not among \
         `[api] vendordata_providers`"
    )]
    NoStaticVendorData,

    /// A name in `[api] vendordata_providers` that is no provider.
    #[error("`{name}` in `[api] vendordata_providers` is not a vendor data provider")]
    UnknownVendorDataProvider {
        /// The name as configured.
        name: String,
    },

    /// The `guest` section cannot travel as vendor data beside the operator's.
    #[error("the `guest` section needs the static vendor data to be {needed}, and it is {found}")]
    VendorDataHasNoPlaceForGuest {
        /// What would do.
        needed: &'static str,
        /// What stands there.
        found: &'static str,
    },

    /// A dynamic vendor data service gave no answer, and that is fatal
    /// (`[api] vendordata_dynamic_failure_fatal`).
    #[error("the vendor data service `{name}` did not answer")]
    VendorDataService {
        /// Name of the target.
        name: String,
        /// What went wrong.
        source: VendorDataFailure,
    },

    /// A dynamic vendor data service did not answer with JSON, and that is fatal
    /// (`[api] vendordata_dynamic_failure_fatal`).
    #[error("the answer of the vendor data service `{name}` is not valid JSON")]
    VendorDataAnswer {
        /// Name of the target.
        name: String,
        /// What is wrong with the answer, which is not quoted.
        source: json::ParseError,
    },

    /// The injected network template is broken or asks for too much.
    #[error("the network template (`[DEFAULT] injected_network_template`) failed")]
    NetworkTemplate(#[from] TemplateError),

    /// An account of the `guest` section asks for what no guest can give it.
    #[error("the account `{name}` cannot be made: {reason}")]
    GuestAccount {
        /// Login name.
        name: String,
        /// What stands in the way.
        reason: &'static str,
    },

    /// A part of the `guest` section can be injected, and cannot travel with documents.
    #[error("`{key}` cannot be told by a drive or a service: {reason}")]
    GuestNotOnDrive {
        /// Key of the description.
        key: &'static str,
        /// What stands in the way.
        reason: &'static str,
    },

    /// A subnet or a route has an address range that cannot be read.
    #[error("NIC {nic}: `{cidr}` is not an address range")]
    Cidr {
        /// Number of the NIC, from 0.
        nic: usize,
        /// The range as given.
        cidr: String,
        /// What is wrong with it.
        source: CidrError,
    },
}
