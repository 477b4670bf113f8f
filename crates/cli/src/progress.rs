//! Signs of life on a terminal, for work that takes long.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the sign moves; the first one appears after this time.
const TICK: Duration = Duration::from_millis(120);

/// Shows that something is being done until the value is dropped. Silent in a pipe.
pub(crate) struct Busy(ProgressBar);

impl Busy {
    /// Begins to show `what` is being done.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what.into());
        bar.enable_steady_tick(TICK);
        Self(bar)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
