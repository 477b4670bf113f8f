//! A unit of systemd.

use christen_vfs::GuestPath;

use super::{DESCRIPTION, NAME, RUN, file, link};
use crate::{Result, Stage};

const UNITS: &str = "/etc/systemd/system";

/// Whether the guest's init is systemd.
pub(crate) fn is_there(stage: &mut Stage<'_>) -> Result<bool> {
    for path in ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"] {
        if stage.exists(&crate::guest_path(path))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A service of its own, enabled. Where the image has no machine ID yet, systemd goes by its presets at the first boot, and those of
/// some systems disable what they do not name (systemd.preset(5)): so it is named.
pub(super) fn start(stage: &mut Stage<'_>) -> Result<Vec<GuestPath>> {
    let mut made = Vec::new();
    let unit = format!("{UNITS}/{NAME}.service");
    let content = format!(
        "[Unit]\n\
         Description={DESCRIPTION}\n\
         ConditionPathExists={RUN}\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart=/bin/sh {RUN}\n\
         KillMode=process\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    );
    let preset = format!("enable {NAME}.service\n");
    let preset_path = format!("/etc/systemd/system-preset/00-{NAME}.preset");
    file(stage, preset_path, &preset, 0o644, &mut made)?;
    let wants = format!("{UNITS}/multi-user.target.wants/{NAME}.service");
    link(stage, wants, &unit, &mut made)?;
    file(stage, unit, &content, 0o644, &mut made)?;
    Ok(made)
}
