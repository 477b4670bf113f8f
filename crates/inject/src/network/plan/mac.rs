//! MAC addresses.

use std::fmt;

use super::impossible;
use crate::Result;

/// The hardware address of an Ethernet device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Takes the address of a NIC: six bytes in hexadecimal with colons or hyphens between them.
    pub(super) fn parse(number: usize, text: &str) -> Result<Self> {
        Self::from_text(text).ok_or_else(|| {
            impossible(format!(
                "NIC {number}: `{}` is not the MAC address of an Ethernet device",
                text.escape_debug()
            ))
        })
    }

    /// Takes six bytes in hexadecimal with colons or hyphens between them.
    pub(in crate::network) fn from_text(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next()?;
            if part.len() != 2 || !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(bytes))
    }
}

impl fmt::Display for Mac {
    /// In lower case: some readers compare text.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(formatter, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}
