//! Accounts and their passwords: `/etc/passwd`, `/etc/shadow`, `/etc/group`, `/etc/gshadow`.
//!
//! Each file is edited as lines of bytes: what an account asks for is put into its own line, and all else stays as it is. The files are
//! read once and written once, whatever the number of accounts; a lock file of the guest's own is no matter, because nothing runs in it.

mod database;
mod home;
mod login_defs;
mod owner;
mod passwords;
mod scheme;
mod sub_ids;
mod sudo;
mod table;
#[cfg(test)]
mod tests;
mod users;

pub(crate) use database::{Entry, find};
pub(crate) use owner::{group_id, owner};

use christen_instance::model::Password;

use self::database::Database;
use self::login_defs::LoginDefs;
use crate::{Item, ItemKind, Request, Result, Stage};

/// Makes and changes the accounts of the description, then sets root's password.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    let instance = request.instance;
    let guest = &instance.guest;
    let admin = instance.admin_password.clone().map(Password::Text);
    let own = guest.users.iter().find(|it| it.name == "root");
    let own = own.and_then(|it| it.password.as_ref());
    let root_password = guest.root_password.as_ref().or(own).or(admin.as_ref());
    if guest.users.is_empty() && root_password.is_none() {
        return Ok(());
    }
    stage.begin(Item::of(ItemKind::Account, "root"));
    let mut database = Database::load(stage)?;
    let defs = LoginDefs::load(stage)?;
    let hashing = scheme::find(stage, &database, &defs)?;
    for user in &guest.users {
        stage.begin(Item::of(ItemKind::Account, &user.name));
        let made = users::user(stage, &mut database, &defs, user)?;
        stage.begin(Item::of(ItemKind::Password, &user.name));
        match &user.password {
            _ if user.name == "root" => {}
            Some(password) => {
                let account = passwords::Account {
                    name: &user.name,
                    defs: &defs,
                    hashing,
                    system: user.system,
                };
                passwords::set(stage, &mut database, request, &account, password)?;
            }
            None if made => passwords::none(stage, &mut database, &defs, user, request.now)?,
            None => {}
        }
    }
    if let Some(password) = root_password {
        stage.begin(Item::of(ItemKind::Password, "root"));
        let account = passwords::Account {
            name: "root",
            defs: &defs,
            hashing,
            system: false,
        };
        passwords::set(stage, &mut database, request, &account, password)?;
    }
    database.write(stage)?;
    for user in &guest.users {
        stage.begin(Item::of(ItemKind::Account, &user.name));
        home::make(stage, &database, &defs, user)?;
        sub_ids::give(stage, &defs, user)?;
    }
    sudo::rules(stage, &guest.users)
}
