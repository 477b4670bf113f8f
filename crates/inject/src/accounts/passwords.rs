//! What stands for a password in shadow(5).

use christen_instance::crypt::{self, Scheme};
use christen_instance::model::{GuestUser, Password};
use christen_vfs::Timestamp;

use super::database::{CHANGED, Database, EXPIRES, PASSWORD};
use super::login_defs::LoginDefs;
use crate::{Error, Request, Result, Stage};

/// Says in passwd(5) that the password is in shadow(5).
const SHADOWED: &[u8] = b"x";

/// Whose password it is, and how the guest has passwords.
#[derive(Debug)]
pub(super) struct Account<'a> {
    pub(super) name: &'a str,
    pub(super) defs: &'a LoginDefs,
    pub(super) hashing: Scheme,
    /// Whether it is one of the system's own.
    pub(super) system: bool,
}

/// An account has this password, changed today unless it is there already.
pub(super) fn set(
    stage: &mut Stage<'_>,
    database: &mut Database,
    request: &mut Request<'_>,
    account: &Account<'_>,
    password: &Password,
) -> Result<()> {
    let name = account.name.as_bytes();
    let Some(found) = database.passwd.entry(name)? else {
        return Err(stage.impossible("the guest has no such account"));
    };
    // pam_unix(8) looks into shadow(5) for an `x` alone (Linux-PAM `modules/pam_unix/passverify.c`, `is_pwd_shadowed`).
    let in_passwd = (found[PASSWORD] != SHADOWED).then(|| found[PASSWORD].to_vec());
    let Some(shadow) = &database.shadow else {
        return Err(stage.impossible(
            "the guest has no `/etc/shadow`, and a hash in `/etc/passwd` would be read by everybody",
        ));
    };
    let entry = shadow.entry(name)?;
    if shadow.count(name) > 1 {
        stage.notice(
            "`/etc/shadow` has several entries of this name, and the first is the one that counts",
        );
    }
    let present = match (&in_passwd, &entry) {
        (Some(present), _) => present.clone(),
        (None, Some(fields)) => fields[PASSWORD].to_vec(),
        (None, None) => Vec::new(),
    };
    let wanted = wanted(stage, request, account, password, &present)?;
    let day = day(request.now);
    // A zero asks for another password at the first login.
    let must_change = *password != Password::Locked
        && entry.as_ref().is_some_and(|fields| fields[CHANGED] == b"0");
    let expires = entry.as_ref().and_then(|fields| {
        let text = std::str::from_utf8(fields[EXPIRES]).ok()?;
        text.parse::<i64>().ok()
    });
    if let Some(expires) = expires.filter(|expires| *expires <= day) {
        stage.notice(format!(
            "the account has expired (day {expires} of shadow(5)), so that no password lets anybody in"
        ));
    }
    let is_new = wanted != present || entry.is_none() || in_passwd.is_some();
    write(
        stage,
        database,
        account,
        &wanted,
        (is_new || must_change).then_some(day),
    )
}

/// A new account without a password: nobody logs in by one.
///
/// `*` and not `!`: sshd(8) without PAM takes an account that begins with `!` for locked, and refuses its keys too (OpenSSH `auth.c`,
/// `allowed_user`; `configure.ac`, `LOCKED_PASSWD_PREFIX`).
pub(super) fn none(
    stage: &mut Stage<'_>,
    database: &mut Database,
    defs: &LoginDefs,
    user: &GuestUser,
    now: Timestamp,
) -> Result<()> {
    if database.shadow.is_none() {
        return Ok(());
    }
    let account = Account {
        name: &user.name,
        defs,
        hashing: Scheme::Sha512,
        system: user.system,
    };
    write(stage, database, &account, b"*", Some(day(now)))
}

fn wanted(
    stage: &Stage<'_>,
    request: &mut Request<'_>,
    account: &Account<'_>,
    password: &Password,
    present: &[u8],
) -> Result<Vec<u8>> {
    match password {
        Password::Locked if matches!(present.first(), Some(b'!' | b'*')) => Ok(present.to_vec()),
        Password::Locked if present.is_empty() => Ok(b"*".to_vec()),
        // As `passwd -l`, which `passwd -u` takes back.
        Password::Locked => Ok([b"!", present].concat()),
        Password::Hash(hash) => {
            let hash = hash.expose().as_bytes();
            let is_field = hash
                .iter()
                .all(|byte| byte.is_ascii_graphic() && *byte != b':');
            if hash.is_empty() || !is_field {
                return Err(stage.impossible("the hash is not one of crypt(5)"));
            }
            Ok(hash.to_vec())
        }
        Password::Text(text) => {
            if crypt::verify(present, text.expose().as_bytes()) == Some(true) {
                return Ok(present.to_vec());
            }
            match crypt::hash(account.hashing, account.name, text, request.random) {
                Ok(hash) => Ok(hash.expose().as_bytes().to_vec()),
                Err(christen_instance::Error::Random { purpose, source }) => {
                    Err(Error::Random { purpose, source })
                }
                Err(christen_instance::Error::GuestAccount { reason, .. }) => {
                    Err(stage.impossible(reason))
                }
                Err(other) => Err(other.into()),
            }
        }
    }
}

fn write(
    stage: &Stage<'_>,
    database: &mut Database,
    account: &Account<'_>,
    wanted: &[u8],
    changed: Option<i64>,
) -> Result<()> {
    let (item, name) = (stage.item(), account.name.as_bytes());
    database.passwd.set(item, name, PASSWORD, SHADOWED)?;
    let Some(shadow) = &mut database.shadow else {
        return Ok(());
    };
    let day = changed.map(|day| day.to_string());
    if shadow.has(name) {
        shadow.set(item, name, PASSWORD, wanted)?;
        if let Some(day) = day {
            shadow.set(item, name, CHANGED, day.as_bytes())?;
        }
    } else {
        let [least, most, warn] = account.defs.ages(account.system);
        let day = day.unwrap_or_default();
        let ages = [
            day.as_bytes(),
            least.as_bytes(),
            most.as_bytes(),
            warn.as_bytes(),
        ];
        let entry = [&[name, wanted][..], &ages, &[b"", b"", b""]].concat();
        shadow.add(item, &entry);
    }
    Ok(())
}

/// The day of a moment, counted from 1970, as shadow(5) has it.
fn day(now: Timestamp) -> i64 {
    // Before 1970 there is nothing: 0 would ask for another password.
    now.seconds.div_euclid(86_400).max(1)
}
