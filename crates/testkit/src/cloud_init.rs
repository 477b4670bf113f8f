//! cloud-init's own datasource readers and schemas, run on this machine without a guest.
//!
//! The code is Debian's package, unpacked into the cache and never installed (an installed
//! one would take the machine for its own at the next boot): the version that the guest
//! runs, and that of the next release, which is the first to hold a schema of version 2 of
//! the network configuration. What it imports comes from the virtual environment of
//! `cargo xtask setup`.
//!
//! Give it a tree that somebody else's program took from the drive (`bsdtar`, `mcopy`),
//! never our own reader.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::guest::recipe;
use crate::{python, tools};

const DRIVER: &str = include_str!("cloud_init/driver.py");

/// Debian releases whose cloud-init is asked; the last holds the newest schemas.
const RELEASES: [&str; 2] = ["bookworm", "trixie"];

/// Modules that cloud-init imports from elsewhere.
const MODULES: [&str; 5] = ["configobj", "jinja2", "jsonschema", "requests", "yaml"];

/// Which seed a tree holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataSource {
    /// `ec2/` and `openstack/`, read by `DataSourceConfigDrive.read_config_drive`.
    ConfigDrive,
    /// `meta-data` and its like, read by `DataSourceNoCloud`.
    NoCloud,
}

/// A published schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Of user data and vendor data that begin with `#cloud-config`.
    CloudConfig,
    /// Of the network configuration, version 1 or 2 as the text says.
    NetworkConfig,
}

/// One version of cloud-init.
#[derive(Debug, Clone)]
pub struct CloudInit {
    interpreter: PathBuf,
    packages: PathBuf,
}

/// Returns every version of cloud-init, oldest first; empty, with `skipped: ...` said, when
/// something is missing.
///
/// # Panics
///
/// Panics when something is missing and `CHRISTEN_REQUIRE_TOOLS` is `1`.
#[track_caller]
pub fn require() -> Vec<CloudInit> {
    let Some(interpreter) = python::require(&MODULES) else {
        return Vec::new();
    };
    if tools::require("mmdebstrap").is_none() {
        return Vec::new();
    }
    let fetched: io::Result<Vec<CloudInit>> = RELEASES
        .iter()
        .map(|release| {
            Ok(CloudInit {
                interpreter: interpreter.clone(),
                packages: fetch(release)?,
            })
        })
        .collect();
    fetched.unwrap_or_else(|error| {
        tools::skip(&format!("cloud-init could not be fetched ({error})"));
        Vec::new()
    })
}

/// Checks a text against cloud-init's newest published schema.
///
/// `None` when cloud-init is missing (`skipped: ...` was said); otherwise what is wrong with
/// the text, nothing when it is valid.
///
/// # Panics
///
/// As [`require`], and when cloud-init's code itself fails.
#[track_caller]
pub fn validate(schema: Schema, text: &str) -> Option<Vec<String>> {
    let newest = require().pop()?;
    match newest.validate(schema, text) {
        Ok(problems) => Some(problems),
        Err(error) => panic!("{error}"),
    }
}

/// Checks user data or vendor data: [`validate`] with [`Schema::CloudConfig`].
///
/// # Panics
///
/// As [`validate`].
#[track_caller]
pub fn validate_cloud_config(text: &str) -> Option<Vec<String>> {
    validate(Schema::CloudConfig, text)
}

/// Checks a network configuration: [`validate`] with [`Schema::NetworkConfig`].
///
/// # Panics
///
/// As [`validate`].
#[track_caller]
pub fn validate_network_config(text: &str) -> Option<Vec<String>> {
    validate(Schema::NetworkConfig, text)
}

impl CloudInit {
    /// The directory from which `import cloudinit` finds this version.
    pub fn packages(&self) -> &Path {
        &self.packages
    }

    /// Reads the documents in a tree: an object with `metadata`, `keys` (a list),
    /// `userdata`, `vendordata`, `network` (as converted for the guest), and what else the
    /// reader gives.
    ///
    /// # Errors
    ///
    /// Fails when the reader refuses the tree, or finds no documents in it.
    pub fn read(&self, source: DataSource, tree: &Path) -> io::Result<Value> {
        self.read_all(&[(source, tree)])?.remove(0)
    }

    /// As [`CloudInit::read`] for many trees, at the cost of one start of Python; the
    /// answers are in the order of the trees.
    ///
    /// # Errors
    ///
    /// Fails when cloud-init's code itself fails, or a path is not UTF-8.
    pub fn read_all(&self, trees: &[(DataSource, &Path)]) -> io::Result<Vec<io::Result<Value>>> {
        let mut questions = Vec::new();
        for (source, tree) in trees {
            let source = match source {
                DataSource::ConfigDrive => "config-drive",
                DataSource::NoCloud => "nocloud",
            };
            let tree = tree
                .to_str()
                .ok_or_else(|| io::Error::other(format!("not UTF-8: {}", tree.display())))?;
            questions.push(Value::from([source, tree].map(Value::from).to_vec()));
        }
        let count = questions.len();
        let answer = self.ask("read", Value::from(questions).to_string().as_bytes())?;
        match answer {
            Value::Array(answers) if answers.len() == count => {
                Ok(answers.into_iter().map(read_answer).collect())
            }
            other => Err(io::Error::other(format!("not an answer each: {other}"))),
        }
    }

    /// Checks a text against this version's schemas.
    ///
    /// # Errors
    ///
    /// Fails when this version has no such schema, or its code fails.
    pub fn validate(&self, schema: Schema, text: &str) -> io::Result<Vec<String>> {
        let verb = match schema {
            Schema::CloudConfig => "cloud-config",
            Schema::NetworkConfig => "network-config",
        };
        let answer = self.ask(verb, text.as_bytes())?;
        let problems = answer["problems"].as_array().cloned().unwrap_or_default();
        Ok(problems
            .iter()
            .map(|problem| problem.as_str().unwrap_or_default().to_owned())
            .collect())
    }

    /// The version, as cloud-init itself says.
    ///
    /// # Errors
    ///
    /// Fails when its code fails.
    pub fn version(&self) -> io::Result<String> {
        let answer = self.ask("version", b"")?;
        Ok(answer["version"].as_str().unwrap_or_default().to_owned())
    }

    fn ask(&self, verb: &str, input: &[u8]) -> io::Result<Value> {
        use std::io::Write;

        let mut child = Command::new(&self.interpreter)
            .args(["-c", DRIVER, verb])
            .env("PYTHONPATH", &self.packages)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(input)?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(io::Error::other(format!(
                "cloud-init's {verb} ended with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            )));
        }
        serde_json::from_slice(&output.stdout).map_err(io::Error::other)
    }
}

/// `{"read": RESULTS}` or `{"refused": WHY}`.
fn read_answer(mut answer: Value) -> io::Result<Value> {
    match answer.get_mut("read") {
        Some(results) => Ok(results.take()),
        None => Err(io::Error::other(format!(
            "cloud-init: {}",
            answer["refused"].as_str().unwrap_or_default()
        ))),
    }
}

/// Unpacks a release's cloud-init; returns the directory to import from.
fn fetch(release: &str) -> io::Result<PathBuf> {
    const MEMBER: &str = "./usr/lib/python3/dist-packages/cloudinit";
    let directory = recipe::cached(
        &format!("cloud-init-{release}"),
        &[release, MEMBER],
        |directory| {
            let archive = directory.join("packages.tar");
            recipe::run(
                Command::new("mmdebstrap")
                    .args(["--variant=extract", "--include=cloud-init", release])
                    .arg(&archive),
            )?;
            recipe::run(
                Command::new("tar")
                    .args(["--no-same-owner", "-C"])
                    .arg(directory)
                    .arg("-xf")
                    .arg(&archive)
                    .arg(MEMBER),
            )?;
            std::fs::remove_file(archive)
        },
    )?;
    Ok(directory.join("usr/lib/python3/dist-packages"))
}
