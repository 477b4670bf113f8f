//! Texts to values, by oslo.config's types (`oslo_config/types.py`).

use super::error::{Problem, Quoted};
use super::nova_conf::trim;
use super::option::{Kind, MAX_INTEGER, OptionDefinition, OptionValue};

/// Converts the text of an option, references already replaced.
///
/// Deliberately narrower than oslo.config: integers are of ASCII digits and at most
/// [`MAX_INTEGER`]. A problem shows the text unless `hidden`.
pub(super) fn from_text(
    option: &OptionDefinition,
    text: &str,
    hidden: bool,
) -> Result<OptionValue, Problem> {
    match option.kind {
        Kind::Text | Kind::Choice(_) => {
            check(option, OptionValue::Text(Some(text.to_owned())), hidden)
        }
        Kind::Flag => flag(text)
            .map(OptionValue::Flag)
            .ok_or_else(|| Problem::NotBoolean {
                found: Quoted::new(text, hidden),
            }),
        Kind::Integer(_) => {
            if trim(text).is_empty() {
                return Ok(OptionValue::Integer(None));
            }
            let number = integer(text).ok_or_else(|| Problem::NotInteger {
                found: Quoted::new(text, hidden),
            })?;
            check(option, OptionValue::Integer(Some(number)), hidden)
        }
        Kind::List | Kind::ChoiceList(_) => check(option, OptionValue::List(list(text)), hidden),
    }
}

/// Checks a value of the right type against the option's choices and bounds.
pub(super) fn check(
    option: &OptionDefinition,
    value: OptionValue,
    hidden: bool,
) -> Result<OptionValue, Problem> {
    let choose = |choices: &'static [&'static str], text: &str| {
        if choices.contains(&text) {
            return Ok(());
        }
        Err(Problem::NotAChoice {
            choices,
            found: Quoted::new(text, hidden),
        })
    };
    match (option.kind, &value) {
        (Kind::Choice(choices), OptionValue::Text(Some(text))) => choose(choices, text)?,
        (Kind::ChoiceList(choices), OptionValue::List(items)) => {
            for item in items {
                choose(choices, item)?;
            }
        }
        (Kind::Integer(minimum), OptionValue::Integer(Some(number))) => {
            if *number < minimum {
                return Err(Problem::BelowMinimum { minimum });
            }
            if *number > MAX_INTEGER {
                return Err(Problem::AboveMaximum {
                    maximum: MAX_INTEGER,
                });
            }
        }
        _ => {}
    }
    Ok(value)
}

/// `types.Boolean`: the words in any case, and no white space around them.
fn flag(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Some(true),
        "false" | "0" | "off" | "no" => Some(false),
        _ => None,
    }
}

/// Python's `int`: a sign, digits, single underscores between digits, white space around.
///
/// A number too large for an `i64` comes back as the largest one, which is over every limit.
fn integer(text: &str) -> Option<i64> {
    let text = trim(text);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut number: i64 = 0;
    for group in digits.split('_') {
        if group.is_empty() {
            return None;
        }
        for digit in group.bytes() {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number
                .saturating_mul(10)
                .saturating_add(i64::from(digit - b'0'));
        }
    }
    Some(if negative { -number } else { number })
}

/// `types.List`: parts between commas without white space around them; commas at the end do
/// not count.
fn list(text: &str) -> Vec<String> {
    let text = trim(text).trim_end_matches(',');
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| trim(item).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::option::find;
    use super::*;

    #[track_caller]
    fn check(group: &str, name: &str, text: &str, expected: &str) {
        let option = find(group, name).expect("an option of the table");
        let found = match from_text(option, text, false) {
            Ok(value) => format!("{value:?}"),
            Err(problem) => problem.to_string(),
        };
        assert_eq!(found, expected, "{name} = {text:?}");
    }

    #[test]
    fn flags() {
        check("DEFAULT", "flat_injected", "YES", "Flag(true)");
        check("DEFAULT", "flat_injected", "oFf", "Flag(false)");
        check(
            "DEFAULT",
            "flat_injected",
            "",
            "must be one of `true`, `1`, `on`, `yes`, `false`, `0`, `off`, `no`, not ``",
        );
    }

    #[test]
    fn integers() {
        let name = "vendordata_dynamic_connect_timeout";
        check("api", name, "10", "Integer(Some(10))");
        check("api", name, " +0_1_0 ", "Integer(Some(10))");
        check("api", name, " ", "Integer(None)");
        check("api", name, "2", "must be at least 3");
        check("api", name, "-99999999999999999999", "must be at least 3");
        check("api", name, "4294967295", "Integer(Some(4294967295))");
        check("api", name, "4294967296", "must be at most 4294967295");
        check(
            "api",
            name,
            "99999999999999999999",
            "must be at most 4294967295",
        );
        for text in ["1__0", "_1", "1_", "-", "0x10", "1.0", "- 5", "five"] {
            check(
                "api",
                name,
                text,
                &format!("must be an integer, not `{text}`"),
            );
        }
    }

    #[test]
    fn lists() {
        let name = "vendordata_dynamic_targets";
        check("api", name, "a@b, c@d,", "List([\"a@b\", \"c@d\"])");
        check("api", name, "a,,b", "List([\"a\", \"\", \"b\"])");
        check("api", name, " ,, ", "List([])");
        check("api", name, "", "List([])");
        let name = "vendordata_providers";
        check(
            "api",
            name,
            "DynamicJSON,StaticJSON",
            "List([\"DynamicJSON\", \"StaticJSON\"])",
        );
        check(
            "api",
            name,
            "StaticJSON,,DynamicJSON",
            "must be one of `StaticJSON`, `DynamicJSON`, not ``",
        );
    }

    #[test]
    fn choices() {
        check(
            "DEFAULT",
            "config_drive_format",
            "vfat",
            "Text(Some(\"vfat\"))",
        );
        check(
            "DEFAULT",
            "config_drive_format",
            "VFAT",
            "must be one of `iso9660`, `vfat`, not `VFAT`",
        );
    }

    #[test]
    fn a_hidden_value_is_not_shown() {
        let option = find("api", "metadata_cache_expiration").expect("an option of the table");
        let problem = from_text(option, "s3cret", true).expect_err("not an integer");
        assert_eq!(problem.to_string(), "must be an integer, not what it is");
        assert!(!format!("{problem:?}").contains("s3cret"));
    }
}
