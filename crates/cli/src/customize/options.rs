//! The options of the table as the command line has them, in their order.

use std::ffi::OsString;
use std::fmt;

use clap::builder::OsStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint};

use super::ready;
use super::step::Step;
use super::table::{OPTIONS, Row, Treatment};
use crate::failure::Failure;

const HEADING: &str = "Changes to the guest, in their order, as virt-customize(1) has them";
const OTHER_HEADING: &str = "Other options of virt-customize, taken and refused";

/// An option that was given; its argument may be a password.
#[derive(Clone)]
struct Given {
    row: &'static Row,
    argument: OsString,
}

impl fmt::Debug for Given {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Given")
            .field("name", &self.row.name)
            .finish_non_exhaustive()
    }
}

impl Given {
    fn step(&self) -> Result<Option<Step>, Failure> {
        let name = self.row.name;
        match &self.row.treatment {
            Treatment::Met(_) => Ok(None),
            Treatment::Refused { because, instead } => {
                Err(Failure::usage(format!("`--{name}` is not done: {because}"))
                    .detail("nothing was changed")
                    .hint(*instead))
            }
            Treatment::Done { read, .. } => {
                let Some(argument) = self.argument.to_str() else {
                    return Err(Failure::usage(format!(
                        "the argument of `--{name}` is not UTF-8 text"
                    ))
                    .hint("`christen edit` takes names of any bytes"));
                };
                let wrong =
                    |message| Failure::usage(format!("`--{name}` is wrong")).detail(message);
                let step = read(argument).map_err(wrong)?;
                ready::ready(name, step).map(Some)
            }
        }
    }
}

/// Changes to the guest beside a description.
#[derive(Debug, Clone, Default)]
pub(crate) struct InjectOptions(Vec<Given>);

/// All options of virt-customize.
#[derive(Debug, Clone, Default)]
pub(crate) struct CustomizeOptions(Vec<Given>);

impl InjectOptions {
    /// Takes the arguments, and reads the small files that they name.
    pub(crate) fn steps(&self) -> Result<Vec<Step>, Failure> {
        steps(&self.0)
    }
}

impl CustomizeOptions {
    /// Takes the arguments, and reads the small files that they name. What is refused is refused before anything is read.
    pub(crate) fn steps(&self) -> Result<Vec<Step>, Failure> {
        let is_refused = |it: &&Given| matches!(it.row.treatment, Treatment::Refused { .. });
        if let Some(refused) = self.0.iter().find(is_refused) {
            refused.step()?;
        }
        steps(&self.0)
    }
}

fn steps(given: &[Given]) -> Result<Vec<Step>, Failure> {
    given
        .iter()
        .filter_map(|it| it.step().transpose())
        .collect()
}

fn is_done(row: &Row) -> bool {
    matches!(row.treatment, Treatment::Done { .. })
}

/// Adds the options of some rows to a command.
fn augment(command: Command, takes: impl Fn(&Row) -> bool) -> Command {
    let rows = OPTIONS.iter().filter(|row| takes(row));
    rows.fold(command, |command, row| command.arg(argument(row)))
}

fn argument(row: &'static Row) -> Arg {
    let mut arg = Arg::new(row.name)
        .long(row.name)
        .visible_aliases(row.aliases.iter().copied());
    if let Some(short) = row.short {
        arg = arg.short(short);
    }
    arg = match row.value {
        Some(value) => arg
            .value_name(value)
            .value_parser(OsStringValueParser::new())
            .action(ArgAction::Append)
            // A content may begin with a hyphen.
            .allow_hyphen_values(true),
        None => arg.action(ArgAction::Count),
    };
    if row
        .value
        .is_some_and(|it| it.starts_with("FILE") || it == "SCRIPT")
    {
        arg = arg.value_hint(ValueHint::FilePath);
    }
    match &row.treatment {
        Treatment::Done { help, .. } => arg.help(*help).help_heading(HEADING),
        Treatment::Met(why) => arg
            .help(format!("Nothing to do: {why}"))
            .help_heading(OTHER_HEADING),
        Treatment::Refused { because, .. } => arg
            .help(format!("Refused: {because}"))
            .help_heading(OTHER_HEADING),
    }
}

/// The options that were given, in the order of the command line.
fn given(matches: &ArgMatches, takes: impl Fn(&Row) -> bool) -> Vec<Given> {
    let mut found = Vec::new();
    for row in OPTIONS.iter().filter(|row| takes(row)) {
        match row.value {
            Some(_) => {
                let indices = matches.indices_of(row.name).into_iter().flatten();
                let arguments = matches.get_many::<OsString>(row.name);
                let arguments = arguments.into_iter().flatten().cloned();
                found.extend(
                    indices
                        .zip(arguments)
                        .map(|(index, argument)| (index, row, argument)),
                );
            }
            None if matches.get_count(row.name) > 0 => {
                let index = matches.index_of(row.name).unwrap_or(usize::MAX);
                found.push((index, row, OsString::new()));
            }
            None => {}
        }
    }
    found.sort_by_key(|(index, ..)| *index);
    let given = |(_, row, argument)| Given { row, argument };
    found.into_iter().map(given).collect()
}

macro_rules! options {
    ($name:ident, $takes:expr) => {
        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self(given(matches, $takes)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                self.0 = given(matches, $takes);
                Ok(())
            }
        }

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                augment(command, $takes)
            }

            fn augment_args_for_update(command: Command) -> Command {
                augment(command, $takes)
            }
        }
    };
}

options!(InjectOptions, is_done);
options!(CustomizeOptions, |_| true);
