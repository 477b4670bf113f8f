//! `christen schema`: the JSON Schema of the description.

use std::process::ExitCode;

use christen_instance::schema;

use crate::failure::Outcome;
use crate::output;

pub(crate) fn run() -> Outcome {
    output::json(&schema::json_schema())?;
    Ok(ExitCode::SUCCESS)
}
