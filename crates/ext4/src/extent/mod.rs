//! Extents: which blocks of the disk hold which blocks of a file, as a tree.
//!
//! | file | what it is |
//! |---|---|
//! | `node` | one node as stored, and checked |
//! | `tree` | looking up, inserting and removing |

mod node;
mod tree;

pub(crate) use node::{Extent, MOST_BLOCKS};
