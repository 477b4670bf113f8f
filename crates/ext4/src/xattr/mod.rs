//! Extended attributes: in the inode, in a block of their own, shared between inodes, or in inodes.
//!
//! The functions here work on a [`Holder`], which is what an inode has of its attributes, and reach the volume through
//! [`AttributeStore`]; they know neither inodes nor how blocks are allocated. Whoever calls them writes the new [`Holder`] and the
//! permission bits into the inode, corrects `i_blocks` and the change time, and sees to it that the superblock has the `ext_attr` feature.
//!
//! | file | what it is |
//! |---|---|
//! | `name` | the name on disk and for Linux |
//! | `entry` | entries and values, the same in an inode and in a block |
//! | `region` | the attributes in the inode, `system.data` among them |
//! | `block` | the attributes in a block |
//! | `acl` | access control lists |
//! | `holder` | what is done to the attributes of a file |
//! | `store` | what that needs of the volume |
//! | `value_inode` | inodes that hold values |
//! | `volume` | what the filesystem calls |

mod acl;
mod block;
mod entry;
mod holder;
mod name;
pub mod region;
mod store;
#[cfg(test)]
mod tests;
mod value_inode;
mod volume;

pub use acl::{AccessList, InvalidList};
pub use block::AttributeBlock;
pub use entry::{Attribute, Value};
pub use holder::{
    Change, File, Holder, Inheritance, begin, blocks_outside, get, inherit, names, release, remove,
    set, set_permissions,
};
pub use name::AttributeName;
pub use store::AttributeStore;
