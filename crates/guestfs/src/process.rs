//! `guestfish` as a child: a command in, its answer out.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;

/// An appliance under emulation needs ten seconds on a calm machine; a hung one, as under a `/dev/kvm` that opens and does not work, is told by this.
const LAUNCH_LIMIT: Duration = Duration::from_secs(300);

/// Copying a large file takes long; nothing that works is silent for this long.
const COMMAND_LIMIT: Duration = Duration::from_secs(900);

/// guestfish reads lines into 8,192 bytes and takes what is left for the next command.
const LINE_BYTES: usize = 8000;

/// No answer is longer: content comes in pieces of a mebibyte, and the attributes of one file are some hundreds of kilobytes.
const ANSWER_BYTES: usize = 16 << 20;

/// What the pipes may hold that has not been taken, in pieces of 64 KiB: what speaks there has a hostile filesystem below it.
const PIECES: usize = 16;

/// How long an appliance may take to end.
const END_LIMIT: Duration = Duration::from_secs(120);

/// How much of what guestfish says is kept for a message.
const SAID_BYTES: usize = 2000;

/// What comes from the child's two pipes.
enum Heard {
    Output(Vec<u8>),
    Complaint(Vec<u8>),
    Closed,
}

/// A running guestfish.
#[derive(Debug)]
pub(crate) struct Guestfish {
    child: Child,
    input: Option<ChildStdin>,
    heard: Receiver<Heard>,
    /// No content of a file can hold it: it is made anew for each process.
    mark: String,
    commands: u64,
}

impl Guestfish {
    /// Starts guestfish. Unless `emulate`, libguestfs takes KVM where `/dev/kvm` opens.
    pub(crate) fn start(emulate: bool) -> Result<Self, Error> {
        let mut command = Command::new("guestfish");
        if emulate {
            command.env("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg");
        }
        let mut child = command
            .env("LC_ALL", "C.UTF-8")
            .env("LIBGUESTFS_BACKEND", "direct")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::Start)?;
        let (sender, heard) = sync_channel(PIECES);
        let output = child.stdout.take();
        let complaints = child.stderr.take();
        if let Some(pipe) = output {
            listen(pipe, sender.clone(), Heard::Output);
        }
        if let Some(pipe) = complaints {
            listen(pipe, sender, Heard::Complaint);
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| Error::Start(io::Error::other(error.to_string())))?;
        let mut mark = "christen-".to_owned();
        for byte in random {
            mark.push_str(&format!("{byte:02x}"));
        }
        Ok(Self {
            input: child.stdin.take(),
            child,
            heard,
            mark,
            commands: 0,
        })
    }

    /// Starts the appliance.
    pub(crate) fn launch(&mut self) -> Result<(), Error> {
        self.ask("run", LAUNCH_LIMIT).map(drop)
    }

    /// Runs a command and returns what it printed.
    pub(crate) fn run(&mut self, command: &str) -> Result<Vec<u8>, Error> {
        self.ask(command, COMMAND_LIMIT)
    }

    fn ask(&mut self, command: &str, limit: Duration) -> Result<Vec<u8>, Error> {
        if command.len() > LINE_BYTES {
            return Err(Error::Refused {
                said: "the line: File name too long".to_owned(),
            });
        }
        self.commands += 1;
        let mark = format!("{}-{}\n", self.mark, self.commands);
        // Without the minus guestfish ends at the first error. The mark ends the answer.
        let lines = format!("-{command}\necho {mark}");
        let sent = self.input.as_mut().map(|input| {
            input
                .write_all(lines.as_bytes())
                .and_then(|()| input.flush())
        });
        let mut output = Vec::new();
        let mut complaint = Vec::new();
        if !matches!(sent, Some(Ok(()))) {
            return Err(self.ended(complaint));
        }
        let end = Instant::now() + limit;
        while !output.ends_with(mark.as_bytes()) {
            let left = end.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(Heard::Output(bytes)) => output.extend_from_slice(&bytes),
                Ok(Heard::Complaint(bytes)) => complaint.extend_from_slice(&bytes),
                Ok(Heard::Closed) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.ended(complaint));
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.stop();
                    return Err(Error::Silent {
                        command: first_word(command),
                        limit,
                    });
                }
            }
            if output.len() + complaint.len() > ANSWER_BYTES {
                self.stop();
                return Err(Error::Answer {
                    command: first_word(command),
                });
            }
        }
        output.truncate(output.len() - mark.len());
        complaint.extend(self.complaints_until(&mark)?);
        if complaint.is_empty() {
            Ok(output)
        } else {
            Err(Error::Refused {
                said: said(&complaint),
            })
        }
    }

    /// Collects what stands in the pipe of complaints, up to a mark that is sent there too: the two pipes are read by two threads, and an answer says nothing
    /// of how far the other one is.
    fn complaints_until(&mut self, mark: &str) -> Result<Vec<u8>, Error> {
        let line = format!("!echo {} >&2\n", mark.trim_end());
        let sent = self.input.as_mut().map(|input| {
            input
                .write_all(line.as_bytes())
                .and_then(|()| input.flush())
        });
        let mut complaint = Vec::new();
        if !matches!(sent, Some(Ok(()))) {
            return Err(self.ended(complaint));
        }
        while !complaint.ends_with(mark.as_bytes()) {
            match self.heard.recv_timeout(COMMAND_LIMIT) {
                Ok(Heard::Complaint(bytes)) if complaint.len() <= ANSWER_BYTES => {
                    complaint.extend_from_slice(&bytes);
                }
                Ok(Heard::Output(_)) => {}
                _ => return Err(self.ended(complaint)),
            }
        }
        complaint.truncate(complaint.len() - mark.len());
        Ok(complaint)
    }

    fn ended(&mut self, mut complaint: Vec<u8>) -> Error {
        while complaint.len() <= ANSWER_BYTES {
            match self.heard.recv_timeout(Duration::from_secs(1)) {
                Ok(Heard::Complaint(bytes)) => complaint.extend_from_slice(&bytes),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        self.stop();
        Error::Ended {
            said: said(&complaint),
        }
    }

    fn stop(&mut self) {
        // It may be gone already, and then there is nothing to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.input = None;
    }
}

impl Drop for Guestfish {
    fn drop(&mut self) {
        // At the end of its input guestfish stops the appliance and ends, which closes the pipes; one that hangs is ended.
        self.input = None;
        let end = Instant::now() + END_LIMIT;
        let told = loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(_) if !left.is_zero() => {}
                Err(RecvTimeoutError::Disconnected) => break true,
                _ => break false,
            }
        };
        if !told {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn listen(
    mut pipe: impl Read + Send + 'static,
    sender: SyncSender<Heard>,
    wrap: fn(Vec<u8>) -> Heard,
) {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    if sender.send(wrap(buffer[..count].to_vec())).is_err() {
                        return;
                    }
                }
            }
        }
        // Nobody may be listening any more.
        let _ = sender.send(Heard::Closed);
    });
}

fn first_word(command: &str) -> String {
    command.split(' ').next().unwrap_or_default().to_owned()
}

/// The last line of a complaint, without the place in the script and the name of the library.
fn said(complaint: &[u8]) -> String {
    let start = complaint.len().saturating_sub(SAID_BYTES);
    let text = String::from_utf8_lossy(&complaint[start..]);
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    let line = line.unwrap_or_default();
    line.split_once("libguestfs: error: ")
        .map_or(line, |(_, rest)| rest)
        .chars()
        .filter(|character| !character.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_reason_is_told() {
        assert_eq!(
            said(b"*stdin*:7: libguestfs: error: lstatns: /nope: No such file or directory\n"),
            "lstatns: /nope: No such file or directory"
        );
        assert_eq!(said(b"bogus: unknown command\n"), "bogus: unknown command");
        assert_eq!(said(b""), "");
    }
}
