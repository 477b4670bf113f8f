//! `christen drive`: config drives, built and looked into.

pub(crate) mod build;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod extract;
mod open;
mod read_back;
pub(crate) mod show;
pub(crate) mod verify;
