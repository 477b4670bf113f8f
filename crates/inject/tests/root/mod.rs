//! Programs that look at another root, for which they must be root's.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use christen_testkit::tools;

/// Begins a command that runs the program named next as root: of this machine if that is who runs the test, else of a user namespace.
#[track_caller]
pub(crate) fn as_root() -> Option<Command> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0);
    if is_root {
        return tools::require("env").map(Command::new);
    }
    let mut command = Command::new(tools::require("unshare")?);
    command.args(["--user", "--map-root-user"]);
    Some(command)
}
