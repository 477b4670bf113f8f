//! `christen recover`: completes a commit that was cut.

use std::process::ExitCode;

use christen_block::commit::recover::Recovered;
use christen_block::image;
use christen_instance::Value;

use crate::args::image::RecoverArguments;
use crate::failure::{Failure, Outcome};
use crate::image::{failures, show};
use crate::output;
use crate::progress::Busy;

pub(crate) fn run(arguments: &RecoverArguments) -> Outcome {
    if let Some(root) = &arguments.root {
        return super::root_tree::recover(root, arguments.json);
    }
    let Some(path) = &arguments.image else {
        return Err(Failure::usage("an image is needed"));
    };
    let busy = Busy::new("recovering");
    let recovered = image::recover(
        path,
        arguments.redo_dir.as_deref(),
        &arguments.allow_backing,
        &mut |_| {},
    )
    .map_err(|error| failures::cannot_open(path, &error))?;
    drop(busy);
    let shown = path.display();
    let (word, bytes, told) = match recovered {
        Recovered::Nothing => (
            "nothing",
            None,
            format!("no commit to `{shown}` was cut; there is nothing to do"),
        ),
        Recovered::Completed { bytes } => (
            "completed",
            Some(bytes),
            format!(
                "the commit to `{shown}` that was cut is complete now; {} were written",
                show::size_text(bytes)
            ),
        ),
        Recovered::Discarded => (
            "discarded",
            None,
            format!("the commit to `{shown}` was complete already; its redo file was removed"),
        ),
    };
    if arguments.json {
        output::json(&output::object([
            ("image", show::path_value(path)),
            ("recovered", word.into()),
            ("bytes", bytes.map_or(Value::Null, output::number)),
        ]))?;
    } else {
        output::note(&told);
    }
    Ok(ExitCode::SUCCESS)
}
