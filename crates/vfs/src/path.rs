//! Paths in a guest.

use std::fmt;

use crate::text::shown;

/// Linux takes no longer paths (`PATH_MAX` with its NUL).
const PATH_BYTES: usize = 4095;

/// A path in a guest: absolute, of bytes, resolved inside the guest's root only.
///
/// It has no conversion from or to [`std::path::Path`], so that neither can be taken for the other. `.` and empty
/// components are dropped; `..` is kept, because where it leads depends on the links before it, and stops at the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath {
    components: Vec<Vec<u8>>,
}

/// A text cannot be a path in a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// It does not begin with `/`.
    #[error("a path in a guest begins with `/`")]
    Relative,
    /// It holds a NUL.
    #[error("a path holds no NUL")]
    Nul,
    /// It is too long.
    #[error("a path has at most 4095 bytes")]
    TooLong,
}

impl GuestPath {
    /// Takes a path.
    ///
    /// # Errors
    ///
    /// [`InvalidPath`] says which rule it breaks.
    pub fn new(path: impl AsRef<[u8]>) -> Result<Self, InvalidPath> {
        let path = path.as_ref();
        if path.len() > PATH_BYTES {
            return Err(InvalidPath::TooLong);
        }
        if path.contains(&0) {
            return Err(InvalidPath::Nul);
        }
        if path.first() != Some(&b'/') {
            return Err(InvalidPath::Relative);
        }
        Ok(Self {
            components: split(path).map(<[u8]>::to_vec).collect(),
        })
    }

    /// Returns the guest's root.
    pub fn root() -> Self {
        Self {
            components: Vec::new(),
        }
    }

    /// Returns the components, `..` among them.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.components.iter().map(Vec::as_slice)
    }

    /// Returns the last component, unless this is the root or the component is `..`.
    pub fn name(&self) -> Option<&[u8]> {
        self.components
            .last()
            .map(Vec::as_slice)
            .filter(|name| *name != b"..")
    }

    /// Returns the path without its last component; the root has none.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.components.split_last()?;
        Some(Self {
            components: rest.to_vec(),
        })
    }

    /// Returns this path with one more component.
    pub fn join(&self, name: &[u8]) -> Self {
        let mut components = self.components.clone();
        components.extend(split(name).map(<[u8]>::to_vec));
        Self { components }
    }

    /// Returns the path as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.components.is_empty() {
            return b"/".to_vec();
        }
        let mut bytes = Vec::new();
        for component in &self.components {
            bytes.push(b'/');
            bytes.extend_from_slice(component);
        }
        bytes
    }
}

/// Splits a path, or the target of a link, into the components that lead anywhere.
pub(crate) fn split(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|component| !matches!(*component, b"" | b"."))
}

impl fmt::Display for GuestPath {
    /// Shows what is no printable UTF-8 as an escape, so that a name cannot play with a terminal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&shown(&self.to_bytes()))
    }
}

impl fmt::Debug for GuestPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "GuestPath({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_nowhere_is_dropped() {
        let path = GuestPath::new("//etc/./ssh/../motd/").unwrap();
        assert_eq!(path.to_bytes(), b"/etc/ssh/../motd");
        assert_eq!(path.name(), Some(&b"motd"[..]));
        assert_eq!(GuestPath::new("/").unwrap(), GuestPath::root());
        assert_eq!(GuestPath::root().parent(), None);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        assert_eq!(GuestPath::new("etc"), Err(InvalidPath::Relative));
        assert_eq!(GuestPath::new(""), Err(InvalidPath::Relative));
        assert_eq!(GuestPath::new("/a\0b"), Err(InvalidPath::Nul));
        assert_eq!(GuestPath::new("/a".repeat(3000)), Err(InvalidPath::TooLong));
    }

    #[test]
    fn a_name_cannot_play_with_a_terminal() {
        let path = GuestPath::new(b"/a\x1b[2J/\xff/\xc3\xa9").unwrap();
        assert_eq!(path.to_string(), "/a\\u{1b}[2J/\\xff/\u{e9}");
    }
}
