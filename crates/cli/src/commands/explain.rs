//! `christen explain`: what each consumer in the guest will see.

use std::fmt::Write as _;
use std::process::ExitCode;

use christen_instance::explain::{explain, not_carried};
use christen_instance::{Value, config_drive_required};

use crate::args::ExplainArguments;
use crate::failure::Outcome;
use crate::identity::Identity;
use crate::output;

pub(crate) fn run(arguments: &ExplainArguments) -> Outcome {
    let mut identity = Identity::load(&arguments.identity)?;
    let documents = identity.documents()?;
    let explanation = explain(identity.dialect, &documents);
    let left_out = not_carried(&identity.instance, identity.dialect);
    let required = config_drive_required(&identity.instance, &identity.settings);
    if arguments.json {
        let left_out = left_out
            .iter()
            .map(|it| output::object([("key", it.key.into()), ("reason", it.reason.into())]));
        output::json(&output::object([
            ("config_drive_required", required.into()),
            ("not_carried", left_out.collect::<Vec<Value>>().into()),
            ("explanation", explanation.to_value()),
        ]))?;
    } else {
        let mut text = explanation.to_string();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "\nNova {} a config drive for this instance.",
            if required {
                "requires"
            } else {
                "does not require"
            }
        );
        for it in &left_out {
            let _ = writeln!(text, "Not carried: `{}`: {}.", it.key, it.reason);
        }
        output::data(text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
