//! What an NBD export is called (the NBD project, `doc/uri.md`).

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Result, Unsupported};

/// The port that IANA gave to NBD.
const DEFAULT_PORT: u16 = 10_809;

/// The longest name of an export (`doc/proto.md`, "Values": string length).
const NAME_BYTES: usize = 4096;

/// Where an export is: `nbd://HOST[:PORT]/EXPORT` or `nbd+unix:///EXPORT?socket=PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    text: String,
    pub(super) place: Place,
    pub(super) export: String,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Internet { host: String, port: u16 },
    Local { socket: PathBuf },
}

impl Uri {
    /// Parses a URI. The export may be empty, which asks for the server's default one.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for what is no such URI, and by name for TLS, vsock and users.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |what: &str| Err(Error::Unsupported(Unsupported::new(what)));
        let Some((scheme, rest)) = text.split_once("://") else {
            return refused("an NBD address without a scheme is");
        };
        let local = match scheme {
            "nbd" => false,
            "nbd+unix" => true,
            "nbds" | "nbds+unix" => return refused("NBD over TLS is"),
            _ => return refused("an NBD address whose scheme is neither `nbd` nor `nbd+unix` is"),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return refused("a user in an NBD address is");
        }
        let Some(export) = decoded(path).filter(|export| export.len() <= NAME_BYTES) else {
            return refused("an NBD export whose name is no UTF-8 of at most 4096 bytes is");
        };
        let mut socket = None;
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("socket", path)) if local && socket.is_none() => socket = decoded(path),
                _ => return refused("an NBD address with a parameter other than `socket` is"),
            }
        }
        let place = if local {
            match socket.filter(|socket| !socket.is_empty() && authority.is_empty()) {
                Some(socket) => Place::Local {
                    socket: socket.into(),
                },
                None => return refused("an NBD address without a `socket` is"),
            }
        } else {
            match internet(authority) {
                Some(place) => place,
                None => return refused("an NBD address without a host and a port is"),
            }
        };
        Ok(Self {
            text: text.to_owned(),
            place,
            export,
        })
    }

    /// Returns what tells the export from others, whatever way it was written.
    pub(super) fn canonical(&self) -> String {
        match &self.place {
            Place::Internet { host, port } => {
                format!("{}:{port}/{}", host.to_ascii_lowercase(), self.export)
            }
            Place::Local { socket } => format!("{}?{}", socket.display(), self.export),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Takes `HOST[:PORT]` apart, where a host with colons stands in brackets.
fn internet(authority: &str) -> Option<Place> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match rest.strip_prefix(':') {
        Some(port) => port.parse().ok()?,
        None if rest.is_empty() => DEFAULT_PORT,
        None => return None,
    };
    (!host.is_empty()).then(|| Place::Internet {
        host: host.to_owned(),
        port,
    })
}

/// Undoes the percent signs of RFC 3986, section 2.1.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        // Two digits of sixteen.
        bytes.push((high * 16 + low) as u8);
    }
    if bytes.contains(&0) {
        return None;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Place, String) {
        let uri = Uri::parse(text).unwrap();
        (uri.place, uri.export)
    }

    fn host(host: &str, port: u16) -> Place {
        Place::Internet {
            host: host.into(),
            port,
        }
    }

    #[test]
    fn what_can_be_written() {
        assert_eq!(parsed("nbd://a"), (host("a", 10_809), String::new()));
        assert_eq!(parsed("nbd://a:1/b/c%20d"), (host("a", 1), "b/c d".into()));
        assert_eq!(parsed("nbd://[::1]:99/x"), (host("::1", 99), "x".into()));
        let local = Place::Local {
            socket: "/run/a b".into(),
        };
        assert_eq!(
            parsed("nbd+unix:///x?socket=/run/a%20b"),
            (local.clone(), "x".into())
        );
        assert_eq!(
            parsed("nbd+unix://?socket=/run/a b"),
            (local, String::new())
        );
    }

    #[test]
    fn what_is_refused() {
        for (text, why) in [
            ("a:1", "without a scheme"),
            ("http://a", "whose scheme"),
            ("nbds://a/x", "over TLS"),
            ("nbds+unix:///x?socket=/s", "over TLS"),
            ("nbd://user@a/x", "a user"),
            ("nbd:///x", "without a host"),
            ("nbd://a:port/x", "without a host"),
            ("nbd://a:99999/x", "without a host"),
            ("nbd://[::1/x", "without a host"),
            ("nbd+unix:///x", "without a `socket`"),
            ("nbd+unix://a/x?socket=/s", "without a `socket`"),
            ("nbd+unix:///x?socket=/s&tls-type=psk", "a parameter"),
            ("nbd://a/x?socket=/s", "a parameter"),
            ("nbd://a/%ff", "no UTF-8"),
            ("nbd://a/%0", "no UTF-8"),
            ("nbd://a/%00", "no UTF-8"),
        ] {
            let error = Uri::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
