//! Where a request goes: the part of a URL that is safe to show and to compare.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::http::Uri;

/// Scheme, host and port of a URL. Path, query and user may hold tokens and are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// Returns the origin of an absolute `http` or `https` URL.
    pub(crate) fn of(url: &Uri) -> Option<Self> {
        let scheme = url.scheme_str()?.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let host = url.host()?.to_ascii_lowercase();
        if host.is_empty() {
            return None;
        }
        Some(Self {
            scheme,
            host,
            port: url.port_u16().unwrap_or(default_port),
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// Returns the URL that a `Location` header leads to, when it is of the same origin.
///
/// keystoneauth1 sends the whole request again wherever a redirect leads
/// (`keystoneauth1/session.py`, `_send_request`). The request holds the owner's user data, so
/// we follow only within the origin that the operator has configured.
pub(crate) fn redirected(from: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default();
    let target: Uri = if location.starts_with('/') && !location.starts_with("//") {
        let scheme = from.scheme_str()?;
        let authority = from.authority()?;
        format!("{scheme}://{authority}{location}").parse().ok()?
    } else {
        location.parse().ok()?
    };
    (Origin::of(&target)? == Origin::of(from)?).then_some(target)
}

/// Returns the value of `Authorization` for the user and password in a URL, as requests
/// sends it: both with their percent signs resolved.
pub(crate) fn credentials(url: &Uri) -> Option<String> {
    let (user_info, _) = url.authority()?.as_str().rsplit_once('@')?;
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let mut pair = percent_decoded(user);
    pair.push(b':');
    pair.extend(percent_decoded(password));
    Some(format!("Basic {}", STANDARD.encode(pair)))
}

/// Resolves `%41` and the like; a percent sign that two hexadecimal digits do not follow
/// stays.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let digit = |index: usize| {
            after
                .get(index)
                .and_then(|&byte| char::from(byte).to_digit(16))
        };
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                // Two digits make at most 255.
                decoded.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => decoded.push(first),
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_requests() {
        let check = |url: &str, expected: Option<&str>| {
            let found = credentials(&url.parse().expect("a good URL"));
            let expected = expected.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
            assert_eq!(found, expected, "{url}");
        };
        check("http://host/", None);
        check("http://user:pass@host/", Some("user:pass"));
        check("http://user@host/", Some("user:"));
        check(
            "http://us%40er:p%3aa:ss%zz%@host/",
            Some("us@er:p:a:ss%zz%"),
        );
    }

    #[track_caller]
    fn check(from: &str, location: &str, expected: Option<&str>) {
        let from = from.parse().expect("a good URL");
        let found = redirected(&from, location).map(|url| url.to_string());
        assert_eq!(found.as_deref(), expected, "{location}");
    }

    #[test]
    fn redirects_stay_within_the_origin() {
        let from = "http://u:p@a.test/x?token=1";
        check(from, "/y", Some("http://u:p@a.test/y"));
        check(from, "http://A.test:80/y#z", Some("http://A.test:80/y"));
        for location in [
            "https://a.test/y",
            "http://a.test:81/y",
            "http://b.test/y",
            "//b.test/y",
            "y",
            "",
            "/ y",
            "ftp://a.test/",
            "http:///y",
        ] {
            check(from, location, None);
        }
        check(
            "https://a.test/",
            "https://a.test:443/y",
            Some("https://a.test:443/y"),
        );
        check("https://a.test/", "http://a.test:443/y", None);
    }

    #[test]
    fn an_origin_shows_neither_user_nor_path() {
        let url = "https://u:s3cret@Host.test/t0ken?t0ken"
            .parse()
            .expect("a good URL");
        let origin = Origin::of(&url).expect("an absolute URL");
        assert_eq!(origin.to_string(), "https://host.test:443");
    }
}
