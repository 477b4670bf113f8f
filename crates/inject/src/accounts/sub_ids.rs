//! subuid(5) and subgid(5): the IDs that containers of an account use.

use christen_instance::model::GuestUser;

use super::login_defs::LoginDefs;
use crate::{Result, Stage};

/// An ordinary account has a range of IDs, if the guest keeps such ranges at all (useradd(8): if the file is there). It comes behind
/// those that are given away already; where no room is left there, the account has none.
pub(super) fn give(stage: &mut Stage<'_>, defs: &LoginDefs, user: &GuestUser) -> Result<()> {
    if user.system || user.name == "root" {
        return Ok(());
    }
    for (path, of) in [("/etc/subuid", "SUB_UID"), ("/etc/subgid", "SUB_GID")] {
        let path = crate::guest_path(path);
        let Some(mut text) = stage.read(&path)? else {
            continue;
        };
        let number = |name: &str, default| defs.number(&format!("{of}_{name}")).unwrap_or(default);
        // login.defs(5), with its defaults.
        let count = number("COUNT", 65_536);
        let mut start = u64::from(number("MIN", 100_000));
        let mut has_some = count == 0;
        for line in text.split(|byte| *byte == b'\n') {
            let fields: Vec<_> = line.splitn(4, |byte| *byte == b':').collect();
            let [name, first, length] = fields[..] else {
                continue;
            };
            has_some |= name == user.name.as_bytes();
            let number = |text: &[u8]| std::str::from_utf8(text).ok()?.trim().parse::<u32>().ok();
            if let (Some(first), Some(length)) = (number(first), number(length)) {
                start = start.max(u64::from(first) + u64::from(length));
            }
        }
        let is_room = start + u64::from(count) <= u64::from(number("MAX", 600_100_000)) + 1;
        if !has_some && is_room {
            if text.last().is_some_and(|byte| *byte != b'\n') {
                text.push(b'\n');
            }
            text.extend_from_slice(format!("{}:{start}:{count}\n", user.name).as_bytes());
        }
        stage.configure(&path, &text)?;
    }
    Ok(())
}
