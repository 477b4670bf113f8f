//! What may be wrong with settings, and where.

use std::fmt;
use std::io;

/// Why settings could not be loaded. Nothing was written anywhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// One or more things in a source are wrong; all that were found.
    #[error("{}", lines(.findings))]
    Invalid {
        /// The findings, in the order of the text where there is one. Never empty.
        findings: Vec<Finding>,
    },
    /// The file that an option names could not be read.
    #[error("{place}: cannot read `{path}`, named by `{option}`")]
    File {
        /// The option, `[api] vendordata_jsonfile_path`.
        option: String,
        /// The path as it was asked for.
        path: String,
        /// Where the option was set.
        place: Place,
        /// What the file source said.
        #[source]
        source: io::Error,
    },
    /// The file that an option names is not UTF-8 text.
    #[error("{place}: `{path}`, named by `{option}`, is not UTF-8 text")]
    FileNotText {
        /// The option, `[api] vendordata_jsonfile_path`.
        option: String,
        /// The path as it was asked for.
        path: String,
        /// Where the option was set.
        place: Place,
    },
}

impl From<Finding> for Error {
    fn from(finding: Finding) -> Self {
        Self::Invalid {
            findings: vec![finding],
        }
    }
}

fn lines(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(Finding::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// At which option, `[api] dhcp_domain`, when it is at one.
    pub option: Option<String>,
    /// What.
    pub problem: Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.place)?;
        if let Some(option) = &self.option {
            write!(formatter, "`{option}` ")?;
        }
        write!(formatter, "{}", self.problem)
    }
}

/// A place in one of the sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The source: a file's name, or `--set`, or `default`.
    pub origin: String,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
}

impl Place {
    pub(crate) fn of(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            line: None,
            column: None,
        }
    }

    pub(crate) fn line(origin: &str, line: u32) -> Self {
        Self {
            line: Some(line),
            ..Self::of(origin)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(formatter, ":{column}")?;
        }
        Ok(())
    }
}

/// The ways in which a source can be wrong. Values that may be secret are not in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The source is too large to be a settings file.
    #[error("has {size_bytes} bytes, more than the {limit_bytes} that a settings file may have")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// A line of nova.conf is neither a section, a comment, a continuation nor an assignment.
    #[error("neither `=` nor `:` in an assignment")]
    NoSeparator,
    /// Nothing stands before `=` or `:`.
    #[error("no name before `=` or `:`")]
    EmptyKey,
    /// An indented line follows no assignment.
    #[error("an indented line continues no assignment")]
    UnexpectedContinuation,
    /// A section does not end in `]`.
    #[error("a section must end with `]`, and nothing may follow it")]
    SectionNotClosed,
    /// `[]`.
    #[error("a section without a name")]
    SectionWithoutName,
    /// An assignment stands before the first section.
    #[error("an assignment before the first section; write `[DEFAULT]` above it")]
    OutsideSection,
    /// The text is not TOML.
    #[error("not TOML: {reason}")]
    Toml {
        /// What the TOML parser says.
        reason: String,
    },
    /// `--set` without `=`.
    #[error("is not of the form `GROUP.NAME=VALUE`")]
    SetForm,
    /// No option has this name.
    #[error("is not an option{}", suggested(.suggestion))]
    UnknownOption {
        /// The option that may be meant.
        suggestion: Option<String>,
    },
    /// No option is in such a group.
    #[error("is not a group of options{}", suggested(.suggestion))]
    UnknownGroup {
        /// The group that may be meant.
        suggestion: Option<String>,
    },
    /// The option is set twice in one source.
    #[error("is set twice")]
    SetTwice,
    /// A TOML value of the wrong type.
    #[error("must be {expected}, not {found}")]
    WrongType {
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// Not one of the words for true and false.
    #[error("must be one of `true`, `1`, `on`, `yes`, `false`, `0`, `off`, `no`, not {found}")]
    NotBoolean {
        /// The text.
        found: Quoted,
    },
    /// Not an integer.
    #[error("must be an integer, not {found}")]
    NotInteger {
        /// The text.
        found: Quoted,
    },
    /// An integer that is too small.
    #[error("must be at least {minimum}")]
    BelowMinimum {
        /// The least value.
        minimum: i64,
    },
    /// An integer that is too large.
    #[error("must be at most {maximum}")]
    AboveMaximum {
        /// The greatest value.
        maximum: i64,
    },
    /// A value is needed and there is none.
    #[error("has no value")]
    Empty,
    /// A text that is not among the choices.
    #[error("must be one of {}, not {found}", any_of(.choices))]
    NotAChoice {
        /// The choices.
        choices: &'static [&'static str],
        /// The text.
        found: Quoted,
    },
    /// `$name` of an option that nobody sets and whose default is not known here.
    #[error("refers to `${name}`, which is set nowhere and has no default here")]
    ReferenceUnknown {
        /// The name after `$`.
        name: String,
    },
    /// `$name` where `name` is a group.
    #[error("refers to `${name}`, which is a group of options")]
    ReferenceToGroup {
        /// The name after `$`.
        name: String,
    },
    /// `$name` of a list.
    #[error("refers to `${name}`, which is a list and cannot be part of a text")]
    ReferenceToList {
        /// The name after `$`.
        name: String,
    },
    /// `$name` of an option whose own value is wrong.
    #[error("refers to `${name}`, which {problem}")]
    ReferenceInvalid {
        /// The name after `$`.
        name: String,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
    /// An option refers to itself, by way of others or at once.
    #[error("refers to itself through `${name}`")]
    ReferenceCycle {
        /// The name at which the circle closes.
        name: String,
    },
    /// References to references to references.
    #[error("refers to other options over more than {limit} steps")]
    ReferencesTooDeep {
        /// How many steps are allowed.
        limit: usize,
    },
    /// The references of all options together make too long a text.
    #[error("makes more than {limit_bytes} bytes when its references are replaced")]
    ExpansionTooLarge {
        /// How many bytes are allowed.
        limit_bytes: usize,
    },
}

fn suggested(suggestion: &Option<String>) -> String {
    match suggestion {
        Some(suggestion) => format!("; `{suggestion}` is"),
        None => String::new(),
    }
}

fn any_of(choices: &[&str]) -> String {
    choices
        .iter()
        .map(|choice| format!("`{choice}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A value to be shown in a message: shortened, escaped, and left out when it may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(Option<String>);

/// How many characters of a value a message shows.
const QUOTED_CHARACTERS: usize = 60;

impl Quoted {
    pub(crate) fn new(text: &str, hidden: bool) -> Self {
        if hidden {
            return Self(None);
        }
        let mut shown: String = text
            .chars()
            .take(QUOTED_CHARACTERS)
            .flat_map(char::escape_debug)
            .collect();
        if text.chars().nth(QUOTED_CHARACTERS).is_some() {
            shown.push('…');
        }
        Self(Some(shown))
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => write!(formatter, "`{text}`"),
            None => formatter.write_str("what it is"),
        }
    }
}

/// Something that the operator should know and that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// An option is set that does nothing here.
    NoEffect {
        /// The option, `[DEFAULT] mkisofs_cmd`, or a whole group, `[vendordata_dynamic_auth]`.
        option: String,
        /// Where it is set.
        place: Place,
        /// Why it does nothing.
        reason: &'static str,
    },
    /// An option is set by an older name.
    Deprecated {
        /// The name used.
        used: String,
        /// The name to use.
        instead: String,
        /// Where it is set.
        place: Place,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEffect {
                option,
                place,
                reason,
            } => write!(formatter, "{place}: `{option}` has no effect: {reason}"),
            Self::Deprecated {
                used,
                instead,
                place,
            } => write!(formatter, "{place}: `{used}` is now `{instead}`"),
        }
    }
}
