//! How a command ends badly: the message, the hint and the exit status.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use crate::output::visible;

/// Exit statuses, by the table in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Failed; whatever was to be written is as it was before.
    Unchanged = 1,
    /// The command line or the input is wrong; nothing was tried.
    Usage = 2,
    /// Failed; the target may have changed, and the message says how.
    Changed = 3,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// A failed command, ready to be told.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    message: String,
    details: Vec<String>,
    hint: Option<String>,
}

/// What a command returns.
pub(crate) type Outcome = Result<ExitCode, Failure>;

impl Failure {
    /// A failure that left the target as it was.
    pub(crate) fn unchanged(message: impl Into<String>) -> Self {
        Self::with_status(Status::Unchanged, message)
    }

    /// A mistake in the arguments or the input.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::with_status(Status::Usage, message)
    }

    /// A failure after which the target may have changed.
    pub(crate) fn changed(message: impl Into<String>) -> Self {
        Self::with_status(Status::Changed, message)
    }

    /// The same failure where status 1 is an answer, as it is to `drive diff`: trouble is 2 then.
    pub(crate) fn apart_from_an_answer(mut self) -> Self {
        self.status = Status::Usage;
        self
    }

    /// The same failure when it comes after the target was changed; `what` says how.
    pub(crate) fn after_change(mut self, what: &str) -> Self {
        self.status = Status::Changed;
        self.details
            .insert(0, std::mem::replace(&mut self.message, what.to_owned()));
        self
    }

    fn with_status(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            details: Vec::new(),
            hint: None,
        }
    }

    /// Adds the chain of causes, one line each. This is the one place that walks it.
    pub(crate) fn because(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            // A wrapper may repeat its cause word for word; saying it once is enough.
            if self.details.last() != Some(&text) {
                self.details.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds a line of explanation.
    pub(crate) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Adds what the user can do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether the user was told what to do.
    pub(crate) fn has_hint(&self) -> bool {
        self.hint.is_some()
    }

    /// The text for standard error, with a final newline. Any of it may have come from a stranger, such as the name of a file in an image,
    /// so what would play with a terminal is escaped here.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("error: {}\n", visible(&self.message));
        for detail in &self.details {
            for line in detail.lines() {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "  {}", visible(line));
            }
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "hint: {}", visible(hint));
        }
        text
    }

    /// The message and its causes in one line.
    pub(crate) fn line(&self) -> String {
        let details = self.details.iter().flat_map(|it| it.lines());
        let parts: Vec<_> = std::iter::once(&*self.message).chain(details).collect();
        visible(&parts.join(": "))
    }

    /// What the user can do about it.
    pub(crate) fn hint_text(&self) -> Option<String> {
        self.hint.as_deref().map(visible)
    }

    /// Whether the target may have changed.
    pub(crate) fn is_after_change(&self) -> bool {
        self.status == Status::Changed
    }

    /// The process's exit status.
    pub(crate) fn exit_code(&self) -> ExitCode {
        self.status.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the superblock is damaged")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_are_told_one_line_each_and_the_hint_last() {
        let failure = Failure::unchanged("cannot read `a.img`")
            .because(&Outer(std::io::Error::other("magic is 0")))
            .hint("make it again");
        assert_eq!(
            failure.render(),
            "error: cannot read `a.img`\n  the superblock is damaged\n  magic is 0\n\
             hint: make it again\n"
        );
        let hostile = Failure::usage("no `\x1b[2J`")
            .detail("a\nb\r\x07")
            .hint("\u{9b}x");
        assert_eq!(
            hostile.render(),
            "error: no `\\u{1b}[2J`\n  a\n  b\\r\\u{7}\nhint: \\u{9b}x\n"
        );
        assert_eq!(failure.exit_code(), ExitCode::from(1));
        assert_eq!(
            failure.line(),
            "cannot read `a.img`: the superblock is damaged: magic is 0"
        );
    }
}
