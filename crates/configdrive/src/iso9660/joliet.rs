//! The Joliet tree: the same entries under names in UTF-16.

/// How long a name in the Joliet tree may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joliet {
    /// 64 UTF-16 units, as the specification says.
    Standard,
    /// 103 units (genisoimage's `-joliet-long`), which Linux and Windows read all the same.
    Long,
}

impl Joliet {
    pub(super) fn most_units(self) -> usize {
        match self {
            Self::Standard => 64,
            Self::Long => 103,
        }
    }
}
