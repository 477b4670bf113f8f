//! The small files of this host that options name, read before an image is opened.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use christen_instance::Secret;

use super::step::{PublicKey, Selector, Step};
use crate::failure::Failure;
use crate::host_files::read_argument;
use crate::output;

/// The most bytes of a script, a certificate, a key or a file with a password.
const MOST_BYTES: u64 = 4 << 20;

/// Puts the content of files into a step of the option `name`.
pub(super) fn ready(name: &str, step: Step) -> Result<Step, Failure> {
    Ok(match step {
        Step::Password { user, selector } => Step::Password {
            user,
            selector: password(name, selector)?,
        },
        Step::SshInject { user, key } => Step::SshInject {
            user,
            key: PublicKey::Text(public_key(name, key)?),
        },
        Step::FirstBoot(path) => Step::FirstBootScript(Secret::new(read(name, &path)?)),
        Step::CaCertificate(path) => {
            let text = text(name, &path)?;
            if !text.contains("-----BEGIN CERTIFICATE-----") {
                return Err(Failure::usage(format!(
                    "`--{name} {}` is not a certificate in PEM",
                    path.display()
                ))
                .hint("it begins with `-----BEGIN CERTIFICATE-----`"));
            }
            Step::Certificate(text)
        }
        other => other,
    })
}

fn password(name: &str, selector: Selector) -> Result<Selector, Failure> {
    Ok(match selector {
        Selector::File(path) => {
            let content = text(name, &path)?;
            // The first line, without its end (guestfs-tools `common/mlcustomize/password.ml`, `read_password_from_file`).
            let line = content.split('\n').next().unwrap_or_default();
            if line.is_empty() {
                return Err(Failure::usage(format!(
                    "the first line of `{}`, which is the password, is empty",
                    path.display()
                )));
            }
            Selector::Text(Secret::new(line.to_owned()))
        }
        Selector::Text(text) => {
            output::warning(&format!(
                "`--{name}` has a password, and everybody on this host can read a command line: `file:FILENAME` reads it from a file"
            ));
            Selector::Text(text)
        }
        Selector::Locked(Some(inner)) => Selector::Locked(Some(Box::new(password(name, *inner)?))),
        other => other,
    })
}

fn public_key(name: &str, key: PublicKey) -> Result<String, Failure> {
    let (text, from) = match key {
        PublicKey::Text(text) => (text, "the argument".to_owned()),
        PublicKey::File(path) => (text(name, &path)?, format!("`{}`", path.display())),
        PublicKey::Own => {
            let path = own_key().ok_or_else(|| {
                Failure::usage(format!(
                    "`--{name}` names no key, and you have no `~/.ssh/id*.pub`"
                ))
                .hint("write `USER:file:FILENAME` or `USER:string:KEY`")
            })?;
            output::note(&format!("the public key is that of `{}`", path.display()));
            (text(name, &path)?, format!("`{}`", path.display()))
        }
    };
    if text.contains("PRIVATE KEY-----") {
        return Err(Failure::usage(format!(
            "{from} is a private key, and `--{name}` wants a public one"
        ))
        .hint("it is in the file that ends with `.pub`"));
    }
    Ok(text)
}

/// The newest `~/.ssh/id*.pub` that is no certificate (ssh-copy-id(1), `default_ID_file`).
fn own_key() -> Option<PathBuf> {
    let directory = Path::new(&std::env::var_os("HOME")?).join(".ssh");
    let mut keys: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory).ok()?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_key =
            name.starts_with("id") && name.ends_with(".pub") && !name.ends_with("-cert.pub");
        if is_key && let Ok(modified) = entry.metadata().and_then(|it| it.modified()) {
            keys.push((modified, entry.path()));
        }
    }
    keys.into_iter().max().map(|(_, path)| path)
}

fn text(name: &str, path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(name, path)?).map_err(|_| {
        Failure::usage(format!(
            "`--{name}`: `{}` is not UTF-8 text",
            path.display()
        ))
    })
}

fn read(name: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = || Failure::usage(format!("`--{name}`: cannot read `{}`", path.display()));
    read_argument(path, MOST_BYTES).map_err(|error| failed().because(&error))
}
