//! Accounts: the members of `users` and `chpasswd`.

use crate::crypt::{self, Scheme};
use crate::inputs::RandomSource;
use crate::model::{Guest, GuestUser, Password};
use crate::{Error, Secret, Value};

/// An account as cloud-init is to see it.
pub(super) struct Account<'a> {
    user: &'a GuestUser,
    password: Option<Login>,
}

/// What becomes of the password.
enum Login {
    Hash(Secret),
    Locked,
}

/// The accounts in order, root last unless it is among the users.
pub(super) fn accounts<'a>(
    guest: &'a Guest,
    random: &mut dyn RandomSource,
) -> Result<Vec<Account<'a>>, Error> {
    let mut accounts = Vec::with_capacity(guest.users.len() + 1);
    for user in &guest.users {
        check(user)?;
        let password = login(&user.name, user.password.as_ref(), random)?;
        accounts.push(Account { user, password });
    }
    if let Some(password) = login("root", guest.root_password.as_ref(), random)? {
        match accounts
            .iter_mut()
            .find(|account| account.user.name == "root")
        {
            Some(account) => account.password = Some(password),
            None => accounts.push(Account {
                user: root(),
                password: Some(password),
            }),
        }
    }
    Ok(accounts)
}

/// Root as an account that exists already: nothing but its name.
fn root() -> &'static GuestUser {
    static ROOT: std::sync::LazyLock<GuestUser> = std::sync::LazyLock::new(|| GuestUser {
        name: "root".to_owned(),
        ..GuestUser::default()
    });
    &ROOT
}

/// Refuses what makes cloud-init give up on all accounts (`cc_users_groups.py`, `NO_HOME`
/// and `NEED_HOME`).
fn check(user: &GuestUser) -> Result<(), Error> {
    if user.system && !user.ssh_authorized_keys.is_empty() {
        return Err(Error::GuestAccount {
            name: user.name.clone(),
            reason: "cloud-init gives a system account no home and so no SSH keys",
        });
    }
    Ok(())
}

fn login(
    name: &str,
    password: Option<&Password>,
    random: &mut dyn RandomSource,
) -> Result<Option<Login>, Error> {
    Ok(match password {
        None => None,
        Some(Password::Locked) => Some(Login::Locked),
        Some(Password::Hash(hash)) => Some(Login::Hash(hash.clone())),
        Some(Password::Text(text)) => Some(Login::Hash(crypt::hash(
            Scheme::Sha512,
            name,
            text,
            random,
        )?)),
    })
}

impl Account<'_> {
    /// The entry of `users`.
    pub(super) fn user(&self) -> Value {
        let user = self.user;
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
        add("name", user.name.as_str().into());
        if let Some(gecos) = &user.gecos {
            add("gecos", gecos.as_str().into());
        }
        if let Some(uid) = user.uid {
            add("uid", i64::from(uid).into());
        }
        if user.system {
            add("system", true.into());
        }
        if let Some(home) = &user.home {
            add("homedir", home.as_str().into());
        }
        if let Some(shell) = &user.shell {
            add("shell", shell.as_str().into());
        }
        if !user.groups.is_empty() {
            add("groups", texts(&user.groups));
        }
        if let Some(sudo) = &user.sudo {
            add("sudo", sudo.as_str().into());
        }
        match &self.password {
            Some(Login::Hash(hash)) => {
                // Not `passwd`, which an account that exists already does not take.
                add("hashed_passwd", hash.expose().as_str().into());
                add("lock_passwd", false.into());
            }
            Some(Login::Locked) => add("lock_passwd", true.into()),
            // cloud-init locks it.
            None => {}
        }
        if !user.ssh_authorized_keys.is_empty() {
            let keys = user.ssh_authorized_keys.iter();
            let keys = keys.map(|key| Value::from(key.trim_end_matches('\n')));
            add("ssh_authorized_keys", Value::Array(keys.collect()));
        }
        Value::Object(members)
    }

    /// The entry of `chpasswd`, for an account with a password.
    ///
    /// `users` alone does not do for the image's own default account: the `lock_passwd: true`
    /// of the image wins over ours (`ug_util.py`), and `chpasswd`, which comes later, undoes
    /// it.
    pub(super) fn chpasswd(&self) -> Option<Value> {
        let Some(Login::Hash(hash)) = &self.password else {
            return None;
        };
        Some(Value::Object(vec![
            ("name".to_owned(), self.user.name.as_str().into()),
            ("password".to_owned(), hash.expose().as_str().into()),
            ("type".to_owned(), "hash".into()),
        ]))
    }
}

/// The `chpasswd` member. Without `expire: false` every password would have to be changed at
/// the first login.
pub(super) fn chpasswd(users: Vec<Value>) -> Value {
    Value::Object(vec![
        ("expire".to_owned(), false.into()),
        ("users".to_owned(), Value::Array(users)),
    ])
}

fn texts(items: &[String]) -> Value {
    Value::Array(items.iter().map(|item| item.as_str().into()).collect())
}
