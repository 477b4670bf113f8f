//! The EC2 documents, as Nova makes them.
//!
//! Nova 34.0.0, `nova/api/metadata/base.py`, `get_ec2_metadata`.

mod block_device_mapping;
mod meta_data;
mod versions;

pub(crate) use meta_data::{Identity, meta_data};
pub use versions::Version;
pub(crate) use versions::directories;
