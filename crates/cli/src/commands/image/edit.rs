//! `christen edit`: a script of changes.

use crate::args::image::EditArguments;
use crate::failure::{Failure, Outcome};
use crate::host_files::read_argument;
use crate::image::open;
use crate::image::operation::Step;
use crate::image::script::{self, Mistakes};
use crate::output;

use super::change;

/// The most bytes of a script: its texts are kept in memory.
const MAX_SCRIPT_BYTES: u64 = 16 << 20;

pub(crate) fn run(arguments: &EditArguments) -> Outcome {
    open::stated_format(&arguments.image)?;
    let script = &arguments.script;
    let shown = match script.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => script.display().to_string(),
    };
    let text = read_argument(script, MAX_SCRIPT_BYTES)
        .map_err(|error| Failure::usage(format!("cannot read `{shown}`")).because(&error))?;
    let steps = read(&text).map_err(|mistakes| {
        output::error(&mistakes.render(&shown));
        Failure::usage(format!("`{shown}` has {}", mistakes.count()))
    })?;
    change::run(&arguments.image, &steps)
}

/// Reads a script and looks for the files that it names, so that all mistakes are told at once.
fn read(text: &[u8]) -> Result<Vec<Step>, Mistakes> {
    let (steps, mut mistakes) = script::read(text);
    change::check_sources(&steps, &mut mistakes);
    if mistakes.is_empty() {
        Ok(steps)
    } else {
        Err(mistakes)
    }
}
