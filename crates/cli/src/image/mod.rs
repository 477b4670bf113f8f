//! What the commands on disk images share: what can be done to files, and how it is written down.

pub(crate) mod operation;
pub(crate) mod owner;
pub(crate) mod script;
pub(crate) mod text;
pub(crate) mod values;
