//! Text and bytes that must never be shown.

use std::fmt;

/// A password, a private key, user data: something that may be used but not shown.
///
/// There is no `Display`, and `Debug` says `[redacted]`, so a secret cannot slip into a
/// message, a log or a panic. [`Secret::expose`] is the one way to the content, and easy
/// to search for.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// Wraps a value so that it can no longer be printed.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the content, for writing it to where it belongs.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Gives the content up.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_content() {
        let secret = Secret::new("s3cret".to_owned());
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(secret.expose(), "s3cret");
    }
}
