//! The Python interpreter that holds the reference packages: Nova, oslo.config, cloud-init.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{cache, tools};

/// Names the interpreter to use; without it, the one that `cargo xtask setup` made, else
/// `python3` on `PATH`.
pub const INTERPRETER: &str = "CHRISTEN_PYTHON";

/// Where `cargo xtask setup` makes its virtual environment.
pub fn environment() -> PathBuf {
    cache::directory().join("python")
}

/// Returns the interpreter, if there is one.
pub fn find() -> Option<PathBuf> {
    if let Some(chosen) = env::var_os(INTERPRETER).filter(|value| !value.is_empty()) {
        return Some(PathBuf::from(chosen));
    }
    let own = environment().join("bin/python");
    if own.is_file() {
        return Some(own);
    }
    tools::find("python3")
}

/// Finds an interpreter that can import each of `modules`.
///
/// When there is none this says `skipped: ...` and returns `None`; the test then returns.
///
/// # Panics
///
/// Panics when there is none and `CHRISTEN_REQUIRE_TOOLS` is `1`.
#[track_caller]
pub fn require(modules: &[&str]) -> Option<PathBuf> {
    let Some(interpreter) = find() else {
        tools::skip("python3 is not installed");
        return None;
    };
    for module in modules {
        if !can_import(&interpreter, module) {
            tools::skip(&format!(
                "the Python module {module} is not installed for {}",
                interpreter.display()
            ));
            return None;
        }
    }
    Some(interpreter)
}

/// Runs a program text, gives it `question` on standard input and returns its answer.
///
/// # Panics
///
/// Panics with the program's complaint when it does not end with success.
#[track_caller]
pub fn ask(interpreter: &Path, program: &str, question: &str) -> String {
    let started = Command::new(interpreter)
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.unwrap_or_else(|error| panic!("python does not start: {error}"));
    if let Some(mut input) = child.stdin.take() {
        // A program that ends early has a complaint, which says more than a broken pipe.
        let _ = input.write_all(question.as_bytes());
    }
    let output = match child.wait_with_output() {
        Ok(output) => output,
        Err(error) => panic!("python cannot be waited for: {error}"),
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    match String::from_utf8(output.stdout) {
        Ok(answer) => answer,
        Err(error) => panic!("the answer is not UTF-8: {error}"),
    }
}

/// Whether the interpreter finds a module, without the cost of running it.
fn can_import(interpreter: &PathBuf, module: &str) -> bool {
    Command::new(interpreter)
        .args([
            "-c",
            "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)",
            module,
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_modules_that_exist_from_those_that_do_not() {
        let Some(python) = require(&["json"]) else {
            return;
        };
        assert!(can_import(&python, "json"));
        assert!(!can_import(&python, "christen_no_such_module"));
    }
}
