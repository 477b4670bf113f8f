//! What the black-box tests of `christen` share: a way to run it, and how it must fail.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use christen_instance::{Value, json};
use christen_testkit::TempDir;

/// No run of `christen` in a test takes longer, however busy the machine.
const LONGEST: Duration = Duration::from_secs(60);

/// `christen`, untouched by the environment of whoever runs the tests.
pub(crate) fn christen() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_christen"));
    command
        .env_remove("SOURCE_DATE_EPOCH")
        .env_remove("CHRISTEN_OUTPUT_MODE")
        .env_remove("CHRISTEN_SYNC")
        .stdin(Stdio::null());
    command
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status; a signal is no end that a test accepts.
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output as text.
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.stdout).expect("the output is UTF-8")
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        json::parse(self.text()).expect("the output is JSON")
    }
}

/// Runs a program to its end, within [`LONGEST`].
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ended {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = collect(child.stdout.take().expect("it is a pipe"));
    let stderr = collect(child.stderr.take().expect("it is a pipe"));
    let (Ok(stdout), Ok(stderr)) = (stdout.recv_timeout(LONGEST), stderr.recv_timeout(LONGEST))
    else {
        child.kill().expect("it is ours");
        panic!("{command:?} does not end");
    };
    let status = child.wait().expect("it is ours");
    Ended {
        status: status
            .code()
            .unwrap_or_else(|| panic!("{command:?}: {status}")),
        stdout,
        stderr: String::from_utf8(stderr).expect("messages are UTF-8"),
    }
}

/// Reads a pipe to its end beside what else goes on.
fn collect(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("pipes can be read");
        // Nobody waits any more after the time limit.
        let _ = sender.send(bytes);
    });
    receiver
}

/// Runs a program that must succeed.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Ended {
    let ended = run(command);
    assert_eq!(ended.status, 0, "{command:?}: {}", ended.stderr);
    ended
}

/// Runs a program that must fail with this status and this message, and with no word on
/// standard output.
#[track_caller]
pub(crate) fn fail(command: &mut Command, status: i32, message: &str) {
    let ended = fail_somehow(command, status);
    assert_eq!(ended.stderr, message, "{command:?}");
}

/// Runs a program that must fail with this status, in the form of all our errors, and with
/// no word on standard output.
#[track_caller]
pub(crate) fn fail_somehow(command: &mut Command, status: i32) -> Ended {
    let ended = run(command);
    assert_eq!(ended.status, status, "{command:?}: {}", ended.stderr);
    assert_eq!(ended.text(), "", "{command:?}");
    assert!(
        ended.stderr.lines().any(|line| line.starts_with("error: ")),
        "{command:?}: {}",
        ended.stderr
    );
    ended
}

/// Writes a file into a directory and returns its path.
pub(crate) fn put(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, content).expect("the directory is writable");
    path
}

/// A directory with a description in `instance.yaml`.
pub(crate) fn with_description(text: &str) -> TempDir {
    let directory = TempDir::new();
    put(&directory, "instance.yaml", text);
    directory
}

/// `christen` with arguments as a shell would split them, in a directory.
pub(crate) fn christen_in(directory: &Path, arguments: &str) -> Command {
    let mut command = christen();
    command
        .current_dir(directory)
        .args(arguments.split_whitespace());
    command
}

/// The names in a directory, hidden ones too, in order.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .expect("it can be listed")
        .map(|entry| {
            let name = entry.expect("it can be listed").file_name();
            name.into_string().expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

/// A member of an object in JSON.
#[track_caller]
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    value
        .get(name)
        .unwrap_or_else(|| panic!("no member `{name}`: {value:?}"))
}

/// The items of an array in JSON.
#[track_caller]
pub(crate) fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        other => panic!("no array: {other:?}"),
    }
}

/// The members of an object in JSON.
#[track_caller]
pub(crate) fn members(value: &Value) -> &[(String, Value)] {
    match value {
        Value::Object(members) => members,
        other => panic!("no object: {other:?}"),
    }
}
