//! JSON as Python reads and writes it.
//!
//! Nova's documents come from Python's `json` module with its defaults, and an operator's
//! vendor data goes through it both ways, so the bytes in a guest's hands depend on
//! Python's habits: the separators, `\uXXXX` for everything outside printable ASCII, the
//! spelling of floats, integers of any size, `NaN` and the infinities, and the last of
//! several members with one name winning at the place of the first.

mod encode;
mod parse;

pub(crate) use encode::ObjectWriter;
pub use encode::encode;
pub use parse::{MAX_BYTES, MAX_DEPTH, MAX_INTEGER_DIGITS, ParseError, ParseErrorKind, parse};
