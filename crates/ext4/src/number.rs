//! Numbers that must not be taken for one another.

use std::fmt;

macro_rules! number {
    ($(#[$meta:meta])* $name:ident($inner:ty)) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) $inner);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

number! {
    /// A block of the filesystem, counted from its beginning.
    BlockNumber(u64)
}
number! {
    /// A block group.
    GroupNumber(u32)
}
number! {
    /// An inode; the first is 1.
    InodeNumber(u32)
}

impl InodeNumber {
    /// The top directory (`EXT4_ROOT_INO`).
    pub(crate) const ROOT: Self = Self(2);
}
