//! Operations on files as commands of a shell.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::Operation;

/// The command that does what the operation says, with what POSIX and BusyBox have (and `base64`, which both GNU and BusyBox have).
pub(super) fn command(operation: &Operation) -> String {
    match operation {
        Operation::Write { path, content } => {
            let path = word(path);
            let content = STANDARD.encode(content.expose());
            format!("mkdir -p \"$(dirname {path})\" && echo {content} | base64 -d > {path}")
        }
        Operation::AppendLine { path, line } => {
            let (path, line) = (word(path), word(line));
            format!(
                "grep -qxF -e {line} {path} 2>/dev/null || {{ [ -z \"$(tail -c 1 {path} 2>/dev/null)\" ] || echo >> {path}; printf '%s\\n' {line} >> {path}; }}"
            )
        }
        Operation::MakeDirectory { path } => format!("mkdir -p {}", word(path)),
        Operation::ChangeMode { path, mode } => format!("chmod {mode:04o} {}", word(path)),
        Operation::ChangeOwner { path, owner } => format!("chown {} {}", word(owner), word(path)),
        Operation::Delete { path } => format!("rm -rf {}", word(path)),
        Operation::Link { path, target } => format!("ln -sfn {} {}", word(target), word(path)),
        Operation::Move { from, to } => format!("mv -f {} {}", word(from), word(to)),
        Operation::Touch { path } => format!("touch {}", word(path)),
        Operation::Truncate { path } => format!("[ ! -f {0} ] || : > {0}", word(path)),
    }
}

/// A text as one word of a shell: in single quotes, where nothing else has a meaning (POSIX, Shell Command Language, 2.2.2).
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
