//! Identity that a description leaves open: the uuid and the host name.

use std::fmt::Write as _;

use crate::hostname::hostname_from_name;
use crate::inputs::RandomSource;
use crate::{Error, Instance};

/// Draws a random uuid (version 4, RFC 9562 §5.4): 16 bytes of the source.
///
/// # Errors
///
/// Fails when the source does.
pub fn draw_uuid(random: &mut dyn RandomSource) -> Result<String, Error> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes).map_err(|source| Error::Random {
        purpose: "the uuid",
        source,
    })?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut uuid = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        // Writing to a `String` cannot fail.
        let _ = write!(uuid, "{byte:02x}");
    }
    Ok(uuid)
}

/// The host name without the operator's domain: the instance's own, or made from its name.
///
/// `uuid` is asked only when nothing of the name is left.
///
/// # Errors
///
/// Fails when `uuid` does.
pub fn short_hostname(
    instance: &Instance,
    uuid: impl FnOnce() -> Result<String, Error>,
) -> Result<String, Error> {
    if let Some(hostname) = &instance.hostname {
        return Ok(hostname.clone());
    }
    // A name that leaves something is in lower case, so it cannot be mistaken for this.
    let made = hostname_from_name(&instance.name, "");
    if made == hostname_from_name("", "") {
        return Ok(hostname_from_name("", &uuid()?));
    }
    Ok(made)
}

/// The host name with the operator's domain behind it, when there is one (`[api]
/// dhcp_domain`; Nova 34.0.0, `nova/api/metadata/base.py`, `_get_hostname`).
///
/// A name that has a dot is qualified already and stays as it is. Nova appends all the same,
/// which is why it wants the option empty where users give such names.
pub fn qualified_hostname(hostname: &str, domain: &str, like_nova: bool) -> String {
    let qualified = hostname.contains('.') && !like_nova;
    if domain.is_empty() || qualified {
        hostname.to_owned()
    } else {
        format!("{hostname}.{domain}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    struct Fixed(u8);

    impl RandomSource for Fixed {
        fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
            buffer.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn a_drawn_uuid_has_version_and_variant() {
        let check = |byte, expected| {
            assert_eq!(
                draw_uuid(&mut Fixed(byte)).expect("it does not end"),
                expected
            );
        };
        check(0x00, "00000000-0000-4000-8000-000000000000");
        check(0xff, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn the_domain_is_appended_when_there_is_one() {
        let check = |hostname, domain, like_nova, expected| {
            assert_eq!(qualified_hostname(hostname, domain, like_nova), expected);
        };
        check("a", "novalocal", false, "a.novalocal");
        check("a", "novalocal", true, "a.novalocal");
        check("a.b", "", true, "a.b");
        check("a.b", "novalocal", false, "a.b");
        check("a.b", "novalocal", true, "a.b.novalocal");
    }
}
