//! What a group and a name stand for, and what was meant when they stand for nothing.

use super::error::Problem;
use super::option::{GROUPS_WITHOUT_EFFECT, OPTIONS, OptionDefinition, find, find_deprecated};
use super::suggest::closest;

/// What a group and a name can stand for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named {
    /// An option of the table.
    Option(&'static OptionDefinition),
    /// Any option of a group that has no effect, with the reason.
    WithoutEffect(&'static str, &'static str),
}

/// Finds an option of the table, or says why there is none.
pub(super) fn look_up(group: &str, name: &str) -> Result<Named, Problem> {
    if let Some(option) = find(group, name) {
        return Ok(Named::Option(option));
    }
    if let Some((group, reason)) = without_effect(group) {
        return Ok(Named::WithoutEffect(group, reason));
    }
    check_group(group)?;
    Err(Problem::UnknownOption {
        suggestion: meant(group, name).map(OptionDefinition::title),
    })
}

/// Finds what may have been meant: an older name, the right name in the wrong group, a slip
/// of the pen in the group, and then anywhere.
fn meant(group: &str, name: &str) -> Option<&'static OptionDefinition> {
    let named = |wanted: &str| OPTIONS.iter().find(|option| option.name == wanted);
    find_deprecated(group, name)
        .map(|(option, _)| option)
        .or_else(|| named(name))
        .or_else(|| {
            let names = OPTIONS.iter().filter(|option| option.group == group);
            closest(name, names.map(|option| option.name)).and_then(named)
        })
        .or_else(|| closest(name, OPTIONS.iter().map(|option| option.name)).and_then(named))
}

fn groups() -> impl Iterator<Item = &'static str> {
    OPTIONS
        .iter()
        .map(|option| option.group)
        .chain(GROUPS_WITHOUT_EFFECT.iter().map(|(group, _)| *group))
}

fn without_effect(group: &str) -> Option<(&'static str, &'static str)> {
    GROUPS_WITHOUT_EFFECT
        .iter()
        .copied()
        .find(|(known, _)| *known == group)
}

/// Checks that there is such a group.
pub(super) fn check_group(group: &str) -> Result<(), Problem> {
    if groups().any(|known| known == group) {
        return Ok(());
    }
    Err(Problem::UnknownGroup {
        suggestion: closest(group, groups()).map(|group| format!("[{group}]")),
    })
}
