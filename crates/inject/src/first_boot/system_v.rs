//! A script of System V's init, and of BusyBox's.

use christen_vfs::GuestPath;

use super::{DESCRIPTION, NAME, RUN, file, link};
use crate::{Result, Stage};

/// Where the scripts of a guest's run levels are.
#[derive(Debug)]
pub(super) enum Levels {
    /// Links in directories of levels, which are there.
    Directories(Vec<&'static str>),
    /// BusyBox as Buildroot has it: `rcS` runs every `/etc/init.d/S??*`.
    Numbered,
}

pub(super) fn levels(stage: &mut Stage<'_>) -> Result<Option<Levels>> {
    for all in [
        // Debian.
        ["/etc/rc2.d", "/etc/rc3.d", "/etc/rc4.d", "/etc/rc5.d"],
        // Red Hat before version 7.
        [
            "/etc/rc.d/rc2.d",
            "/etc/rc.d/rc3.d",
            "/etc/rc.d/rc4.d",
            "/etc/rc.d/rc5.d",
        ],
    ] {
        let mut found = Vec::new();
        for directory in all {
            if stage.is_directory(&crate::guest_path(directory))? {
                found.push(directory);
            }
        }
        if !found.is_empty() {
            return Ok(Some(Levels::Directories(found)));
        }
    }
    let is_busybox = stage.exists(&crate::guest_path("/etc/init.d/rcS"))?;
    Ok(is_busybox.then_some(Levels::Numbered))
}

pub(super) fn start(stage: &mut Stage<'_>, levels: Levels) -> Result<Vec<GuestPath>> {
    let mut made = Vec::new();
    // LSB Core 5.0, "Comment Conventions for Init Scripts".
    let content = format!(
        "#!/bin/sh\n\
         ### BEGIN INIT INFO\n\
         # Provides: {NAME}\n\
         # Required-Start: $all\n\
         # Required-Stop:\n\
         # Default-Start: 2 3 4 5\n\
         # Default-Stop:\n\
         # Short-Description: {DESCRIPTION}\n\
         ### END INIT INFO\n\
         case \"$1\" in\n\
         start) /bin/sh {RUN} ;;\n\
         esac\n\
         exit 0\n"
    );
    match levels {
        Levels::Numbered => {
            let script = format!("/etc/init.d/S99{NAME}");
            file(stage, script, &content, 0o755, &mut made)?;
        }
        Levels::Directories(directories) => {
            for directory in directories {
                let target = format!("../init.d/{NAME}");
                link(stage, format!("{directory}/S99{NAME}"), &target, &mut made)?;
            }
            let script = format!("/etc/init.d/{NAME}");
            file(stage, script, &content, 0o755, &mut made)?;
        }
    }
    Ok(made)
}
