//! The `guest:` section as vendor data: a cloud-config document for cloud-init.
//!
//! Facts from cloud-init 22.4.2 and 26.2, `cloudinit/config/cc_*.py` and
//! `cloudinit/distros/__init__.py`; `docs/consumers.md` lists them.

mod account;
mod operation;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::inputs::RandomSource;
use crate::model::{Guest, GuestFile, SshHostKey};
use crate::{Error, Value, yaml};

/// How this document joins others of the operator's: lists are appended, and where both
/// say something the operator's stays (cloud-init, `doc/rtd/reference/merging.rst`).
///
/// It rules the joining of parts of vendor data only. User data always goes before: a list
/// there replaces the same list here.
const MERGE_HOW: &str = "dict(recurse_list)+list(append)+str()";

/// The first line by which cloud-init knows the document.
pub(crate) const CLOUD_CONFIG_HEADER: &str = "#cloud-config\n";

/// Renders the `guest:` section as a `#cloud-config` document; `None` when it says nothing.
///
/// Passwords given in clear are hashed (crypt(5), `$6$`) with a salt of 16 drawn bytes for
/// each, users in order and then root; nothing else is drawn. The text holds hashes,
/// private host keys and file contents, so it is not for logs.
///
/// Operations on files go before the commands, as commands of their own.
///
/// The image's default account stays: a `users` list without `default` would suppress it,
/// and with it the login by key pair.
///
/// # Errors
///
/// Fails when the source of randomness does, and when an account asks for what cloud-init
/// cannot do ([`Error::GuestAccount`], [`Error::GuestNotOnDrive`]).
pub fn cloud_config(guest: &Guest, random: &mut dyn RandomSource) -> Result<Option<String>, Error> {
    if guest.is_empty() {
        return Ok(None);
    }
    if guest.machine_id.is_some() {
        return Err(Error::GuestNotOnDrive {
            key: "guest.machine_id",
            reason: "the guest has its machine ID before cloud-init reads a drive",
        });
    }
    if guest.generate_ssh_host_key {
        return Err(Error::GuestNotOnDrive {
            key: "guest.ssh_host_keys: generate",
            reason: "injection does that; from a drive the guest makes its keys itself, or they are given",
        });
    }
    let accounts = account::accounts(guest, random)?;
    let mut members: Vec<(String, Value)> = Vec::new();
    let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
    if !accounts.is_empty() {
        let mut users = vec![Value::from("default")];
        users.extend(accounts.iter().map(account::Account::user));
        add("users", Value::Array(users));
        let passwords: Vec<Value> = accounts
            .iter()
            .filter_map(account::Account::chpasswd)
            .collect();
        if !passwords.is_empty() {
            add("chpasswd", account::chpasswd(passwords));
        }
    }
    if !guest.ssh_host_keys.is_empty() {
        add("ssh_keys", host_keys(&guest.ssh_host_keys));
    }
    if let Some(timezone) = &guest.timezone {
        add("timezone", timezone.as_str().into());
    }
    if let Some(locale) = &guest.locale {
        add("locale", locale.as_str().into());
    }
    if !guest.ca_certificates.is_empty() {
        let trusted = texts(guest.ca_certificates.iter().map(String::as_str));
        add(
            "ca_certs",
            Value::Object(vec![("trusted".to_owned(), trusted)]),
        );
    }
    if !guest.files.is_empty() {
        let files = guest.files.iter().map(|file| write_file(file, guest));
        add("write_files", Value::Array(files.collect()));
    }
    let operations = guest.operations.iter().map(operation::command);
    let commands = guest.first_boot_commands.iter();
    let commands = commands.map(|command| command.expose().clone());
    let commands: Vec<Value> = operations.chain(commands).map(Value::from).collect();
    if !commands.is_empty() {
        add("runcmd", Value::Array(commands));
    }
    add("merge_how", MERGE_HOW.into());
    let body = yaml::encode(&Value::Object(members));
    Ok(Some(format!("{CLOUD_CONFIG_HEADER}{body}")))
}

/// `ssh_keys`: cloud-init makes a missing public half itself (`cc_ssh.py`).
fn host_keys(keys: &[SshHostKey]) -> Value {
    let mut members = Vec::new();
    for key in keys {
        let mut private = key.private.expose().clone();
        if !private.ends_with('\n') {
            // OpenSSH does not load a private key whose last line is open.
            private.push('\n');
        }
        members.push((format!("{}_private", key.algorithm), Value::from(private)));
        if let Some(public) = &key.public {
            let public = public.trim_end_matches('\n');
            members.push((format!("{}_public", key.algorithm), Value::from(public)));
        }
    }
    Value::Object(members)
}

/// An entry of `write_files`; always base64, so that any bytes arrive as they are.
fn write_file(file: &GuestFile, guest: &Guest) -> Value {
    let mut members = vec![
        ("path".to_owned(), Value::from(file.path.as_str())),
        ("encoding".to_owned(), "b64".into()),
        (
            "content".to_owned(),
            STANDARD.encode(file.content.expose()).into(),
        ),
    ];
    if let Some(owner) = &file.owner {
        members.push(("owner".to_owned(), owner.as_str().into()));
    }
    if let Some(mode) = file.mode {
        members.push(("permissions".to_owned(), format!("{mode:04o}").into()));
    }
    // Files are written before accounts are made; `defer` (cloud-init 21.4) puts this one
    // behind them.
    let is_account = |name: &str| guest.users.iter().any(|user| user.name == name);
    if file
        .owner
        .as_deref()
        .is_some_and(|owner| owner.split(':').any(is_account))
    {
        members.push(("defer".to_owned(), true.into()));
    }
    Value::Object(members)
}

fn texts<'a>(items: impl Iterator<Item = &'a str>) -> Value {
    Value::Array(items.map(Value::from).collect())
}
