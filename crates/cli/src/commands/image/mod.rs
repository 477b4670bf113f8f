//! Disk images: looking in, changing, comparing.

pub(crate) mod cat;
mod change;
pub(crate) mod check;
pub(crate) mod customize;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod edit;
pub(crate) mod files;
pub(crate) mod inject;
pub(crate) mod inspect;
mod inspect_guest;
pub(crate) mod ls;
pub(crate) mod plan;
pub(crate) mod recover;
pub(crate) mod reidentify;
mod root_tree;
pub(crate) mod stat;
pub(crate) mod tree;
pub(crate) mod verify;
pub(crate) mod xattr;
