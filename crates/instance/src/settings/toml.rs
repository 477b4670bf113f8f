//! `christen.toml`: Nova's groups and names, TOML's types.
//!
//! ```toml
//! force_config_drive = true        # group DEFAULT; `[DEFAULT]` may be written too
//!
//! [api]
//! dhcp_domain = ""
//! vendordata_providers = ["StaticJSON", "DynamicJSON"]
//! ```
//!
//! Texts are taken as they stand: `$` is an ordinary character here.

use std::collections::BTreeSet;

use ::toml::Spanned;
use ::toml::de::{DeArray, DeInteger, DeString, DeTable, DeValue};

use super::convert;
use super::error::{Finding, Place, Problem};
use super::loader::Assigned;
use super::name::{Named, check_group, look_up};
use super::option::{DEFAULT_GROUP, Kind, OptionDefinition, OptionValue, find, title};

/// The most bytes that a `christen.toml` may have; all its options take less than a hundredth.
pub(super) const MAX_BYTES: usize = 256 << 10;

/// The most findings of one text. Finding the place of each takes a walk through the text,
/// and nobody reads more.
const MAX_FINDINGS: usize = 100;

/// Parses a `christen.toml` and returns what it sets, or all that is wrong with it.
pub(super) fn parse(text: &str, origin: &str) -> Result<Vec<Assigned>, Vec<Finding>> {
    let mut reader = Reader {
        text,
        origin,
        assigned: Vec::new(),
        seen: BTreeSet::new(),
        findings: Vec::new(),
    };
    if text.len() > MAX_BYTES {
        return Err(vec![Finding {
            place: Place::of(origin),
            option: None,
            problem: Problem::TooLarge {
                size_bytes: text.len(),
                limit_bytes: MAX_BYTES,
            },
        }]);
    }
    match DeTable::parse(text) {
        Ok(table) => reader.document(table.get_ref()),
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            let reason = error.message().to_owned();
            reader.find(offset, None, Problem::Toml { reason });
        }
    }
    if reader.findings.is_empty() {
        return Ok(reader.assigned);
    }
    Err(reader.findings)
}

struct Reader<'t> {
    text: &'t str,
    origin: &'t str,
    assigned: Vec<Assigned>,
    seen: BTreeSet<(String, String)>,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn document(&mut self, table: &DeTable<'_>) {
        for (key, value) in in_order(table) {
            let name = key.get_ref().as_ref();
            let offset = key.span().start;
            match value.get_ref() {
                DeValue::Table(options) if find(DEFAULT_GROUP, name).is_none() => {
                    self.group(name, offset, options);
                }
                value => self.option(DEFAULT_GROUP, name, offset, value),
            }
        }
    }

    fn group(&mut self, group: &str, offset: usize, options: &DeTable<'_>) {
        if self.findings.len() == MAX_FINDINGS {
            return;
        }
        if let Err(problem) = check_group(group) {
            self.find(offset, Some(format!("[{group}]")), problem);
            return;
        }
        for (key, value) in in_order(options) {
            self.option(
                group,
                key.get_ref().as_ref(),
                key.span().start,
                value.get_ref(),
            );
        }
    }

    fn option(&mut self, group: &str, name: &str, offset: usize, value: &DeValue<'_>) {
        let title = Some(title(group, name));
        if self.findings.len() == MAX_FINDINGS {
            return;
        }
        if !self.seen.insert((group.to_owned(), name.to_owned())) {
            // Once above the groups and once in `[DEFAULT]`; TOML itself refuses the rest.
            self.find(offset, title, Problem::SetTwice);
            return;
        }
        let value = match look_up(group, name) {
            Err(problem) => Err(problem),
            Ok(Named::Option(option)) => typed(option, value)
                .and_then(|value| convert::check(option, value, option.sensitive))
                .map(|value| (Named::Option(option), Some(value))),
            // One option stands for its group.
            Ok(Named::WithoutEffect(..))
                if !self.seen.insert((group.to_owned(), String::new())) =>
            {
                return;
            }
            Ok(named) => Ok((named, None)),
        };
        match value {
            Ok((named, value)) => {
                let place = self.place(offset);
                self.assigned.push(Assigned {
                    named,
                    value,
                    place,
                });
            }
            Err(problem) => self.find(offset, title, problem),
        }
    }

    fn find(&mut self, offset: usize, option: Option<String>, problem: Problem) {
        let place = self.place(offset);
        self.findings.push(Finding {
            place,
            option,
            problem,
        });
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[start..].chars().count() + 1;
        Place {
            origin: self.origin.to_owned(),
            // MAX_BYTES keeps both far below u32::MAX.
            line: u32::try_from(line).ok(),
            column: u32::try_from(column).ok(),
        }
    }
}

/// The entries of a table from the top of the text down; the table itself has them by name.
fn in_order<'t, 'i>(
    table: &'t DeTable<'i>,
) -> Vec<(&'t Spanned<DeString<'i>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// Takes a TOML value for the option's type; nothing is converted.
fn typed(option: &OptionDefinition, value: &DeValue<'_>) -> Result<OptionValue, Problem> {
    let wrong = |expected| Problem::WrongType {
        expected,
        found: type_name(value),
    };
    match option.kind {
        Kind::Text | Kind::Choice(_) => match value {
            DeValue::String(text) => Ok(OptionValue::Text(Some(text.to_string()))),
            _ => Err(wrong("a string")),
        },
        Kind::Flag => match value {
            DeValue::Boolean(flag) => Ok(OptionValue::Flag(*flag)),
            _ => Err(wrong("`true` or `false`")),
        },
        Kind::Integer(_) => match value {
            DeValue::Integer(number) => Ok(OptionValue::Integer(Some(integer(number)))),
            _ => Err(wrong("an integer")),
        },
        Kind::List | Kind::ChoiceList(_) => match value {
            DeValue::Array(items) => strings(items)
                .map(OptionValue::List)
                .ok_or_else(|| wrong("an array of strings")),
            _ => Err(wrong("an array of strings")),
        },
    }
}

fn strings(items: &DeArray<'_>) -> Option<Vec<String>> {
    items
        .iter()
        .map(Spanned::get_ref)
        .map(|item| match item {
            DeValue::String(text) => Some(text.to_string()),
            _ => None,
        })
        .collect()
}

/// An integer; one too large for `i64` comes back as the nearest, which is out of every
/// bound.
fn integer(number: &DeInteger<'_>) -> i64 {
    let (text, radix) = (number.as_str(), number.radix());
    i64::from_str_radix(text, radix).unwrap_or(if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    })
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
