//! The only place that writes to standard output and standard error.

use std::cell::RefCell;
use std::io::{self, Write};

use christen_instance::Value;

use crate::failure::Failure;
use crate::progress;

/// Writes data to standard output.
///
/// A reader that has gone away (`| head`) is not our failure: the rest is dropped quietly.
pub(crate) fn data(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::unchanged("cannot write to standard output").because(&error)),
        Ok(()) => Ok(()),
    }
}

/// Writes a part of what is long, and tells whether anybody still reads it.
pub(crate) fn portion(bytes: &[u8]) -> Result<bool, Failure> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::unchanged("cannot write to standard output").because(&error)),
        Ok(()) => Ok(true),
    }
}

/// Writes a JSON value and a newline to standard output.
pub(crate) fn json(value: &Value) -> Result<(), Failure> {
    let mut text = christen_instance::json::encode(value);
    text.push('\n');
    data(text.as_bytes())
}

thread_local! {
    /// Messages of this thread that are kept for whoever asked for them.
    static KEPT: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Does something, and returns what it would have told on standard error meanwhile: of many things done at once, nobody could say whose
/// message is whose.
pub(crate) fn kept<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    KEPT.set(Some(Vec::new()));
    let done = work();
    (done, KEPT.take().unwrap_or_default())
}

/// Writes a complete message to standard error.
pub(crate) fn error(text: &str) {
    let is_kept = KEPT.with_borrow_mut(|kept| {
        let is_kept = kept.is_some();
        if let Some(messages) = kept {
            messages.push(text.trim_end().to_owned());
        }
        is_kept
    });
    if is_kept {
        return;
    }
    // Nobody is left to be told when standard error is closed.
    let _ = progress::aside(|| io::stderr().lock().write_all(text.as_bytes()));
}

/// Writes a warning to standard error.
pub(crate) fn warning(text: &str) {
    error(&format!("warning: {}\n", visible(text)));
}

/// Writes something worth knowing to standard error.
pub(crate) fn note(text: &str) {
    error(&format!("note: {}\n", visible(text)));
}

/// A JSON number.
pub(crate) fn number(number: u64) -> Value {
    Value::Integer(number.to_string())
}

/// A JSON object.
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// Text from a stranger, safe for a terminal: control characters are escaped.
pub(crate) fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let hidden = character.is_control();
            let escaped = hidden.then(|| character.escape_default());
            let plain = (!hidden).then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}
