//! The only place that writes to standard output and standard error.

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

/// Writes a complete message to standard error.
pub(crate) fn error(text: &str) {
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
