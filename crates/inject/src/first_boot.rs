//! Commands of the first boot.
//!
//! The commands are one script, as cloud-init makes one of them from a drive (`cc_runcmd.py`); beside it is one that runs it and then
//! takes everything away again. What starts that is made for the guest's own init.

mod openrc;
mod system_v;
mod systemd;

pub(crate) use systemd::is_there as has_systemd;

use christen_vfs::GuestPath;

use crate::{Existing, Item, ItemKind, Ownership, Request, Result, Secrecy, Stage};

/// Nobody but root may look in: commands may hold secrets.
const DIRECTORY: &str = "/var/lib/christen/first-boot";
const COMMANDS: &str = "/var/lib/christen/first-boot/commands";
const RUN: &str = "/var/lib/christen/first-boot/run";
const LOG: &str = "/var/log/christen-first-boot.log";

/// The name of the service, with every init.
const NAME: &str = "christen-first-boot";

const DESCRIPTION: &str = "Commands of the first boot (christen)";

/// Makes the guest run the description's commands, once, when it first boots.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    let commands = &request.instance.guest.first_boot_commands;
    if commands.is_empty() {
        return Ok(());
    }
    stage.begin(Item::new(ItemKind::FirstBoot));
    let own = Ownership::root(0o700);
    stage.directory(&crate::guest_path(DIRECTORY), own, Existing::Set)?;
    let mut script = "#!/bin/sh\n".to_owned();
    for command in commands {
        let command = command.expose();
        if command.contains('\0') {
            return Err(stage.impossible("a command holds a NUL, and a shell reads none"));
        }
        script.push_str(command);
        script.push('\n');
    }
    let path = crate::guest_path(COMMANDS);
    stage.write(
        &path,
        script.as_bytes(),
        own,
        Existing::Set,
        Secrecy::Secret,
    )?;
    let starts = start(stage)?;
    let path = crate::guest_path(RUN);
    let runner = runner(&starts);
    stage.write(
        &path,
        runner.as_bytes(),
        own,
        Existing::Set,
        Secrecy::Public,
    )
}

/// Makes what starts the commands; the files that go once they have run.
fn start(stage: &mut Stage<'_>) -> Result<Vec<GuestPath>> {
    if systemd::is_there(stage)? {
        systemd::start(stage)
    } else if openrc::is_there(stage)? {
        openrc::start(stage)
    } else if let Some(levels) = system_v::levels(stage)? {
        system_v::start(stage, levels)
    } else {
        Err(stage.impossible(
            "the guest has neither systemd nor OpenRC nor System V's run levels, and nothing else is known that would start the commands",
        ))
    }
}

/// A file of the service is there, and will go.
fn file(
    stage: &mut Stage<'_>,
    path: String,
    content: &str,
    permissions: u16,
    made: &mut Vec<GuestPath>,
) -> Result<()> {
    let path = crate::path_of(stage, &path)?;
    stage.parents(&path)?;
    let own = Ownership::root(permissions);
    stage.write(
        &path,
        content.as_bytes(),
        own,
        Existing::Set,
        Secrecy::Public,
    )?;
    made.push(path);
    Ok(())
}

/// A link of the service is there, and will go.
fn link(
    stage: &mut Stage<'_>,
    path: String,
    target: &str,
    made: &mut Vec<GuestPath>,
) -> Result<()> {
    let path = crate::path_of(stage, &path)?;
    stage.parents(&path)?;
    stage.symbolic_link(&path, target.as_bytes())?;
    made.push(path);
    Ok(())
}

/// The commands are renamed before they run, so that one which reboots the machine is not run again.
fn runner(starts: &[GuestPath]) -> String {
    let mut text = format!(
        "#!/bin/sh\n\
         # Runs the commands of the first boot once, and takes itself out of the system.\n\
         umask 077\n\
         log={LOG}\n\
         : >>\"$log\"\n\
         chmod 600 \"$log\"\n\
         exec >>\"$log\" 2>&1 </dev/null\n\
         if mv {COMMANDS} {COMMANDS}.begun; then\n\
         \x20   echo \"begun: $(date)\"\n\
         \x20   (umask 022; cd /; exec /bin/sh {COMMANDS}.begun)\n\
         \x20   echo \"ended with status $?: $(date)\"\n\
         fi\n"
    );
    for path in starts {
        // Every one of them is made here, of plain characters.
        text.push_str(&format!("rm -f {path}\n"));
    }
    text.push_str(&format!("rm -rf {DIRECTORY}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, own, path, refusal, run_twice, text};

    const YAML: &str = "guest: {first_boot_commands: ['cd /srv', \"touch a\\nb\"]}\n";

    fn check(files: &[(&str, &str)], mode_of: &str, mode: u16, links: &[(&str, &str)]) {
        let mut fs = guest(files);
        let told = run_twice(&mut fs, YAML, inject);
        assert_eq!(
            text(&mut fs, COMMANDS).unwrap(),
            "#!/bin/sh\ncd /srv\ntouch a\nb\n"
        );
        assert_eq!(own(&mut fs, COMMANDS), (0o700, 0, 0));
        assert_eq!(own(&mut fs, DIRECTORY), (0o700, 0, 0));
        assert!(text(&mut fs, mode_of).is_some());
        assert_eq!(own(&mut fs, mode_of).0, mode);
        let runner = text(&mut fs, RUN).unwrap();
        for (link, target) in links {
            let found = Stage::new(&mut fs).link_target(&path(link)).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), *target);
            assert!(runner.contains(&format!("rm -f {link}\n")));
        }
        assert!(runner.contains(&format!("rm -f {mode_of}\n")));
        let commands = told
            .changes
            .iter()
            .find(|it| it.path == path(COMMANDS))
            .unwrap();
        assert_eq!(commands.secrecy, Secrecy::Secret);
    }

    #[test]
    fn each_init_starts_them_in_its_own_way() {
        let unit = "/etc/systemd/system/christen-first-boot.service";
        check(
            &[("/usr/lib/systemd/systemd", "")],
            unit,
            0o644,
            &[(
                "/etc/systemd/system/multi-user.target.wants/christen-first-boot.service",
                unit,
            )],
        );
        let script = "/etc/init.d/christen-first-boot";
        check(
            &[("/sbin/openrc-run", ""), ("/etc/runlevels/default/", "")],
            script,
            0o755,
            &[("/etc/runlevels/default/christen-first-boot", script)],
        );
        check(
            &[("/etc/rc2.d/", ""), ("/etc/rc3.d/", "")],
            script,
            0o755,
            &[
                (
                    "/etc/rc2.d/S99christen-first-boot",
                    "../init.d/christen-first-boot",
                ),
                (
                    "/etc/rc3.d/S99christen-first-boot",
                    "../init.d/christen-first-boot",
                ),
            ],
        );
        check(
            &[
                ("/etc/rc.d/rc3.d/", ""),
                ("/etc/init.d", "-> rc.d/init.d"),
                ("/etc/rc.d/init.d/", ""),
            ],
            script,
            0o755,
            &[(
                "/etc/rc.d/rc3.d/S99christen-first-boot",
                "../init.d/christen-first-boot",
            )],
        );
        check(
            &[("/etc/init.d/rcS", "")],
            "/etc/init.d/S99christen-first-boot",
            0o755,
            &[],
        );
    }

    #[test]
    fn a_guest_without_a_known_init_is_refused() {
        assert!(refusal(&mut guest(&[("/etc/", "")]), YAML, inject).contains("neither systemd"));
    }
}
