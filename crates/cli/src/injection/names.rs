//! Names of machines, and the lines by which an SSH client knows them.

use christen_inject::{Error, Stage};
use christen_vfs::GuestPath;

/// The name that a guest has in hostname(5), if it is one that a line can hold.
pub(crate) fn of_guest(stage: &mut Stage<'_>) -> Result<Option<String>, Error> {
    // It begins with a `/`.
    let path = GuestPath::new("/etc/hostname").expect("the path is right");
    let content = stage.read(&path)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&content).into_owned();
    let mut lines = text.lines().map(str::trim);
    let name = lines.find(|it| !it.is_empty() && !it.starts_with('#'));
    Ok(name.filter(|it| is_plain(it)).map(str::to_owned))
}

/// A line of known_hosts(5): the name, and the key without its comment (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
pub(crate) fn known_hosts(name: &str, public: &str) -> String {
    let key: Vec<_> = public.split_ascii_whitespace().take(2).collect();
    format!("{name} {}", key.join(" "))
}

fn is_plain(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    name.len() <= 64 && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_key_without_its_comment() {
        assert_eq!(
            known_hosts("web-01", "ssh-ed25519 AAAA root@web-01\n"),
            "web-01 ssh-ed25519 AAAA"
        );
        for name in ["a*", "", "a,b", "[a]:22", "a b"] {
            assert!(!is_plain(name) || name.is_empty(), "{name}");
        }
    }
}
