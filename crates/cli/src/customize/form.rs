//! The forms of the options' arguments: those of virt-customize(1) and virt-builder(1), "USERS AND PASSWORDS" and "SSH KEYS".
//!
//! Where two things are joined by a `:`, the first one ends the first thing: a content or a line may hold more.

use std::path::PathBuf;

use christen_instance::Secret;
use christen_instance::model::{MachineId, Operation, Seed};

use super::step::{PublicKey, Selector, Step};

/// What a form gives, or what is wrong with the argument; it must not repeat a password.
type Read = Result<Step, String>;

pub(super) fn write(argument: &str) -> Read {
    let (path, content) = pair(argument, "FILE:CONTENT")?;
    Ok(Step::Operation(Operation::Write {
        path: guest(path)?,
        content: Secret::new(content.as_bytes().to_vec()),
    }))
}

pub(super) fn append_line(argument: &str) -> Read {
    let (path, line) = pair(argument, "FILE:LINE")?;
    if line.contains('\n') {
        return Err("a line has no line end in it: give the option once for each line".to_owned());
    }
    Ok(Step::Operation(Operation::AppendLine {
        path: guest(path)?,
        line: line.to_owned(),
    }))
}

pub(super) fn mkdir(argument: &str) -> Read {
    let path = guest(argument)?;
    Ok(Step::Operation(Operation::MakeDirectory { path }))
}

/// The number is decimal unless it begins with a 0 (virt-customize(1), `--chmod`; with OCaml's other prefixes too, guestfs-tools
/// `common/mlcustomize/customize_run.ml`).
pub(super) fn chmod(argument: &str) -> Read {
    let (mode, path) = pair(argument, "PERMISSIONS:FILE")?;
    let lower = mode.to_ascii_lowercase();
    let (digits, radix) = if let Some(digits) = lower.strip_prefix("0x") {
        (digits, 16)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        (digits, 2)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        (digits, 8)
    } else if let Some(digits) = lower.strip_prefix('0').filter(|it| !it.is_empty()) {
        (digits, 8)
    } else {
        (lower.as_str(), 10)
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_alphanumeric());
    let number = u32::from_str_radix(digits, radix).ok();
    let number = number.filter(|it| is_number && *it <= 0o7777);
    let Some(number) = number else {
        return Err(format!(
            "`{mode}` is no permission bits: write octal with a 0 before it, as `0644`"
        ));
    };
    if radix == 10 && number > 7 {
        let all_octal = digits.bytes().all(|it| it < b'8') && digits.len() >= 3;
        if all_octal {
            crate::output::warning(&format!(
                "`--chmod {mode}:...` is decimal, so it is {number:#06o}, as virt-customize reads it: octal is `0{mode}`"
            ));
        }
    }
    Ok(Step::Operation(Operation::ChangeMode {
        path: guest(path)?,
        mode: number,
    }))
}

pub(super) fn chown(argument: &str) -> Read {
    let (owner, path) = pair(argument, "UID.GID:PATH")?;
    let is_number = |it: &str| it.parse::<u32>().is_ok_and(|id| id != u32::MAX);
    let Some((uid, gid)) = owner
        .split_once('.')
        .filter(|(uid, gid)| is_number(uid) && is_number(gid))
    else {
        return Err(format!(
            "`{owner}` is not UID.GID, two numbers: names are for `christen chown`"
        ));
    };
    Ok(Step::Operation(Operation::ChangeOwner {
        path: guest(path)?,
        owner: format!("{uid}:{gid}"),
    }))
}

pub(super) fn delete(argument: &str) -> Read {
    Ok(Step::Delete(guest(argument)?))
}

pub(super) fn link(argument: &str) -> Read {
    let mut parts = argument.split(':');
    let target = parts.next().unwrap_or_default();
    let links: Vec<_> = parts.map(guest).collect::<Result<_, _>>()?;
    if links.is_empty() || target.is_empty() {
        return Err("the form is TARGET:LINK[:LINK..]".to_owned());
    }
    Ok(Step::Link {
        target: target.to_owned(),
        links,
    })
}

pub(super) fn rename(argument: &str) -> Read {
    let (from, to) = pair(argument, "SOURCE:DEST")?;
    Ok(Step::Operation(Operation::Move {
        from: guest(from)?,
        to: guest(to)?,
    }))
}

pub(super) fn touch(argument: &str) -> Read {
    let path = guest(argument)?;
    Ok(Step::Operation(Operation::Touch { path }))
}

pub(super) fn truncate(argument: &str) -> Read {
    Ok(Step::Truncate(guest(argument)?))
}

pub(super) fn upload(argument: &str) -> Read {
    let (file, to) = pair(argument, "FILE:DEST")?;
    Ok(Step::Upload {
        file: host(file)?,
        to: guest(to)?,
    })
}

pub(super) fn copy_in(argument: &str) -> Read {
    let (from, directory) = pair(argument, "LOCALPATH:REMOTEDIR")?;
    Ok(Step::CopyIn {
        from: host(from)?,
        directory: guest(directory)?,
    })
}

pub(super) fn hostname(argument: &str) -> Read {
    if argument.is_empty() {
        return Err("a host name has at least one character".to_owned());
    }
    Ok(Step::Hostname(argument.to_owned()))
}

pub(super) fn timezone(argument: &str) -> Read {
    let is_zone = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'/' | b'_' | b'-' | b'+');
    if argument.is_empty() || argument.starts_with('/') || !argument.bytes().all(is_zone) {
        return Err("this is no time zone: write one as `Europe/London`".to_owned());
    }
    Ok(Step::Timezone(argument.to_owned()))
}

pub(super) fn firstboot(argument: &str) -> Read {
    Ok(Step::FirstBoot(host(argument)?))
}

pub(super) fn firstboot_command(argument: &str) -> Read {
    Ok(Step::FirstBootCommand(Secret::new(argument.to_owned())))
}

pub(super) fn ca_certificate(argument: &str) -> Read {
    Ok(Step::CaCertificate(host(argument)?))
}

pub(super) fn seed(argument: &str) -> Read {
    match argument {
        "nocloud" => Ok(Step::SeedCloudInit(Seed::NoCloud)),
        "config-drive" => Ok(Step::SeedCloudInit(Seed::ConfigDrive)),
        _ => Err("a seed is `nocloud` or `config-drive`".to_owned()),
    }
}

pub(super) fn machine_id(argument: &str) -> Read {
    let id = argument.to_ascii_lowercase();
    let is_id = id.len() == 32
        && id.bytes().all(|it| it.is_ascii_hexdigit())
        && id.bytes().any(|it| it != b'0');
    Ok(Step::MachineId(match argument {
        "reset" => MachineId::Reset,
        "random" => MachineId::Random,
        _ if is_id => MachineId::Fixed(id),
        _ => {
            return Err(
                "a machine ID is `reset`, `random`, or 32 hexadecimal digits that are not all 0"
                    .to_owned(),
            );
        }
    }))
}

pub(super) fn ssh_inject(argument: &str) -> Read {
    let (user, selector) = match argument.split_once(':') {
        Some((user, selector)) => (user, Some(selector)),
        None => (argument, None),
    };
    let key = match selector.map(|it| it.split_once(':').unwrap_or((it, ""))) {
        None => PublicKey::Own,
        Some(("file", name)) if !name.is_empty() => PublicKey::File(name.into()),
        Some(("string", text)) if !text.is_empty() => PublicKey::Text(text.to_owned()),
        Some(_) => {
            return Err(
                "the key is `USER:file:FILENAME`, `USER:string:KEY`, or your own with `USER` alone"
                    .to_owned(),
            );
        }
    };
    Ok(Step::SshInject {
        user: account(user)?,
        key,
    })
}

pub(super) fn password(argument: &str) -> Read {
    // What follows may be a password, so that nothing of it is repeated.
    let Some((user, selector)) = argument.split_once(':') else {
        return Err("the form is USER:SELECTOR".to_owned());
    };
    Ok(Step::Password {
        user: account(user)?,
        selector: self::selector(selector)?,
    })
}

pub(super) fn root_password(argument: &str) -> Read {
    Ok(Step::Password {
        user: "root".to_owned(),
        selector: selector(argument)?,
    })
}

/// The selectors of virt-builder(1), with their other spellings (guestfs-tools `common/mlcustomize/password.ml`), and `hash:`.
fn selector(text: &str) -> Result<Selector, String> {
    let (kind, rest) = match text.split_once(':') {
        Some((kind, rest)) => (kind, Some(rest)),
        None => (text, None),
    };
    Ok(match (kind, rest) {
        ("lock" | "locked", None) => Selector::Locked(None),
        ("lock" | "locked", Some(rest)) => match selector(rest)? {
            Selector::Locked(inner) => Selector::Locked(inner),
            inner => Selector::Locked(Some(Box::new(inner))),
        },
        ("disable" | "disabled", None) => Selector::Disabled,
        ("random", None) => Selector::Random,
        ("file", Some(name)) if !name.is_empty() => Selector::File(name.into()),
        ("password", Some(text)) => Selector::Text(Secret::new(text.to_owned())),
        ("hash", Some(hash)) if !hash.is_empty() => Selector::Hash(Secret::new(hash.to_owned())),
        _ => {
            return Err("the selector is `file:FILENAME`, `random`, `locked`, `locked:SELECTOR`, `disabled`, `hash:HASH` or `password:TEXT`".to_owned());
        }
    })
}

fn pair<'a>(argument: &'a str, form: &str) -> Result<(&'a str, &'a str), String> {
    argument
        .split_once(':')
        .ok_or_else(|| format!("there is no `:`; the form is {form}"))
}

fn account(name: &str) -> Result<String, String> {
    let is_name =
        !name.is_empty() && !name.contains(['/', ',']) && !name.contains(char::is_control);
    match is_name {
        true => Ok(name.to_owned()),
        false => Err("the name of the account is missing, or is none".to_owned()),
    }
}

fn guest(path: &str) -> Result<String, String> {
    christen_vfs::GuestPath::new(path)
        .map(|_| path.to_owned())
        .map_err(|error| format!("`{path}` is no path of the guest: {error}"))
}

fn host(path: &str) -> Result<PathBuf, String> {
    match path {
        "" => Err("the name of the file is missing".to_owned()),
        path => Ok(path.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(read: Read) -> String {
        match read {
            Ok(step) => format!("{step:?}"),
            Err(message) => message,
        }
    }

    #[test]
    fn the_first_colon_parts() {
        let Ok(Step::Operation(Operation::Write { path, content })) = write("/a:b:c\nd") else {
            panic!("it is a write");
        };
        assert_eq!(
            (path.as_str(), &content.expose()[..]),
            ("/a", &b"b:c\nd"[..])
        );
        assert!(text(append_line("/etc/hosts:")).contains("line: \"\""));
        assert!(text(append_line("/etc/hosts:a\nb")).contains("once for each line"));
        assert!(text(write("/a")).contains("FILE:CONTENT"));
        assert!(text(write("a:b")).contains("no path of the guest"));
        assert!(text(link("x:/a:/b")).contains("[\"/a\", \"/b\"]"));
        assert!(text(link("x")).contains("TARGET:LINK"));
        assert!(text(chown("0.33:/a:b")).contains("owner: \"0:33\""));
        assert!(text(chown("0.33:/a:b")).contains("/a:b"));
        for wrong in [
            "0:/a",
            "root.root:/a",
            "1.4294967295:/a",
            "+1.+1:/a",
            "1.2.3:/a",
        ] {
            // What the parser of numbers takes besides digits is no harm.
            let is_refused = text(chown(wrong)).contains("two numbers");
            assert!(is_refused || wrong.contains('+'), "{wrong}");
        }
    }

    #[test]
    fn permission_bits_are_read_as_virt_customize_reads_them() {
        for (argument, mode) in [
            ("0700:/a", 0o700),
            ("0:/a", 0),
            ("00:/a", 0),
            ("493:/a", 0o755),
            ("700:/a", 700),
            ("0x1ff:/a", 0o777),
            ("0o4755:/a", 0o4755),
            ("0b101:/a", 5),
        ] {
            let Ok(Step::Operation(Operation::ChangeMode { mode: read, .. })) = chmod(argument)
            else {
                panic!("{argument}");
            };
            assert_eq!(read, mode, "{argument}");
        }
        for wrong in [
            "u+x:/a",
            ":/a",
            "010000:/a",
            "0x:/a",
            "-1:/a",
            "+7:/a",
            "08:/a",
            "0+7:/a",
        ] {
            assert!(
                text(chmod(wrong)).contains("is no permission bits"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn selectors_are_virt_builders_and_no_password_is_repeated() {
        let locked = |inner| Selector::Locked(Some(Box::new(inner)));
        for (argument, expected) in [
            ("random", Selector::Random),
            ("disable", Selector::Disabled),
            ("lock", Selector::Locked(None)),
            ("locked:disabled", locked(Selector::Disabled)),
            ("locked:file:/a:b", locked(Selector::File("/a:b".into()))),
            (
                "password:a:b",
                Selector::Text(Secret::new("a:b".to_owned())),
            ),
            ("hash:$6$a", Selector::Hash(Secret::new("$6$a".to_owned()))),
        ] {
            assert_eq!(selector(argument), Ok(expected), "{argument}");
        }
        for wrong in ["Unspeakable1", "file:", "hash:", "random:Unspeakable1", ""] {
            let message = selector(wrong).expect_err("it is none");
            assert!(!message.contains("Unspeakable1"), "{message}");
        }
        assert!(!text(password("root")).contains("root:"));
        assert!(!text(password("root:password:Unspeakable1")).contains("Unspeakable1"));
        assert!(text(password(":random")).contains("the account"));
        assert!(text(ssh_inject("web")).contains("Own"));
        assert!(text(ssh_inject("web:string:ssh-rsa A b:c")).contains("b:c"));
        assert!(text(ssh_inject("web:key")).contains("USER:file"));
        assert!(text(machine_id(&"0".repeat(32))).contains("not all 0"));
        assert!(text(timezone("/etc/passwd")).contains("Europe/London"));
    }
}
