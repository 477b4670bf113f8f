//! PEM (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::name_hash::element;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Characters of a line (RFC 7468 §2).
const LINE: usize = 64;

/// A certificate in its two forms.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    /// As a whole, in the form that every tool writes.
    pub(super) pem: String,
    /// What is between the lines that begin and end it.
    pub(super) body: String,
}

/// Reads all certificates of a text, one at least; what else is in it is left out. `None` if one of them is none.
pub(super) fn certificates(text: &str) -> Option<Vec<Certificate>> {
    let mut found = Vec::new();
    for part in text.split(BEGIN).skip(1) {
        let (body, _) = part.split_once(END)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).ok()?;
        let (tag, _, rest) = element(&der)?;
        if tag != 0x30 || !rest.is_empty() {
            return None;
        }
        let encoded = STANDARD.encode(&der);
        let mut body = String::new();
        for (at, character) in encoded.chars().enumerate() {
            if at > 0 && at % LINE == 0 {
                body.push('\n');
            }
            body.push(character);
        }
        let pem = format!("{BEGIN}\n{body}\n{END}\n");
        found.push(Certificate { der, pem, body });
    }
    (!found.is_empty()).then_some(found)
}
