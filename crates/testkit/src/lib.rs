//! Development only: reference tools, random trees, the guest runner.
//!
//! Evidence comes from outside: the programs here are other people's, found on the
//! machine and never shipped. A test that needs one begins with
//!
//! ```
//! # use christen_testkit::tools;
//! # fn test() {
//! let Some(isoinfo) = tools::require("isoinfo") else { return };
//! # let _ = isoinfo;
//! # }
//! ```

pub mod cache;
pub mod cloud_init;
pub mod ext;
pub mod extract;
pub mod guest;
pub mod host;
pub mod kernel;
pub mod lvm;
pub mod network_readers;
pub mod networks;
pub mod phony;
pub mod python;
pub mod temp;
pub mod tools;
pub mod trees;

pub use temp::TempDir;
