//! What time it is: as said, else SOURCE_DATE_EPOCH, else now.

use std::env;

use jiff::Timestamp;

use crate::failure::Failure;

/// The variable of <https://reproducible-builds.org/specs/source-date-epoch/>.
pub(crate) const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Resolves `--time`, the environment and the clock, in this order.
pub(crate) fn resolve(time: Option<&str>) -> Result<Timestamp, Failure> {
    if let Some(text) = time {
        return text.parse().map_err(|_| {
            Failure::usage(format!("`--time {text}` is not a time"))
                .hint("write it as RFC 3339 with an offset: `2026-01-15T12:00:00Z`")
        });
    }
    match env::var(SOURCE_DATE_EPOCH) {
        Ok(text) => text
            .parse()
            .ok()
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .ok_or_else(|| {
                Failure::usage(format!("{SOURCE_DATE_EPOCH} is `{text}`"))
                    .hint("it holds seconds since 1970-01-01T00:00:00Z, as a decimal number")
            }),
        Err(env::VarError::NotPresent) => Ok(Timestamp::now()),
        Err(env::VarError::NotUnicode(_)) => Err(Failure::usage(format!(
            "{SOURCE_DATE_EPOCH} is not a number"
        ))),
    }
}
