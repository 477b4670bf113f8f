//! `christen drive diff`: two drives by the meaning of their documents.

use std::process::ExitCode;

use christen_configdrive::diff::{self, Change, ChangeKind};
use christen_instance::Value;

use super::open;
use crate::args::DiffArguments;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::progress::Busy;

/// Ends with 0 when nothing differs and with 1 when something does, as diff(1).
pub(crate) fn run(arguments: &DiffArguments) -> Outcome {
    let open = |path| open::drive(path).map_err(Failure::apart_from_an_answer);
    let before = open(&arguments.before)?;
    let after = open(&arguments.after)?;
    let busy = Busy::new("comparing");
    let changes = diff::diff(&before, &after).map_err(|error| {
        Failure::unchanged(format!(
            "cannot compare `{}` and `{}`",
            arguments.before.display(),
            arguments.after.display()
        ))
        .because(&error)
        .apart_from_an_answer()
    })?;
    drop(busy);
    if arguments.json {
        output::json(&Value::Array(changes.iter().map(value).collect()))?;
    } else {
        let text: String = changes.iter().map(|change| format!("{change}\n")).collect();
        output::data(text.as_bytes())?;
    }
    Ok(ExitCode::from(u8::from(!changes.is_empty())))
}

fn value(change: &Change) -> Value {
    output::object([
        ("kind", kind_name(change.kind).into()),
        ("path", change.path.as_str().into()),
        ("place", change.place.as_str().into()),
        ("before", change.before.as_deref().into()),
        ("after", change.after.as_deref().into()),
    ])
}

fn kind_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Format => "format",
        ChangeKind::Label => "label",
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Type => "type",
        ChangeKind::Mode => "mode",
        ChangeKind::Owner => "owner",
        ChangeKind::Target => "target",
        ChangeKind::Content => "content",
        ChangeKind::Value => "value",
        _ => "other",
    }
}
