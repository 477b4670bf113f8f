//! A service of OpenRC, as on Alpine and Gentoo.

use christen_vfs::GuestPath;

use super::{DESCRIPTION, NAME, RUN, file, link};
use crate::{Result, Stage};

const LEVEL: &str = "/etc/runlevels/default";

pub(super) fn is_there(stage: &mut Stage<'_>) -> Result<bool> {
    stage.exists(&crate::guest_path("/sbin/openrc-run"))
}

/// It comes behind all others of its run level and may take its time, as OpenRC's own `local` (`init.d/local.in`).
pub(super) fn start(stage: &mut Stage<'_>) -> Result<Vec<GuestPath>> {
    let mut made = Vec::new();
    let script = format!("/etc/init.d/{NAME}");
    let content = format!(
        "#!/sbin/openrc-run\n\
         description=\"{DESCRIPTION}\"\n\
         \n\
         depend() {{\n\
         \x20   after *\n\
         \x20   keyword -timeout\n\
         }}\n\
         \n\
         start() {{\n\
         \x20   ebegin \"{DESCRIPTION}\"\n\
         \x20   /bin/sh {RUN}\n\
         \x20   eend 0\n\
         }}\n"
    );
    link(stage, format!("{LEVEL}/{NAME}"), &script, &mut made)?;
    file(stage, script, &content, 0o755, &mut made)?;
    Ok(made)
}
