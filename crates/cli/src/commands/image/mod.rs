//! Disk images: looking in, changing, comparing.

pub(crate) mod cat;
pub(crate) mod diff;
pub(crate) mod ls;
pub(crate) mod stat;
pub(crate) mod tree;
pub(crate) mod xattr;
