//! Asks an operator's services for dynamic vendor data over HTTP.
//!
//! Nova 34.0.0 does it in `nova/api/metadata/vendordata_dynamic.py`, by way of keystoneauth1
//! and requests. What is asked comes from [`christen_instance`]; this crate carries the
//! question and the answer, and keeps an answer that is slow, endless or huge from holding
//! an instance up. What differs from Nova is said in `docs/vendordata.md`.

mod certificates;
mod client;
mod failure;
mod origin;

pub use certificates::Error;
pub use client::{Client, Limits};
