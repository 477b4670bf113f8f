//! Runs one virtual machine from power-on to power-off.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{TempDir, tools};

/// How much of the console is shown when a guest fails.
const CONSOLE_TAIL_BYTES: usize = 6000;

/// How often the end of the machine is looked for.
const POLL: Duration = Duration::from_millis(20);

/// A machine to run.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) kernel: PathBuf,
    pub(super) initrd: PathBuf,
    pub(super) command_line: String,
    pub(super) cpus: u32,
    pub(super) memory_mib: u32,
    pub(super) arguments: Vec<OsString>,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What the guest wrote to its second serial port.
    pub(super) report: Vec<u8>,
    /// What stood on its console, which is the first.
    pub(super) console: String,
    /// From start to power-off.
    pub(super) elapsed: Duration,
}

impl Outcome {
    /// The end of the console, for messages.
    pub(super) fn console_tail(&self) -> &str {
        tail(&self.console)
    }
}

impl Machine {
    /// Adds `-OPTION VALUE`.
    pub(super) fn argument(&mut self, option: &str, value: impl Into<OsString>) {
        self.arguments.push(option.into());
        self.arguments.push(value.into());
    }

    /// Runs the machine until it powers itself off.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be started, when it has not ended after `limit`, and when QEMU
    /// fails; the message shows the end of the console.
    pub(super) fn run(&self, limit: Duration) -> io::Result<Outcome> {
        let program = tools::find("qemu-system-x86_64")
            .ok_or_else(|| io::Error::other("qemu-system-x86_64 is not installed"))?;
        let directory = TempDir::new();
        let console = directory.join("console");
        let report = directory.join("report");
        let mut command = Command::new(program);
        command
            .args([
                "-accel",
                "tcg",
                "-machine",
                "pc",
                "-nodefaults",
                "-no-user-config",
            ])
            .args(["-display", "none", "-monitor", "none", "-no-reboot"])
            .args(["-smp", &self.cpus.to_string()])
            .args(["-m", &format!("{}M", self.memory_mib)])
            .arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(&self.initrd)
            .args(["-append", &self.command_line])
            .args(["-serial", &format!("file:{}", console.display())])
            .args(["-serial", &format!("file:{}", report.display())])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let start = Instant::now();
        let mut child = command.spawn()?;
        let ended = wait(&mut child, start + limit)?;
        let elapsed = start.elapsed();
        let outcome = Outcome {
            report: fs::read(&report).unwrap_or_default(),
            console: read_lossy(&console),
            elapsed,
        };
        if ended {
            let output = child.wait_with_output()?;
            if !output.status.success() {
                return Err(io::Error::other(format!(
                    "QEMU ended with {}: {}",
                    output.status,
                    String::from_utf8_lossy(&output.stderr).trim()
                )));
            }
            Ok(outcome)
        } else {
            child.kill()?;
            child.wait()?;
            Err(io::Error::other(format!(
                "the guest did not power off within {} s; the end of its console:\n{}",
                limit.as_secs(),
                outcome.console_tail()
            )))
        }
    }
}

/// Waits until the process has ended; `false` when the deadline came first.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<bool> {
    loop {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(POLL);
    }
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(CONSOLE_TAIL_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// Doubles the commas in a path, as QEMU's option parser wants.
pub(super) fn escape(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}
