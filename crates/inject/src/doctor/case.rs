//! What rules look at.

use std::collections::BTreeSet;

use christen_instance::Instance;
use christen_instance::model::{Password, Seed};
use christen_vfs::{FileSystem, GuestPath, Limits, Statistics};

use super::{Diagnosis, Drive, Facts, Rule, Severity};
use crate::guest::{Files, Inspection, User, users};
use crate::{Error, Result};

/// More findings of one rule are not told.
const FINDINGS: usize = 20;

/// What rules look at, and what they have found.
pub(super) struct Case<'a, 'fs> {
    pub(super) files: Files<'fs>,
    pub(super) guest: &'a Inspection,
    pub(super) facts: &'a Facts,
    pub(super) instance: Option<&'a Instance>,
    pub(super) statistics: Statistics,
    pub(super) limits: Limits,
    rule: Option<&'static Rule>,
    of_rule: usize,
    found: Vec<Diagnosis>,
}

/// An account that gets something to log in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) name: String,
    pub(super) has_key: bool,
    pub(super) has_password: bool,
}

impl<'a, 'fs> Case<'a, 'fs> {
    pub(super) fn new(
        fs: &'fs mut dyn FileSystem,
        guest: &'a Inspection,
        facts: &'a Facts,
        instance: Option<&'a Instance>,
    ) -> Result<Self> {
        let statistics = fs.statistics().map_err(|source| Error::File {
            action: "find the room in",
            path: GuestPath::root(),
            source,
        })?;
        let limits = fs.limits();
        Ok(Self {
            files: Files::new(fs),
            guest,
            facts,
            instance,
            statistics,
            limits,
            rule: None,
            of_rule: 0,
            found: Vec::new(),
        })
    }

    pub(super) fn begin(&mut self, rule: &'static Rule) {
        self.rule = Some(rule);
        self.of_rule = 0;
    }

    pub(super) fn into_found(self) -> Vec<Diagnosis> {
        self.found
    }

    /// Notes a finding of the rule that is asked.
    pub(super) fn find(
        &mut self,
        severity: Severity,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let Some(rule) = self.rule else { return };
        debug_assert!(rule.severities.contains(&severity), "{}", rule.name);
        self.of_rule += 1;
        if self.of_rule > FINDINGS {
            return;
        }
        self.found.push(Diagnosis {
            rule: rule.name,
            severity,
            reason: reason.into(),
            remedy: remedy.into(),
        });
    }

    /// Returns the instance if it is injected: there is no drive for it.
    pub(super) fn injected(&self) -> Option<&'a Instance> {
        self.instance.filter(|_| self.facts.drive.is_none())
    }

    /// Returns the sort of documents that the guest's cloud-init is to read: on a drive, or in a seed inside the image.
    pub(super) fn documents(&self) -> Option<Drive> {
        self.facts.drive.or_else(|| {
            let seed = self.instance?.guest.seed_cloud_init?;
            Some(match seed {
                Seed::NoCloud => Drive::NoCloud,
                Seed::ConfigDrive => Drive::ConfigDrive,
            })
        })
    }

    /// Returns the account that gets keys which name none, as injection and cloud-init choose it: the image's own if it is there or will be
    /// made, else root.
    pub(super) fn default_account(&self) -> &str {
        match self
            .guest
            .cloud_init
            .as_ref()
            .and_then(|it| it.default_user.as_deref())
        {
            Some(name) if self.facts.drive.is_some() || self.user(name).is_some() => name,
            _ => "root",
        }
    }

    pub(super) fn user(&self, name: &str) -> Option<&'a User> {
        self.guest.users.iter().find(|it| it.name == name)
    }

    /// Returns the accounts that the instance gives something to log in with, each once.
    pub(super) fn logins(&self) -> Vec<Login> {
        let Some(instance) = self.instance else {
            return Vec::new();
        };
        let mut logins: Vec<Login> = Vec::new();
        let mut add = |name: &str, has_key: bool, has_password: bool| {
            if !has_key && !has_password {
                return;
            }
            match logins.iter_mut().find(|it| it.name == name) {
                Some(login) => {
                    login.has_key |= has_key;
                    login.has_password |= has_password;
                }
                None => logins.push(Login {
                    name: name.to_owned(),
                    has_key,
                    has_password,
                }),
            }
        };
        let has_key = !instance.ssh_authorized_keys.is_empty()
            || instance
                .key
                .as_ref()
                .is_some_and(|key| key.public_key.is_some() && !key.deleted);
        add(self.default_account(), has_key, false);
        let is_given =
            |it: &Option<Password>| matches!(it, Some(Password::Text(_) | Password::Hash(_)));
        // cloud-init does not read the administrator's password; injection gives it to root.
        let has_admin_password = instance.admin_password.is_some() && self.facts.drive.is_none();
        add(
            "root",
            false,
            is_given(&instance.guest.root_password) || has_admin_password,
        );
        for user in &instance.guest.users {
            add(
                &user.name,
                !user.ssh_authorized_keys.is_empty(),
                is_given(&user.password),
            );
        }
        logins
    }

    /// Returns the names of all accounts and of all groups, those that the description makes among them.
    pub(super) fn names(&mut self) -> (BTreeSet<String>, BTreeSet<String>) {
        let passwd = self.files.read("/etc/passwd").unwrap_or_default();
        let group = self.files.read("/etc/group").unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut accounts: BTreeSet<String> = users::parse_passwd(&passwd)
            .iter()
            .map(|it| text(it.name))
            .collect();
        let mut groups: BTreeSet<String> = group
            .split(|byte| *byte == b'\n')
            .filter_map(|line| line.split(|byte| *byte == b':').next())
            .map(text)
            .collect();
        if let Some(instance) = self.instance {
            for user in &instance.guest.users {
                accounts.insert(user.name.clone());
                groups.insert(user.name.clone());
            }
        }
        (accounts, groups)
    }
}
