//! What the commands on disk images share: what can be done to files, and how it is written down.

pub(crate) mod accounts;
pub(crate) mod checksum;
pub(crate) mod difference;
pub(crate) mod edit;
pub(crate) mod failures;
pub(crate) mod files;
pub(crate) mod filesystems;
pub(crate) mod guest;
pub(crate) mod hints;
pub(crate) mod layout;
pub(crate) mod open;
pub(crate) mod operation;
pub(crate) mod owner;
pub(crate) mod qcow2;
pub(crate) mod record;
pub(crate) mod reserved;
pub(crate) mod scratch;
pub(crate) mod script;
pub(crate) mod show;
pub(crate) mod summary;
pub(crate) mod touched;
pub(crate) mod values;
pub(crate) mod volumes;
