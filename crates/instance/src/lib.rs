//! What a virtual machine is, and the documents that tell it so.
//!
//! ```text
//! text ──tree──► Node ──description──► Instance ──openstack, ec2, nocloud──► Documents
//!                (positions)           (model)         (Settings, Inputs)     path → bytes
//! ```
//!
//! Everything here is pure: files, time, randomness and the operator's vendor data
//! services are reached only through the traits in [`inputs`], so the same arguments
//! always give the same bytes.

pub mod cidr;
mod context;
pub mod crypt;
pub mod description;
pub mod document;
pub mod ec2;
mod error;
pub mod explain;
mod finding;
pub mod guest;
pub mod hostname;
pub mod identity;
pub mod inputs;
pub mod json;
mod keys;
pub mod model;
pub mod network_template;
pub mod nocloud;
pub mod openstack;
mod required;
pub mod schema;
pub mod secret;
pub mod settings;
pub mod tree;
pub mod value;
pub mod yaml;

pub use context::Context;
pub use document::{Dialect, Document, Documents};
pub use error::Error;
pub use model::Instance;
pub use nocloud::NoCloud;
pub use openstack::OpenStack;
pub use required::config_drive_required;
pub use secret::Secret;
pub use settings::Settings;
pub use value::Value;
