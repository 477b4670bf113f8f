//! The four files together.

use christen_vfs::GuestPath;

use super::table::Table;
use crate::{Error, Result, Secrecy, Stage};

/// Places of fields: passwd(5).
pub(super) const PASSWORD: usize = 1;
const UID: usize = 2;
pub(super) const GID: usize = 3;
pub(super) const GECOS: usize = 4;
pub(super) const HOME: usize = 5;
pub(super) const SHELL: usize = 6;
/// group(5) and gshadow(5).
const GROUP_GID: usize = 2;
const MEMBERS: usize = 3;
/// shadow(5).
pub(super) const CHANGED: usize = 2;
pub(super) const EXPIRES: usize = 7;

/// The guest's account files.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) passwd: Table,
    pub(super) shadow: Option<Table>,
    pub(super) group: Option<Table>,
    pub(super) gshadow: Option<Table>,
}

/// An account as the guest has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its user ID.
    pub(crate) uid: u32,
    /// Its first group.
    pub(crate) gid: u32,
    /// Its home directory, which may be no path at all.
    pub(crate) home: Vec<u8>,
}

impl Entry {
    /// Its home directory as a path.
    pub(crate) fn home(&self, stage: &Stage<'_>) -> Result<GuestPath> {
        GuestPath::new(&self.home)
            .map_err(|error| stage.impossible(format!("the account's home is no path: {error}")))
    }
}

/// Finds an account of the guest.
pub(crate) fn find(stage: &mut Stage<'_>, name: &str) -> Result<Option<Entry>> {
    match Table::load(stage, "/etc/passwd", 7, Secrecy::Public)? {
        Some(passwd) => entry_of(&passwd, name),
        None => Ok(None),
    }
}

pub(super) fn entry_of(passwd: &Table, name: &str) -> Result<Option<Entry>> {
    let Some(fields) = passwd.entry(name.as_bytes())? else {
        return Ok(None);
    };
    let (Some(uid), Some(gid)) = (number(fields[UID]), number(fields[GID])) else {
        return Err(Error::Broken {
            path: crate::guest_path("/etc/passwd"),
            line: None,
            rule: "user and group ID are whole numbers",
        });
    };
    Ok(Some(Entry {
        uid,
        gid,
        home: fields[HOME].to_vec(),
    }))
}

pub(super) fn gid(group: &Table, name: &str) -> Result<Option<u32>> {
    let Some(fields) = group.entry(name.as_bytes())? else {
        return Ok(None);
    };
    match number(fields[GROUP_GID]) {
        Some(gid) => Ok(Some(gid)),
        None => Err(Error::Broken {
            path: crate::guest_path("/etc/group"),
            line: None,
            rule: "a group ID is a whole number",
        }),
    }
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Database {
    pub(super) fn load(stage: &mut Stage<'_>) -> Result<Self> {
        let Some(passwd) = Table::load(stage, "/etc/passwd", 7, Secrecy::Public)? else {
            return Err(stage.impossible("the guest has no `/etc/passwd`"));
        };
        Ok(Self {
            passwd,
            shadow: Table::load(stage, "/etc/shadow", 9, Secrecy::Secret)?,
            group: Table::load(stage, "/etc/group", 4, Secrecy::Public)?,
            gshadow: Table::load(stage, "/etc/gshadow", 4, Secrecy::Secret)?,
        })
    }

    pub(super) fn write(&self, stage: &mut Stage<'_>) -> Result<()> {
        let optional = [&self.group, &self.gshadow, &self.shadow];
        // A group before who is in it, an account before its password.
        for table in optional.into_iter().take(2).flatten() {
            table.write(stage)?;
        }
        self.passwd.write(stage)?;
        self.shadow.iter().try_for_each(|table| table.write(stage))
    }

    pub(super) fn account(&self, name: &str) -> Result<Option<Entry>> {
        entry_of(&self.passwd, name)
    }

    /// Whose user ID this is.
    pub(super) fn owner_of(&self, uid: u32) -> Option<&[u8]> {
        self.passwd.by_number(UID, uid)
    }

    pub(super) fn uids(&self) -> impl Iterator<Item = u32> {
        self.passwd.numbers(UID)
    }

    pub(super) fn gids(&self) -> impl Iterator<Item = u32> {
        self.group.iter().flat_map(|group| group.numbers(GROUP_GID))
    }

    pub(super) fn gid(&self, group: &str) -> Result<Option<u32>> {
        self.group
            .as_ref()
            .map_or(Ok(None), |table| gid(table, group))
    }

    /// There is one more group, without members.
    pub(super) fn add_group(&mut self, stage: &Stage<'_>, name: &str, gid: u32) -> Result<()> {
        let Some(group) = &mut self.group else {
            return Err(stage.impossible("the guest has no `/etc/group`"));
        };
        let item = stage.item();
        group.add(
            item,
            &[name.as_bytes(), b"x", gid.to_string().as_bytes(), b""],
        );
        if let Some(gshadow) = &mut self.gshadow
            && !gshadow.has(name.as_bytes())
        {
            gshadow.add(item, &[name.as_bytes(), b"!", b"", b""]);
        }
        Ok(())
    }

    /// An account is in a group that is there.
    pub(super) fn join_group(&mut self, stage: &Stage<'_>, user: &str, group: &str) -> Result<()> {
        if !self
            .group
            .as_ref()
            .is_some_and(|it| it.has(group.as_bytes()))
        {
            return Err(stage.impossible(self.no_group(group)));
        }
        for table in [&mut self.group, &mut self.gshadow].into_iter().flatten() {
            let Some(fields) = table.entry(group.as_bytes())? else {
                continue;
            };
            let members = fields[MEMBERS].trim_ascii();
            let is_there = members
                .split(|byte| *byte == b',')
                .any(|it| it.trim_ascii() == user.as_bytes());
            let mut members = if is_there { fields[MEMBERS] } else { members }.to_vec();
            if !is_there {
                if !members.is_empty() {
                    members.push(b',');
                }
                members.extend_from_slice(user.as_bytes());
            }
            table.set(stage.item(), group.as_bytes(), MEMBERS, &members)?;
        }
        Ok(())
    }

    /// The administrators' group has one of two names, and asking for the other is the most common mistake.
    fn no_group(&self, name: &str) -> String {
        let other = match name {
            "sudo" => "wheel",
            "wheel" => "sudo",
            _ => "",
        };
        let has_other = self
            .group
            .as_ref()
            .is_some_and(|it| it.has(other.as_bytes()));
        if has_other && !other.is_empty() {
            format!("the guest has no group `{name}`; here it is `{other}`")
        } else {
            format!("the guest has no group `{name}`")
        }
    }
}
