//! The time of an image of files from this host.

use std::env;

use crate::clock;
use crate::failure::Failure;

/// The time of an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageTime {
    /// Seconds since the epoch.
    pub(crate) seconds: i64,
    /// No file on the image is newer than this, if the time was said and not looked up:
    /// what is built later from the same sources must not differ.
    pub(crate) newest: Option<i64>,
}

/// `SOURCE_DATE_EPOCH`, else now.
pub(crate) fn resolve() -> Result<ImageTime, Failure> {
    let seconds = clock::resolve(None)?.as_second();
    let said = env::var_os(clock::SOURCE_DATE_EPOCH).is_some();
    Ok(ImageTime {
        seconds,
        newest: said.then_some(seconds),
    })
}
