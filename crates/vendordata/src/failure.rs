//! Failures in words, without anything secret.

use christen_instance::inputs::VendorDataFailure;
use ureq::{Error, Timeout};

use crate::client::Limits;

/// How many characters of another program's text a reason shows.
const QUOTED_CHARACTERS: usize = 200;

/// Makes a failure from a reason of our own words.
pub(crate) fn failure(reason: impl Into<String>) -> VendorDataFailure {
    VendorDataFailure {
        reason: reason.into(),
    }
}

/// Says what a failed exchange failed of.
///
/// Texts of [`Error`] that would hold the URL are left out.
pub(crate) fn exchange(error: &Error, limits: &Limits) -> String {
    let seconds = |limit: Option<std::time::Duration>| match limit {
        Some(limit) => format!("{} s", limit.as_secs_f64()),
        None => "the time allowed".to_owned(),
    };
    match error {
        Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            format!("no connection within {}", seconds(limits.connect))
        }
        Error::Timeout(Timeout::PerRead) => {
            format!("nothing was heard for {}", seconds(limits.read))
        }
        Error::Timeout(_) => format!("no whole answer within {}", seconds(Some(limits.total))),
        Error::BodyExceedsLimit(limit) => format!("the answer has more than {limit} bytes"),
        Error::LargeResponseHeader(..) => "the answer's head is too large".to_owned(),
        Error::HostNotFound => "there is no host of that name".to_owned(),
        Error::Io(error) => quoted(&error.to_string()),
        Error::Rustls(error) => quoted(&error.to_string()),
        Error::Tls(reason) => (*reason).to_owned(),
        Error::Protocol(error) => format!("the answer is not HTTP: {}", quoted(&error.to_string())),
        Error::BadUri(_) | Error::Http(_) => "the target's URL cannot be used".to_owned(),
        _ => "the exchange failed".to_owned(),
    }
}

/// Makes a text from elsewhere one line of bounded length.
fn quoted(text: &str) -> String {
    text.chars()
        .take(QUOTED_CHARACTERS)
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect()
}
