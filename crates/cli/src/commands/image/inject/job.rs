//! One line of a batch: which image, which instance, which options.

use std::path::{Path, PathBuf};

use christen_instance::{Value, json};
use clap::ValueEnum;

use crate::args::image::{VolumeArguments, WriteArguments};
use crate::identity::Described;

/// An injection of a batch.
#[derive(Debug)]
pub(super) struct Job {
    /// The image and how it is changed.
    pub(super) image: WriteArguments,
    /// The instance.
    pub(super) described: Described,
}

/// Why a line is no injection.
#[derive(Debug, thiserror::Error)]
pub(super) enum JobError {
    /// It is something else than text.
    #[error("the line is not UTF-8 text")]
    NotText,
    /// It is no JSON.
    #[error("the line is not a JSON object")]
    NotJson(#[source] json::ParseError),
    /// It is another kind of JSON.
    #[error("the line is not a JSON object")]
    NotObject,
    /// A word is not known.
    #[error("`{0}` is not known: a job has {names}", names = KNOWN.map(|it| format!("`{it}`")).join(", "))]
    Unknown(String),
    /// What is always needed is not there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A value is of another kind or another word.
    #[error("`{name}` must be {must}")]
    Value {
        name: &'static str,
        must: &'static str,
    },
    /// The volume is told twice.
    #[error("only one of `partition`, `lv`, and `volume` tells the volume")]
    Volumes,
    /// The kind of an image that is not made.
    #[error("`output_kind` tells how `output` is made, and there is no `output`")]
    NoOutput,
    /// Standard input is that of the batch.
    #[error(
        "`instance` must be a file or an object: standard input has no description of one of many"
    )]
    StandardInput,
}

const KNOWN: [&str; 11] = [
    "image",
    "instance",
    "format",
    "output",
    "output_kind",
    "partition",
    "lv",
    "volume",
    "allow_backing",
    "redo_dir",
    "replay_journal",
];

impl Job {
    /// Reads a line. What it does not say is as the command line says it for all. `origin` is what is told of the line, and relative names
    /// in a description that stands in it are taken from the directory of `beside`.
    pub(super) fn parse(
        line: &[u8],
        common: &WriteArguments,
        origin: &str,
        beside: &Path,
    ) -> Result<Self, JobError> {
        let text = str::from_utf8(line).map_err(|_| JobError::NotText)?;
        let Value::Object(members) = json::parse(text).map_err(JobError::NotJson)? else {
            return Err(JobError::NotObject);
        };
        if let Some((name, _)) = members.iter().find(|(it, _)| !KNOWN.contains(&&**it)) {
            return Err(JobError::Unknown(name.clone()));
        }
        let words = Words(Value::Object(members));
        let mut image = common.clone();
        image.image = words.path("image")?.ok_or(JobError::Missing("image"))?;
        image.output = words.path("output")?;
        if let Some(format) = words.choice("format", "`raw` or `qcow2`")? {
            image.format = Some(format);
        }
        if let Some(kind) = words.choice("output_kind", "`copy` or `overlay`")? {
            if image.output.is_none() {
                return Err(JobError::NoOutput);
            }
            image.output_kind = kind;
        }
        let volume = VolumeArguments {
            partition: words.number("partition")?,
            lv: words.text("lv")?,
            volume: words.text("volume")?,
        };
        match [
            volume.partition.is_some(),
            volume.lv.is_some(),
            volume.volume.is_some(),
        ]
        .iter()
        .filter(|it| **it)
        .count()
        {
            0 => {}
            1 => image.volume = volume,
            _ => return Err(JobError::Volumes),
        }
        if let Some(directories) = words.paths("allow_backing")? {
            image.allow_backing = directories;
        }
        if let Some(directory) = words.path("redo_dir")? {
            image.redo_dir = Some(directory);
        }
        if let Some(replay) = words.truth("replay_journal")? {
            image.replay_journal = replay;
        }
        let described = match words.0.get("instance") {
            None => return Err(JobError::Missing("instance")),
            Some(Value::String(path)) if path == "-" => return Err(JobError::StandardInput),
            Some(Value::String(path)) => Described::File(path.into()),
            Some(value @ Value::Object(_)) => Described::Here {
                text: json::encode(value),
                origin: origin.to_owned(),
                beside: beside.to_owned(),
            },
            Some(_) => {
                return Err(JobError::Value {
                    name: "instance",
                    must: "the name of a file or an object",
                });
            }
        };
        Ok(Self { image, described })
    }
}

/// The members of a line; what is `null` is not said.
struct Words(Value);

impl Words {
    fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|it| !matches!(it, Value::Null))
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, JobError> {
        let must = "a text that is not empty";
        match self.member(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(JobError::Value { name, must }),
        }
    }

    fn path(&self, name: &'static str) -> Result<Option<PathBuf>, JobError> {
        Ok(self.text(name)?.map(PathBuf::from))
    }

    fn paths(&self, name: &'static str) -> Result<Option<Vec<PathBuf>>, JobError> {
        let must = "an array of names of directories";
        let wrong = || JobError::Value { name, must };
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let Value::Array(items) = value else {
            return Err(wrong());
        };
        let paths = items.iter().map(|it| it.as_str().map(PathBuf::from));
        paths.collect::<Option<_>>().map(Some).ok_or_else(wrong)
    }

    fn choice<T: ValueEnum>(
        &self,
        name: &'static str,
        must: &'static str,
    ) -> Result<Option<T>, JobError> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let choice = value.as_str().and_then(|it| T::from_str(it, false).ok());
        choice.map(Some).ok_or(JobError::Value { name, must })
    }

    fn number(&self, name: &'static str) -> Result<Option<u32>, JobError> {
        let must = "a number";
        match self.member(name) {
            None => Ok(None),
            Some(Value::Integer(digits)) => {
                let number = digits.parse().map_err(|_| JobError::Value { name, must })?;
                Ok(Some(number))
            }
            Some(_) => Err(JobError::Value { name, must }),
        }
    }

    fn truth(&self, name: &'static str) -> Result<Option<bool>, JobError> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(*truth)),
            Some(_) => Err(JobError::Value {
                name,
                must: "`true` or `false`",
            }),
        }
    }
}
