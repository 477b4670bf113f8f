//! References to other options: `$name`, `${group.name}`.
//!
//! The rules are those of oslo.config 10.7.0 (`oslo_config/cfg.py`, `ConfigOpts._substitute`
//! and `StrSubWrapper`, over Python's `string.Template`):
//!
//! * `$$` and `\$` stand for `$`. A `$` that no name follows stands for itself.
//! * A name without a group is looked for in the group of the option that refers to it, then
//!   in `DEFAULT`. A name takes in every `.` it meets, and the first one ends the group, so
//!   `$host.example` asks for option `example` of group `host`.
//! * The referred option's value is converted to its type and written as Python writes it
//!   (`True`, `5`), and is not searched for references again.
//!
//! Nova knows all its options, we know those of our table: an option that is not in it counts
//! as text when one of the files sets it, and cannot be referred to when none does. Lists
//! cannot be referred to.

use std::collections::HashMap;
use std::rc::Rc;

use super::convert;
use super::error::{Place, Problem};
use super::loader::{Found, Sources};
use super::name;
use super::option::{
    DEFAULT_GROUP, Default, OptionDefinition, OptionValue, SHIPPED_TEMPLATE, find, find_deprecated,
};

/// The most options on the way from an option to the end of its references. Python's stack
/// ends oslo.config's at about twice as many.
const MAX_DEPTH: usize = 64;

/// The most bytes that may be written on the way to one value with references: a few lines
/// that each name the one before twice would else fill any memory.
const MAX_EXPANDED_BYTES: usize = 1 << 20;

/// What a reference counts for among those bytes, so that millions of references to nothing
/// end as well.
const REFERENCE_BYTES: usize = 16;

/// Finds the values of options in the sources.
pub(super) struct Resolver<'s> {
    sources: &'s Sources,
    /// The options whose value is being made, outermost first.
    path: Vec<(String, String)>,
    /// Values already written into a text, by group and name: each is made once, so the time
    /// is in proportion to the sources and not to the ways through them.
    texts: HashMap<(String, String), Rc<str>>,
    expanded_bytes: usize,
}

impl<'s> Resolver<'s> {
    pub(super) fn new(sources: &'s Sources) -> Self {
        Self {
            sources,
            path: Vec::new(),
            texts: HashMap::new(),
            expanded_bytes: 0,
        }
    }

    /// Returns the value of an option and where it comes from.
    pub(super) fn value(
        &mut self,
        option: &'static OptionDefinition,
    ) -> Result<(OptionValue, Place), (Problem, Place)> {
        let found = self.sources.find(option);
        let place = found.place();
        self.path.clear();
        self.expanded_bytes = 0;
        match self.convert(option, &found) {
            Ok(value) => Ok((value, place)),
            Err(problem) => Err((problem, place)),
        }
    }

    fn convert(
        &mut self,
        option: &'static OptionDefinition,
        found: &Found<'_>,
    ) -> Result<OptionValue, Problem> {
        let raw = match found {
            Found::Typed(value, _) => return Ok((*value).clone()),
            Found::Text(text, ..) => *text,
            Found::Nowhere => match option.default {
                Default::Nothing => return Ok(OptionValue::Text(None)),
                Default::Flag(flag) => return Ok(OptionValue::Flag(flag)),
                Default::Integer(number) => return Ok(OptionValue::Integer(Some(number))),
                Default::List(items) => {
                    let items = items.iter().map(|&item| item.to_owned()).collect();
                    return Ok(OptionValue::List(items));
                }
                Default::Text(text) => text,
                Default::OfTheHost => {
                    return Err(Problem::ReferenceUnknown {
                        name: option.name.to_owned(),
                    });
                }
            },
        };
        // The shipped template is not a file here; only a reference to its path needs one. Of another option this is no value.
        let names_the_template = matches!(option.default, Default::Text(SHIPPED_TEMPLATE));
        if names_the_template && raw == SHIPPED_TEMPLATE && self.path.is_empty() {
            return Ok(OptionValue::Text(Some(raw.to_owned())));
        }
        let text = self.within(option.group, option.name, |resolver| {
            resolver.replace(raw, option.group)
        })?;
        // What comes in by a reference may be another option's secret.
        let hidden = option.sensitive || raw.contains('$');
        convert::from_text(option, &text, hidden)
    }

    /// Runs a step with an option on the path, so that circles and long chains are seen.
    fn within<T>(
        &mut self,
        group: &str,
        name: &str,
        step: impl FnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let here = (group.to_owned(), name.to_owned());
        if self.path.contains(&here) {
            return Err(Problem::ReferenceCycle { name: here.1 });
        }
        if self.path.len() == MAX_DEPTH {
            return Err(Problem::ReferencesTooDeep { limit: MAX_DEPTH });
        }
        self.path.push(here);
        let result = step(self);
        self.path.pop();
        result
    }

    /// Replaces the references in a text; `group` is the group of its option.
    fn replace(&mut self, text: &str, group: &str) -> Result<String, Problem> {
        if !text.contains('$') {
            return Ok(text.to_owned());
        }
        let text = text.replace("\\$", "$$");
        let mut replaced = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('$') {
            self.push(&mut replaced, before)?;
            rest = match Token::first(after) {
                Token::Dollar(rest) => {
                    self.push(&mut replaced, "$")?;
                    rest
                }
                Token::Name(name, rest) => {
                    self.expanded_bytes = self.expanded_bytes.saturating_add(REFERENCE_BYTES);
                    let value = self.reference(name, group)?;
                    self.push(&mut replaced, &value)?;
                    rest
                }
            };
        }
        self.push(&mut replaced, rest)?;
        Ok(replaced)
    }

    fn push(&mut self, text: &mut String, part: &str) -> Result<(), Problem> {
        self.expanded_bytes = self.expanded_bytes.saturating_add(part.len());
        if self.expanded_bytes > MAX_EXPANDED_BYTES {
            return Err(Problem::ExpansionTooLarge {
                limit_bytes: MAX_EXPANDED_BYTES,
            });
        }
        text.push_str(part);
        Ok(())
    }

    /// Returns the text of the option that `$name` means in an option of `group`.
    fn reference(&mut self, name: &str, group: &str) -> Result<Rc<str>, Problem> {
        let unknown = || Problem::ReferenceUnknown {
            name: name.to_owned(),
        };
        if let Some((group, option)) = name.split_once('.') {
            // `DEFAULT` is no group that oslo.config could be asked for.
            if group == DEFAULT_GROUP {
                return Err(unknown());
            }
            return self.text(group, option, name)?.ok_or_else(unknown);
        }
        // In a group of which we know the options, others of its names are none of Nova's.
        let default_only = find(group, name).is_none()
            && find(DEFAULT_GROUP, name).is_some()
            && name::check_group(group).is_ok();
        if group != DEFAULT_GROUP
            && !default_only
            && let Some(text) = self.text(group, name, name)?
        {
            return Ok(text);
        }
        if name::check_group(name).is_ok() {
            return Err(Problem::ReferenceToGroup {
                name: name.to_owned(),
            });
        }
        self.text(DEFAULT_GROUP, name, name)?.ok_or_else(unknown)
    }

    /// Returns an option's value as text, or nothing when there is no such option.
    fn text(&mut self, group: &str, name: &str, written: &str) -> Result<Option<Rc<str>>, Problem> {
        let key = (group.to_owned(), name.to_owned());
        if let Some(text) = self.texts.get(&key) {
            return Ok(Some(text.clone()));
        }
        let current = find(group, name).map(|option| (option, option.group));
        let known = current.or_else(|| find_deprecated(group, name));
        let text = if let Some((option, group)) = known {
            let found = self.sources.find_in(option, group);
            let value = self
                .convert(option, &found)
                .map_err(|problem| nested(written, problem))?;
            as_python(&value).ok_or_else(|| Problem::ReferenceToList {
                name: written.to_owned(),
            })?
        } else if let Some(raw) = self.sources.foreign(group, name) {
            self.within(group, name, |resolver| resolver.replace(raw, group))?
        } else {
            return Ok(None);
        };
        let text: Rc<str> = text.into();
        self.texts.insert(key, text.clone());
        Ok(Some(text))
    }
}

/// Says at which reference a value is wrong; problems of references themselves stay as they
/// are, with the name that cannot be followed.
fn nested(written: &str, problem: Problem) -> Problem {
    match problem {
        Problem::NotBoolean { .. }
        | Problem::NotInteger { .. }
        | Problem::BelowMinimum { .. }
        | Problem::AboveMaximum { .. }
        | Problem::NotAChoice { .. } => Problem::ReferenceInvalid {
            name: written.to_owned(),
            problem: Box::new(problem),
        },
        other => other,
    }
}

/// Python's `str` of a value; an absent one is empty.
fn as_python(value: &OptionValue) -> Option<String> {
    match value {
        OptionValue::Text(text) => Some(text.clone().unwrap_or_default()),
        OptionValue::Flag(true) => Some("True".to_owned()),
        OptionValue::Flag(false) => Some("False".to_owned()),
        OptionValue::Integer(number) => {
            Some(number.map(|number| number.to_string()).unwrap_or_default())
        }
        OptionValue::List(_) => None,
    }
}

/// What follows a `$`.
enum Token<'t> {
    /// The `$` is an ordinary one; the rest of the text.
    Dollar(&'t str),
    /// A name, and the rest of the text.
    Name(&'t str, &'t str),
}

impl<'t> Token<'t> {
    fn first(after: &'t str) -> Self {
        if let Some(rest) = after.strip_prefix('$') {
            return Self::Dollar(rest);
        }
        let braced = after.strip_prefix('{');
        let text = braced.unwrap_or(after);
        let length = name_length(text);
        let (name, rest) = text.split_at(length);
        match (braced, length) {
            (_, 0) => Self::Dollar(after),
            (None, _) => Self::Name(name, rest),
            (Some(_), _) => match rest.strip_prefix('}') {
                Some(rest) => Self::Name(name, rest),
                None => Self::Dollar(after),
            },
        }
    }
}

/// Returns the length in bytes of the name at the beginning of a text.
///
/// The pattern is `[_a-z][\._a-z0-9]*` without regard to case, which in Python takes in four
/// letters beyond ASCII.
fn name_length(text: &str) -> usize {
    let letter = |character: char| {
        character.is_ascii_alphabetic()
            || character == '_'
            || matches!(character, 'ı' | 'İ' | 'ſ' | '\u{212a}')
    };
    if !text.starts_with(letter) {
        return 0;
    }
    text.find(|character: char| {
        !(letter(character) || character.is_ascii_digit() || character == '.')
    })
    .unwrap_or(text.len())
}
