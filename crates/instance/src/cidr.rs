//! Address ranges, as netaddr's `IPNetwork` understands them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a text is not an address range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CidrError {
    /// The part before the slash is not an IPv4 or IPv6 address.
    #[error("the address cannot be read")]
    Address,
    /// The part after the slash is not a prefix length or a mask of that family.
    #[error("the prefix length cannot be read")]
    Prefix,
}

/// An address with the length of its network's prefix; host bits may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Parses `ADDRESS/PREFIX`, `ADDRESS/MASK` (IPv4: a netmask or its inverse), or
    /// an address alone, which is a range of one.
    ///
    /// # Errors
    ///
    /// Fails when either part cannot be read. Short forms like `10/8` are no ranges.
    pub fn parse(text: &str) -> Result<Self, CidrError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrError::Address)?;
        let prefix = match prefix {
            None => width(address),
            Some(prefix) => parse_prefix(prefix, address).ok_or(CidrError::Prefix)?,
        };
        Ok(Self { address, prefix })
    }

    /// Whether this is a range of IPv4 addresses.
    pub fn is_ipv4(self) -> bool {
        self.address.is_ipv4()
    }

    /// Length of the prefix in bits.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The address itself, host bits and all.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The network's mask as an address.
    pub fn netmask(self) -> IpAddr {
        match self.address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(mask_v4(self.prefix))),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(mask_v6(self.prefix))),
        }
    }

    /// The network's first address.
    pub fn network(self) -> IpAddr {
        match self.address {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(
                address.to_bits() & mask_v4(self.prefix),
            )),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
                address.to_bits() & mask_v6(self.prefix),
            )),
        }
    }

    /// The network's last address.
    pub fn last(self) -> IpAddr {
        match self.address {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(
                address.to_bits() | !mask_v4(self.prefix),
            )),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
                address.to_bits() | !mask_v6(self.prefix),
            )),
        }
    }
}

/// Bits in an address of this family.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn parse_prefix(text: &str, address: IpAddr) -> Option<u8> {
    if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) {
        let prefix: u8 = text.parse().ok()?;
        return (prefix <= width(address)).then_some(prefix);
    }
    if address.is_ipv6() {
        return None;
    }
    let mask = text.parse::<Ipv4Addr>().ok()?.to_bits();
    // A mask is ones and then zeros; netaddr also takes the inverse, a host mask.
    (0..=32)
        .find(|&prefix| mask_v4(prefix) == mask)
        .or_else(|| (0..=32).find(|&prefix| !mask_v4(prefix) == mask))
}

fn mask_v4(prefix: u8) -> u32 {
    u32::MAX
        .checked_shl(32_u32.saturating_sub(prefix.into()))
        .unwrap_or(0)
}

fn mask_v6(prefix: u8) -> u128 {
    u128::MAX
        .checked_shl(128_u32.saturating_sub(prefix.into()))
        .unwrap_or(0)
}

/// Writes an address as Python's `socket.inet_ntop`, which netaddr uses, does on Linux.
///
/// It differs from Rust in one place: glibc shows the last 32 bits dotted whenever exactly
/// the first 96 are zero (`::1.2.3.4`), not only behind `::ffff:`.
pub(crate) fn address_text(address: IpAddr) -> String {
    if let IpAddr::V6(address) = address
        && let [0, 0, 0, 0, 0, 0, high, _] = address.segments()
        && high != 0
    {
        // The low half is all that is left.
        let low = Ipv4Addr::from_bits(address.to_bits() as u32);
        return format!("::{low}");
    }
    address.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Address, network, mask, last address and prefix, each as text.
    fn check(text: &str, expected: [&str; 4], prefix: u8) {
        let cidr = Cidr::parse(text).expect(text);
        let found = [cidr.address(), cidr.network(), cidr.netmask(), cidr.last()];
        assert_eq!(found.map(address_text), expected, "{text}");
        assert_eq!(cidr.prefix(), prefix, "{text}");
    }

    // Each answer was taken from netaddr 1.3.0, `IPNetwork`.
    #[test]
    fn ranges_are_computed_as_netaddr_does() {
        check(
            "10.8.0.7/8",
            ["10.8.0.7", "10.0.0.0", "255.0.0.0", "10.255.255.255"],
            8,
        );
        check(
            "10.0.0.0/255.255.0.0",
            ["10.0.0.0", "10.0.0.0", "255.255.0.0", "10.0.255.255"],
            16,
        );
        check(
            "10.0.0.0/0.0.255.255",
            ["10.0.0.0", "10.0.0.0", "255.255.0.0", "10.0.255.255"],
            16,
        );
        check(
            "10.0.0.1",
            ["10.0.0.1", "10.0.0.1", "255.255.255.255", "10.0.0.1"],
            32,
        );
        check(
            "0.0.0.0/0",
            ["0.0.0.0", "0.0.0.0", "0.0.0.0", "255.255.255.255"],
            0,
        );
        check(
            "fe80::1/10",
            [
                "fe80::1",
                "fe80::",
                "ffc0::",
                "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            ],
            10,
        );
        check(
            "::1.2.3.4/120",
            [
                "::1.2.3.4",
                "::1.2.3.0",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00",
                "::1.2.3.255",
            ],
            120,
        );
        check(
            "::1:2/112",
            [
                "::0.1.0.2",
                "::0.1.0.0",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:0",
                "::0.1.255.255",
            ],
            112,
        );
        check(
            "::ffff:1.2.3.4/128",
            [
                "::ffff:1.2.3.4",
                "::ffff:1.2.3.4",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "::ffff:1.2.3.4",
            ],
            128,
        );
        check(
            "1:0:0:2::/64",
            [
                "1:0:0:2::",
                "1:0:0:2::",
                "ffff:ffff:ffff:ffff::",
                "1::2:ffff:ffff:ffff:ffff",
            ],
            64,
        );
    }

    fn check_error(text: &str, expected: CidrError) {
        assert_eq!(Cidr::parse(text), Err(expected), "{text}");
    }

    #[test]
    fn refuses_what_is_no_range() {
        check_error("", CidrError::Address);
        check_error("10/8", CidrError::Address);
        check_error(" 10.0.0.0/8", CidrError::Address);
        check_error("010.0.0.0/8", CidrError::Address);
        check_error("10.0.0.0/", CidrError::Prefix);
        check_error("10.0.0.0/33", CidrError::Prefix);
        check_error("10.0.0.0/+8", CidrError::Prefix);
        check_error("10.0.0.0/255.0.255.0", CidrError::Prefix);
        check_error("::/129", CidrError::Prefix);
        check_error("::/ffff::", CidrError::Prefix);
    }
}
