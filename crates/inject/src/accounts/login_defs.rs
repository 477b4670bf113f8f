//! login.defs(5): what the guest gives new accounts.

use std::collections::BTreeMap;

use crate::{Result, Stage};

/// Where it is; the second is openSUSE's, for what came with the system.
const PLACES: [&str; 2] = ["/etc/login.defs", "/usr/etc/login.defs"];

/// The settings of login.defs(5) that the guest has.
#[derive(Debug, Default)]
pub(super) struct LoginDefs(BTreeMap<Vec<u8>, Vec<u8>>);

impl LoginDefs {
    pub(super) fn load(stage: &mut Stage<'_>) -> Result<Self> {
        for place in PLACES {
            if let Some(text) = stage.read(&crate::guest_path(place))? {
                return Ok(Self::parse(&text));
            }
        }
        Ok(Self::default())
    }

    /// shadow `lib/getdef.c`, `def_load`: a name, blanks, a value up to a quotation mark.
    fn parse(text: &[u8]) -> Self {
        let mut settings = BTreeMap::new();
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            if matches!(line.first(), None | Some(b'#')) {
                continue;
            }
            let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
            let (name, value) = line.split_at(end.unwrap_or(line.len()));
            let value = value.trim_ascii_start();
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            let value = value.split(|byte| *byte == b'"').next().unwrap_or(value);
            settings.insert(name.to_vec(), value.trim_ascii().to_vec());
        }
        Self(settings)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.0.get(name.as_bytes())?).ok()
    }

    /// A number as strtol(3) with base 0 reads it: octal behind a `0`.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        let text = self.text(name)?;
        if let Some(digits) = text.strip_prefix("0x") {
            u32::from_str_radix(digits, 16).ok()
        } else if text.len() > 1 && text.starts_with('0') {
            u32::from_str_radix(text, 8).ok()
        } else {
            text.parse().ok()
        }
    }

    /// The range of IDs for `UID` or `GID`, of ordinary or of system accounts (login.defs(5), with its defaults).
    pub(super) fn range(&self, of: &str, system: bool) -> (u32, u32) {
        let number = |name: String, default| self.number(&name).unwrap_or(default);
        let first = number(format!("{of}_MIN"), 1000);
        if system {
            let last = number(format!("SYS_{of}_MAX"), first.saturating_sub(1));
            (number(format!("SYS_{of}_MIN"), 101), last)
        } else {
            (first, number(format!("{of}_MAX"), 60_000))
        }
    }

    /// The permission bits of a new home directory: nobody else's, unless the guest says otherwise.
    pub(super) fn home_mode(&self) -> u16 {
        let mode = self.number("HOME_MODE").unwrap_or(0o700);
        (mode & 0o7777) as u16
    }

    /// Minimum and maximum age and days of warning of a new password, as shadow(5) has them.
    pub(super) fn ages(&self, system: bool) -> [String; 3] {
        ["PASS_MIN_DAYS", "PASS_MAX_DAYS", "PASS_WARN_AGE"].map(|name| match self.number(name) {
            Some(days) if !system => days.to_string(),
            _ => String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_shadow_reads_them() {
        let defs = LoginDefs::parse(
            b"# c\nHOME_MODE\t0750\r\n UID_MIN 0x10\nUID_MAX \"99\" x\nNAME\nGID_MIN ten\n\xff\n",
        );
        assert_eq!(defs.home_mode(), 0o750);
        assert_eq!(defs.range("UID", false), (16, 99));
        assert_eq!(defs.range("UID", true), (101, 15));
        assert_eq!(defs.range("GID", false), (1000, 60_000));
        assert_eq!(defs.text("NAME"), Some(""));
        assert_eq!(LoginDefs::default().home_mode(), 0o700);
    }
}
