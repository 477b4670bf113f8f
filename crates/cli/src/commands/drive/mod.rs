//! `christen drive`: config drives, built and looked into.

pub(crate) mod build;
mod open;
pub(crate) mod show;
