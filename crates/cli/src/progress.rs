//! Signs of life on a terminal, for work that takes long.

use std::io::{self, IsTerminal, Read};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the sign moves; the first one appears after this time.
const TICK: Duration = Duration::from_millis(120);

/// Content of fewer bytes is read before anybody has seen how far it is.
const COUNTED_FROM: u64 = 16 << 20;

const BUSY: &str = "{spinner} {msg} {elapsed}";
const COUNTING: &str = "{spinner} {msg} {bar:30} {bytes}/{total_bytes} {elapsed}";

/// The sign that is shown: a terminal has one line for it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn shown() -> Option<ProgressBar> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn show(bar: Option<ProgressBar>) {
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Does what writes to the terminal, with the sign out of its way.
pub(crate) fn aside<T>(write: impl FnOnce() -> T) -> T {
    match shown() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Shows that something is being done until the value is dropped. Silent in a pipe.
pub(crate) struct Busy {
    bar: ProgressBar,
    /// What was being done when this began, as a part of it.
    whole: Option<String>,
}

impl Busy {
    /// Begins to show `what` is being done.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        if let Some(bar) = shown() {
            let whole = Some(bar.message());
            bar.set_message(what.into());
            return Self { bar, whole };
        }
        if !io::stderr().is_terminal() {
            return Self::hidden();
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_message(what.into());
        set_style(&bar, BUSY);
        bar.enable_steady_tick(TICK);
        show(Some(bar.clone()));
        Self { bar, whole: None }
    }

    /// Shows nothing, for a part of something that is shown as a whole.
    pub(crate) fn hidden() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            whole: None,
        }
    }

    /// Says how far it is, in words.
    pub(crate) fn say(&self, what: String) {
        self.bar.set_message(what);
    }

    /// Shows how many bytes are done of how many.
    pub(crate) fn at(&self, done: u64, total: u64) {
        if self.bar.is_hidden() {
            return;
        }
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
            set_style(&self.bar, COUNTING);
        }
        self.bar.set_position(done);
    }
}

fn set_style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        match self.whole.take() {
            Some(whole) => {
                self.bar.unset_length();
                set_style(&self.bar, BUSY);
                self.bar.set_message(whole);
            }
            None if self.bar.is_hidden() => {}
            None => {
                self.bar.finish_and_clear();
                show(None);
            }
        }
    }
}

/// Content that is read, with a sign of how far it is if there is much of it.
pub(crate) struct Reading<R> {
    content: R,
    done: u64,
    total: u64,
    busy: Option<Busy>,
}

impl<R: Read> Reading<R> {
    /// Begins to read content of `total` bytes.
    pub(crate) fn new(content: R, total: u64) -> Self {
        Self {
            content,
            done: 0,
            total,
            busy: (total >= COUNTED_FROM).then(|| Busy::new("reading")),
        }
    }
}

impl<R: Read> Read for Reading<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        self.done = self.done.saturating_add(count as u64);
        if let Some(busy) = &self.busy {
            busy.at(self.done, self.total);
        }
        Ok(count)
    }
}
