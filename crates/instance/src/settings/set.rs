//! `--set GROUP.NAME=VALUE`.

use super::convert;
use super::error::{Finding, Place, Problem};
use super::loader::Assigned;
use super::name::{Named, look_up};
use super::option::DEFAULT_GROUP;

/// What `--set` calls itself in messages.
pub(super) const ORIGIN: &str = "--set";

/// Parses one argument. A name without a group is of group `DEFAULT`, as in `christen.toml`.
///
/// The value is read as in nova.conf, save that `$` is an ordinary character: who types a
/// value has it at hand, and the shell has replaced what there was to replace.
pub(super) fn parse(argument: &str) -> Result<Assigned, Finding> {
    let finding = |option: Option<String>, problem| Finding {
        place: Place::of(ORIGIN),
        option,
        problem,
    };
    let Some((path, value)) = argument.split_once('=') else {
        return Err(finding(None, Problem::SetForm));
    };
    let (group, name) = path.split_once('.').unwrap_or((DEFAULT_GROUP, path));
    if group.is_empty() || name.is_empty() {
        return Err(finding(None, Problem::SetForm));
    }
    let title = super::option::title(group, name);
    let named = look_up(group, name).map_err(|problem| {
        let wrong = match problem {
            Problem::UnknownGroup { .. } => format!("[{group}]"),
            _ => title.clone(),
        };
        finding(Some(wrong), problem)
    })?;
    let value = match named {
        Named::Option(option) => Some(
            convert::from_text(option, value, option.sensitive)
                .map_err(|problem| finding(Some(title), problem))?,
        ),
        Named::WithoutEffect(..) => None,
    };
    Ok(Assigned {
        named,
        value,
        place: Place::of(ORIGIN),
    })
}
