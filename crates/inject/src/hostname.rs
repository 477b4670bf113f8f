//! The host name: hostname(5) and hosts(5).

use christen_instance::Instance;
use christen_instance::hostname::hostname_from_name;

use crate::{Item, ItemKind, Request, Result, Stage, assignment};

const FILE: &str = "/etc/hostname";
/// Red Hat's before version 7.
const SYSCONFIG: &str = "/etc/sysconfig/network";
/// SUSE's and Slackware's before `/etc/hostname`.
const OLD: &str = "/etc/HOSTNAME";
const HOSTS: &str = "/etc/hosts";

/// Debian's address for the machine's own name (Debian reference, "The hostname resolution").
const OWN_ADDRESS: &[u8] = b"127.0.1.1";

/// The longest name that the kernel takes (Linux `include/uapi/linux/utsname.h`, `__NEW_UTS_LEN`).
const LIMIT: usize = 64;

/// Sets the host name as it is given, short or fully qualified; made from the instance's name if it has none.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    let instance = request.instance;
    let is_given = instance.hostname.is_some();
    let Some(mut name) = wanted(instance) else {
        return Ok(());
    };
    stage.begin(Item::new(ItemKind::Hostname));
    if name.len() > LIMIT
        && let Some((first, _)) = name.split_once('.')
    {
        stage.notice(format!(
            "a host name in Linux has at most {LIMIT} characters, so that it is `{}` without its domain",
            first.escape_debug()
        ));
        name = first.to_owned();
    }
    let is_plain = name.len() <= LIMIT
        && !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if !is_plain {
        let reason = format!(
            "`{}` is no host name that a guest takes: 1 to {LIMIT} letters without accents, digits, `-` and `.`",
            name.escape_debug()
        );
        if is_given {
            return Err(stage.impossible(reason));
        }
        stage.notice(format!("the name is not made the host name: {reason}"));
        return Ok(());
    }
    files(stage, &name)?;
    hosts(stage, &name)
}

/// The instance's host name, or that made from its name; `None` if nothing of either is left.
pub(crate) fn wanted(instance: &Instance) -> Option<String> {
    let made = || {
        let made = hostname_from_name(&instance.name, "");
        (made != hostname_from_name("", "")).then_some(made)
    };
    instance.hostname.clone().or_else(made)
}

fn files(stage: &mut Stage<'_>, name: &str) -> Result<()> {
    let path = crate::guest_path(SYSCONFIG);
    let mut is_old = false;
    // On SUSE it is a directory, and has nothing to do with the name.
    if !stage.is_directory(&path)?
        && let Some(content) = stage.read(&path)?
        && assignment::has(&content, "HOSTNAME")
    {
        is_old = true;
        let content = assignment::set(&content, "HOSTNAME", name);
        stage.configure(&path, &content)?;
    }
    let old = crate::guest_path(OLD);
    let file = crate::guest_path(FILE);
    for path in [&file, &old] {
        let found = stage.read(path)?;
        // One of them is there at least, or the file that everything reads today.
        let is_wanted = found.is_some() || path == &file && !is_old && !stage.exists(&old)?;
        if is_wanted {
            let content = text(found, name);
            stage.configure(path, &content)?;
        }
    }
    Ok(())
}

/// The name on a line of its own, unless it stands there already.
fn text(found: Option<Vec<u8>>, name: &str) -> Vec<u8> {
    match found {
        Some(found) if found.trim_ascii() == name.as_bytes() => found,
        _ => format!("{name}\n").into_bytes(),
    }
}

/// The line of Debian's own address has this name, if there is such a line; as cloud-init, which leaves the file alone unless it is told
/// otherwise (`cc_update_etc_hosts.py`), nothing is added.
fn hosts(stage: &mut Stage<'_>, name: &str) -> Result<()> {
    let path = crate::guest_path(HOSTS);
    let Some(content) = stage.read(&path)? else {
        return Ok(());
    };
    let mut out = Vec::with_capacity(content.len());
    let mut is_done = false;
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        if is_done || line.split(u8::is_ascii_whitespace).next() != Some(OWN_ADDRESS) {
            out.extend_from_slice(line);
            continue;
        }
        is_done = true;
        let (names, rest) = split_names(&line[OWN_ADDRESS.len()..]);
        let blanks = names.len() - names.trim_ascii_start().len();
        out.extend_from_slice(OWN_ADDRESS);
        out.extend_from_slice(&names[..blanks]);
        out.extend_from_slice(name.as_bytes());
        if let Some((short, _)) = name.split_once('.') {
            out.push(b' ');
            out.extend_from_slice(short.as_bytes());
        }
        out.extend_from_slice(rest);
    }
    if is_done {
        stage.configure(&path, &out)?;
    }
    Ok(())
}

/// Splits what stands behind an address into the names, and the blanks, comment and end of the line.
fn split_names(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line
        .iter()
        .position(|byte| *byte == b'#')
        .unwrap_or(line.len());
    line.split_at(line[..end].trim_ascii_end().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, refusal, run_twice, text};

    #[test]
    fn each_guest_has_it_in_its_own_form() {
        let mut fs = guest(&[
            (FILE, "localhost\n"),
            (
                HOSTS,
                "127.0.0.1 localhost\n127.0.1.1\told.example old # x\r\n127.0.1.1 other",
            ),
        ]);
        run_twice(&mut fs, "hostname: web.example.org\n", inject);
        assert_eq!(text(&mut fs, FILE).unwrap(), "web.example.org\n");
        assert_eq!(
            text(&mut fs, HOSTS).unwrap(),
            "127.0.0.1 localhost\n127.0.1.1\tweb.example.org web # x\r\n127.0.1.1 other"
        );
        // Fedora has none before the first boot.
        let mut fs = guest(&[("/etc/", "")]);
        run_twice(&mut fs, "name: My Server\n", inject);
        assert_eq!(text(&mut fs, FILE).unwrap(), "my-server\n");
        assert_eq!(text(&mut fs, HOSTS), None);
        // Red Hat 6.
        let mut fs = guest(&[(
            SYSCONFIG,
            "NETWORKING=yes\nHOSTNAME=localhost.localdomain\n",
        )]);
        run_twice(&mut fs, "hostname: a\n", inject);
        assert_eq!(
            text(&mut fs, SYSCONFIG).unwrap(),
            "NETWORKING=yes\nHOSTNAME=a\n"
        );
        assert_eq!(text(&mut fs, FILE), None);
        // SUSE 11, and one that has a link.
        let mut fs = guest(&[(OLD, "x"), ("/etc/sysconfig/network/", "")]);
        run_twice(&mut fs, "hostname: a\n", inject);
        assert_eq!(
            (text(&mut fs, OLD).unwrap().as_str(), text(&mut fs, FILE)),
            ("a\n", None)
        );
        let mut fs = guest(&[(OLD, "-> hostname"), (FILE, "a")]);
        run_twice(&mut fs, "hostname: a\n", inject);
        assert_eq!(text(&mut fs, FILE).unwrap(), "a");
    }

    #[test]
    fn a_name_that_linux_does_not_take_is_said() {
        let long = format!("hostname: {}.example.org\n", "a".repeat(60));
        let mut fs = guest(&[("/etc/", "")]);
        assert_eq!(run_twice(&mut fs, &long, inject).notices.len(), 1);
        assert_eq!(text(&mut fs, FILE).unwrap().len(), 61);
        let mut fs = guest(&[("/etc/", "")]);
        assert_eq!(run_twice(&mut fs, "name: Übung\n", inject).notices.len(), 1);
        assert_eq!(text(&mut fs, FILE), None);
        assert!(refusal(&mut fs, "hostname: übung\n", inject).contains("no host name"));
        assert!(run_twice(&mut fs, "name: ''\n", inject).changes.is_empty());
        let mut fs = guest(&[("/etc/hostname/", "")]);
        assert!(refusal(&mut fs, "hostname: a\n", inject).contains("not a regular file"));
    }
}
