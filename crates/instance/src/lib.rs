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

pub mod document;
pub mod inputs;
pub mod model;
pub mod secret;
pub mod settings;
pub mod value;

pub use document::{Dialect, Document, Documents};
pub use model::Instance;
pub use secret::Secret;
pub use settings::Settings;
pub use value::Value;
