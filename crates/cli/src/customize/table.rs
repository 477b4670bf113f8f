//! Every option of virt-customize, and ours: one table for `christen inject`, for `christen customize`, and for the document.

use super::form;
use super::step::Step;

/// An option.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its long name, without the hyphens.
    pub(crate) name: &'static str,
    /// Its other names.
    pub(crate) aliases: &'static [&'static str],
    /// Its one letter.
    pub(crate) short: Option<char>,
    /// What its argument is called; `None` for an option without one.
    pub(crate) value: Option<&'static str>,
    /// What becomes of it.
    pub(crate) treatment: Treatment,
}

/// What becomes of an option.
#[derive(Debug)]
pub(crate) enum Treatment {
    /// It is done.
    Done {
        /// In one line, for the help.
        help: &'static str,
        /// Takes its argument.
        read: fn(&str) -> Result<Step, String>,
    },
    /// `customize` takes it and does nothing, because what it asks for is so already.
    Met(&'static str),
    /// `customize` refuses it, with what can be done instead.
    Refused {
        /// Why.
        because: &'static str,
        /// What can be done instead.
        instead: &'static str,
    },
}

const fn done(
    name: &'static str,
    value: Option<&'static str>,
    help: &'static str,
    read: fn(&str) -> Result<Step, String>,
) -> Row {
    Row {
        name,
        aliases: &[],
        short: None,
        value,
        treatment: Treatment::Done { help, read },
    }
}

const fn met(name: &'static str, value: Option<&'static str>, because: &'static str) -> Row {
    Row {
        name,
        aliases: &[],
        short: None,
        value,
        treatment: Treatment::Met(because),
    }
}

const fn refused(
    name: &'static str,
    value: Option<&'static str>,
    because: &'static str,
    instead: &'static str,
) -> Row {
    Row {
        name,
        aliases: &[],
        short: None,
        value,
        treatment: Treatment::Refused { because, instead },
    }
}

impl Row {
    const fn or(self, short: char) -> Self {
        Self {
            short: Some(short),
            ..self
        }
    }

    const fn alias(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }
}

const RUNS_CODE: &str = "it runs programs of the guest, and christen runs nothing";
const AT_FIRST_BOOT: &str =
    "`--firstboot` and `--firstboot-command` run at the guest's first boot, with its own network";
const NO_MACHINE: &str = "there is no machine beside the guest: christen starts none";
const NO_SUBSCRIPTION: &str =
    "`--firstboot-command` runs `subscription-manager` at the guest's first boot";

/// All of them, those that are done first.
pub(crate) static OPTIONS: &[Row] = &[
    done(
        "ssh-inject",
        Some("USER[:SELECTOR]"),
        "A public key may log in as USER: `file:FILENAME`, `string:KEY`, or else your own newest ~/.ssh/id*.pub",
        form::ssh_inject,
    ),
    done(
        "password",
        Some("USER:SELECTOR"),
        "Set the password of USER: `file:FILENAME`, `random`, `locked`, `locked:SELECTOR`, `disabled`, `hash:HASH`",
        form::password,
    ),
    done(
        "root-password",
        Some("SELECTOR"),
        "Set root's password, with the same selectors",
        form::root_password,
    ),
    done(
        "upload",
        Some("FILE:DEST"),
        "Put a file of this host into the guest, with its mode and owner",
        form::upload,
    ),
    done(
        "copy-in",
        Some("LOCALPATH:REMOTEDIR"),
        "Put a file or a directory of this host, with all that is in it, into a directory of the guest",
        form::copy_in,
    ),
    done(
        "write",
        Some("FILE:CONTENT"),
        "A file has this content",
        form::write,
    ),
    done(
        "append-line",
        Some("FILE:LINE"),
        "A file has this line, behind all others unless it is there",
        form::append_line,
    ),
    done(
        "mkdir",
        Some("DIR"),
        "A directory is there, and those above it",
        form::mkdir,
    ),
    done(
        "chmod",
        Some("PERMISSIONS:FILE"),
        "Set the permission bits: octal with a 0 before it",
        form::chmod,
    ),
    done(
        "chown",
        Some("UID.GID:PATH"),
        "Set owner and group",
        form::chown,
    ),
    done(
        "delete",
        Some("PATH"),
        "Remove a file, or a directory with all that is in it; wildcards are the guest's",
        form::delete,
    ),
    done(
        "link",
        Some("TARGET:LINK[:LINK..]"),
        "Make symbolic links to TARGET",
        form::link,
    ),
    done(
        "move",
        Some("SOURCE:DEST"),
        "Move a file or a directory of the guest",
        form::rename,
    ),
    done(
        "touch",
        Some("FILE"),
        "A file is there, and was changed now",
        form::touch,
    ),
    done(
        "truncate",
        Some("FILE"),
        "A file that is there is empty",
        form::truncate,
    ),
    done(
        "hostname",
        Some("HOSTNAME"),
        "Set the host name",
        form::hostname,
    ),
    done(
        "timezone",
        Some("TIMEZONE"),
        "Set the time zone",
        form::timezone,
    ),
    done(
        "firstboot",
        Some("SCRIPT"),
        "Run a script of this host at the guest's first boot",
        form::firstboot,
    ),
    done(
        "firstboot-command",
        Some("'CMD+ARGS'"),
        "Run a command at the guest's first boot",
        form::firstboot_command,
    ),
    done(
        "seed-cloud-init",
        Some("nocloud|config-drive"),
        "Put a seed for the image's own cloud-init into it",
        form::seed,
    ),
    done(
        "machine-id",
        Some("reset|random|ID"),
        "Set the machine ID, or let the guest make one",
        form::machine_id,
    ),
    done(
        "ssh-host-keys",
        None,
        "Make an SSH host key, and print its line for known_hosts",
        |_| Ok(Step::SshHostKeys),
    ),
    done(
        "ca-certificate",
        Some("FILE"),
        "Trust the CA of a certificate in PEM",
        form::ca_certificate,
    ),
    met("quiet", None, "nothing is printed but the result").or('q'),
    met("verbose", None, "there is no debug output").or('v'),
    met("trace", None, "there is no debug output").or('x'),
    met("network", None, NO_MACHINE),
    met("no-network", None, NO_MACHINE),
    met("no-logfile", None, "no log is written into the guest"),
    met("memsize", Some("MB"), NO_MACHINE).or('m'),
    met("smp", Some("N"), NO_MACHINE),
    met(
        "selinux-relabel",
        None,
        "all that is written gets its label",
    ),
    met("color", None, "messages have no colours").alias(&["colors", "colour", "colours"]),
    met("wrap", None, "messages are not wrapped"),
    met("echo-keys", None, "no passphrase is asked for"),
    met(
        "connect",
        Some("URI"),
        "with `-a` libvirt is not asked, by virt-customize neither",
    )
    .or('c'),
    refused(
        "domain",
        Some("NAME"),
        "christen does not ask libvirt",
        "name the disk: `-a IMAGE`; `virsh domblklist NAME` prints it",
    )
    .or('d'),
    refused("run", Some("SCRIPT"), RUNS_CODE, AT_FIRST_BOOT),
    refused("run-command", Some("'CMD+ARGS'"), RUNS_CODE, AT_FIRST_BOOT),
    refused("install", Some("PKG,PKG.."), RUNS_CODE, AT_FIRST_BOOT),
    refused("uninstall", Some("PKG,PKG.."), RUNS_CODE, AT_FIRST_BOOT),
    refused("update", None, RUNS_CODE, AT_FIRST_BOOT),
    refused(
        "firstboot-install",
        Some("PKG,PKG.."),
        "christen does not know how the guest installs packages",
        "`--firstboot-command` with the guest's own command, such as `apt-get install -y PKG`",
    ),
    refused(
        "edit",
        Some("FILE:EXPR"),
        "it runs Perl",
        "`christen cat`, your own editor, and `--upload`",
    ),
    refused(
        "scrub",
        Some("FILE"),
        "what was in the blocks of a file cannot be promised to be gone, from a copy-on-write image least of all",
        "`--delete`, if the name and the content going is enough",
    ),
    refused(
        "copy",
        Some("SOURCE:DEST"),
        "it is not done yet",
        "`christen cat` and `--upload`",
    ),
    refused(
        "truncate-recursive",
        Some("PATH"),
        "it is not done yet",
        "`--truncate` for each file, or `--delete` with wildcards",
    ),
    refused(
        "commands-from-file",
        Some("FILENAME"),
        "it is not done yet",
        "the same lines as options, or a script for `christen edit`",
    ),
    refused(
        "password-crypto",
        Some("md5|sha256|sha512"),
        "passwords are hashed as the guest itself hashes them",
        "`--password USER:hash:HASH` with a hash of your own (`mkpasswd`)",
    ),
    refused(
        "no-selinux-relabel",
        None,
        "what is written without a label is denied to the guest's services",
        "leave it out: labels are exact, and no relabelling at boot is needed",
    ),
    refused(
        "attach",
        Some("ISOFILE"),
        NO_MACHINE,
        "`--upload` or `--copy-in` what is on it",
    ),
    refused(
        "attach-format",
        Some("FORMAT"),
        NO_MACHINE,
        "`--upload` or `--copy-in` what is on it",
    ),
    refused(
        "key",
        Some("SELECTOR"),
        "christen does not open LUKS",
        "open it with `cryptsetup`, and give christen the block device",
    ),
    refused(
        "keys-from-stdin",
        None,
        "christen does not open LUKS",
        "open it with `cryptsetup`, and give christen the block device",
    ),
    refused("sm-attach", Some("SELECTOR"), RUNS_CODE, NO_SUBSCRIPTION),
    refused(
        "sm-credentials",
        Some("SELECTOR"),
        RUNS_CODE,
        NO_SUBSCRIPTION,
    ),
    refused("sm-register", None, RUNS_CODE, NO_SUBSCRIPTION),
    refused("sm-remove", None, RUNS_CODE, NO_SUBSCRIPTION),
    refused("sm-unregister", None, RUNS_CODE, NO_SUBSCRIPTION),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_the_document() {
        let document = include_str!("../../../../docs/customize.md");
        for row in OPTIONS {
            let name = format!("`--{}", row.name);
            let is_there = document.match_indices(&name).any(|(at, _)| {
                let next = document[at + name.len()..].chars().next();
                matches!(next, Some('`' | ' '))
            });
            assert!(is_there, "{name}");
            if let Some(short) = row.short {
                assert!(document.contains(&format!("`-{short}`")), "-{short}");
            }
        }
    }
}
