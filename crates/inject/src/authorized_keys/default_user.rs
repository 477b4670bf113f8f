//! Whose account the image's own is.

use christen_instance::tree;
use christen_vfs::GuestPath;

use crate::accounts;
use crate::{Result, Stage};

const CONFIGURATION: &str = "/etc/cloud/cloud.cfg";
const DIRECTORY: &str = "/etc/cloud/cloud.cfg.d";

/// Finds the account that keys of the instance are for: cloud-init's default user if the guest has both, else root.
pub(super) fn find(stage: &mut Stage<'_>) -> Result<String> {
    let Some(name) = configured(stage)? else {
        return Ok("root".to_owned());
    };
    if accounts::find(stage, &name)?.is_some() {
        return Ok(name);
    }
    stage.notice(format!(
        "the guest's default user `{}` is made by cloud-init at the first boot only, so that the keys are root's; \
         for keys of another account name it in `guest.users`",
        name.escape_debug()
    ));
    Ok("root".to_owned())
}

/// The name below `system_info.default_user`: of the last file that has one, as cloud-init merges them (`cloudinit/util.py`,
/// `read_conf_with_confd`).
fn configured(stage: &mut Stage<'_>) -> Result<Option<String>> {
    let main = crate::guest_path(CONFIGURATION);
    let Some(text) = stage.read(&main)? else {
        return Ok(None);
    };
    let mut found = name_in(stage, &main, &text)?;
    let directory = crate::guest_path(DIRECTORY);
    for name in stage.names(&directory)? {
        if !name.ends_with(b".cfg") {
            continue;
        }
        let path = directory.join(&name);
        let Some(text) = stage.read(&path)? else {
            continue;
        };
        // Most of them say nothing of it, and none of those has to be understood.
        if text.windows(12).any(|it| it == b"default_user") {
            found = name_in(stage, &path, &text)?.or(found);
        }
    }
    Ok(found)
}

fn name_in(stage: &Stage<'_>, path: &GuestPath, text: &[u8]) -> Result<Option<String>> {
    let unclear = || {
        stage.impossible(format!(
            "`{path}` cannot be read as YAML, and it says who the default user is; name the account in `guest.users`"
        ))
    };
    let text = std::str::from_utf8(text).map_err(|_| unclear())?;
    let (root, _) = tree::parse_any(text).map_err(|_| unclear())?;
    let user = root
        .get("system_info")
        .and_then(|it| it.get("default_user"))
        .and_then(|it| it.get("name"));
    Ok(user.and_then(|it| it.as_text()).map(str::to_owned))
}
