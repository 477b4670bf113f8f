//! Reference tools: programs of other people's making that judge our bytes.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// When this variable is `1`, a missing tool fails the test that needs it.
pub const REQUIRE_TOOLS: &str = "CHRISTEN_REQUIRE_TOOLS";

/// Where Debian keeps tools that an ordinary user's `PATH` leaves out (`mkfs.vfat`, `blkid`).
const SYSTEM_DIRECTORIES: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Finds a program on `PATH`, or in the directories of system tools.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM_DIRECTORIES.iter().map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Finds a program that the calling test needs.
///
/// When it is missing this says `skipped: NAME is not installed` and returns `None`; the
/// test then returns.
///
/// # Panics
///
/// Panics when the program is missing and `CHRISTEN_REQUIRE_TOOLS` is `1`, as it is in CI.
#[track_caller]
pub fn require(name: &str) -> Option<PathBuf> {
    let found = find(name);
    if found.is_none() {
        skip(&format!("{name} is not installed"));
    }
    found
}

/// Reports that the calling test cannot run here.
///
/// # Panics
///
/// Panics when `CHRISTEN_REQUIRE_TOOLS` is `1`.
#[track_caller]
pub fn skip(reason: &str) {
    assert!(
        env::var_os(REQUIRE_TOOLS).is_none_or(|value| value != "1"),
        "{reason}, and {REQUIRE_TOOLS}=1 makes that a failure; `cargo xtask setup` installs what \
         the tests need"
    );
    // Not `eprintln!`: the test harness would swallow that of a test which passes, and a
    // skip that nobody sees looks like evidence. Nothing is to be done if it fails.
    let _ = writeln!(io::stderr(), "skipped: {reason}");
}

/// Runs a command to its end and returns what it wrote to standard output.
///
/// # Panics
///
/// Panics when the command cannot be started or does not succeed, and shows the command
/// and all that it wrote.
#[track_caller]
pub fn run(command: &mut Command) -> Vec<u8> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("cannot start {command:?}: {error}"),
    };
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output.stdout
}

/// Like [`run`] for a program and its arguments, in the C locale and in UTC.
///
/// # Panics
///
/// As [`run`].
#[track_caller]
pub fn output<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
) -> Vec<u8> {
    run(Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_every_machine_has() {
        assert!(find("sh").is_some());
    }

    #[test]
    fn does_not_find_what_nobody_has() {
        assert_eq!(find("christen-no-such-tool"), None);
    }

    #[test]
    fn output_is_that_of_the_command() {
        assert_eq!(output("printf", ["%s", "a b"]), b"a b");
    }

    #[test]
    #[should_panic(expected = "ended with")]
    fn a_failed_command_fails_the_test() {
        run(Command::new("sh").args(["-c", "echo why >&2; exit 3"]));
    }
}
