//! `/etc/network/interfaces` with the stanzas of Ethernet devices taken out and ours put in.

const BEGIN: &[u8] = b"# christen: from here to the end mark the next injection writes anew";
const END: &[u8] = b"# christen: end";

/// What became of a file.
pub(super) struct Edited {
    /// The content without ours and without what gives way.
    pub(super) content: Vec<u8>,
    /// The interfaces whose stanzas were taken out, each once.
    pub(super) taken: Vec<String>,
    /// Whether the loopback interface is configured.
    pub(super) has_loopback: bool,
}

/// Takes out our own part and, with `others`, what configures Ethernet devices; everything else stays byte for byte (interfaces(5): a
/// stanza is a line with a keyword and all lines to the next; a backslash at its end continues a line).
pub(super) fn without(content: &[u8], others: bool) -> Edited {
    let mut out = Edited {
        content: Vec::with_capacity(content.len()),
        taken: Vec::new(),
        has_loopback: false,
    };
    let lines: Vec<_> = logical_lines(content).collect();
    let mut ours_until = 0;
    let mut is_dropped = false;
    for (number, line) in lines.iter().copied().enumerate() {
        if number >= ours_until && line.trim_ascii() == BEGIN {
            let rest = &lines[number + 1..];
            let is_mark = |line: &&[u8]| [BEGIN, END].contains(&line.trim_ascii());
            let end = rest.iter().position(is_mark);
            // Where somebody took the end away nothing says how much of the rest is ours.
            if let Some(end) = end.filter(|end| rest[*end].trim_ascii() == END) {
                ours_until = number + 1 + end + 1;
                is_dropped = false;
            }
        }
        if number < ours_until {
            continue;
        }
        let words = words(line);
        let Some(keyword) = words.first().map(String::as_str) else {
            // An empty line or a comment, which belongs to what is below it more often than to what is above.
            out.content.extend_from_slice(line);
            continue;
        };
        match keyword {
            "iface" | "mapping" => {
                let names = if keyword == "iface" {
                    words.get(1..2)
                } else {
                    words.get(1..)
                };
                let names = names.unwrap_or_default();
                is_dropped = others && names.iter().any(|name| is_ethernet(name));
                out.has_loopback |= names.iter().any(|name| name == "lo");
                if is_dropped {
                    for name in names {
                        if !out.taken.contains(name) {
                            out.taken.push(name.clone());
                        }
                    }
                    continue;
                }
            }
            "source" | "source-directory" | "template" => is_dropped = false,
            _ if keyword == "auto"
                || keyword == "rename"
                || keyword.starts_with("allow-")
                || keyword.starts_with("no-") =>
            {
                is_dropped = false;
                let names = words.get(1..).unwrap_or_default();
                let kept: Vec<_> = names.iter().filter(|name| !is_ethernet(name)).collect();
                if others && kept.len() < names.len() {
                    if !kept.is_empty() {
                        out.content.extend_from_slice(keyword.as_bytes());
                        for name in kept {
                            out.content.push(b' ');
                            out.content.extend_from_slice(name.as_bytes());
                        }
                        out.content.push(b'\n');
                    }
                    continue;
                }
            }
            // An option of the stanza above.
            _ if is_dropped => continue,
            _ => {}
        }
        out.content.extend_from_slice(line);
    }
    out
}

/// Puts our stanzas behind what a file has.
pub(super) fn with(mut content: Vec<u8>, has_loopback: bool, stanzas: &str) -> Vec<u8> {
    if content.last().is_some_and(|last| *last != b'\n') {
        content.push(b'\n');
    }
    // Else ours would continue the line.
    if content.ends_with(b"\\\n") {
        content.push(b'\n');
    }
    content.extend_from_slice(BEGIN);
    content.push(b'\n');
    if !has_loopback {
        content.extend_from_slice(b"auto lo\niface lo inet loopback\n");
    }
    content.extend_from_slice(stanzas.as_bytes());
    content.extend_from_slice(END);
    content.push(b'\n');
    content
}

/// Whether an interface may be an Ethernet device of the machine's: the kernel's names, systemd's (systemd.net-naming-scheme(7)), those
/// that we give, and patterns, which may match any.
fn is_ethernet(name: &str) -> bool {
    // What follows is the name of a configuration.
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    if name.contains('/') {
        return true;
    }
    // A VLAN or an alias goes with the device under it.
    let name = name.split(['.', ':']).next().unwrap_or(name);
    let is_numbered = |prefix: &str| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_digit()))
    };
    is_numbered("eth")
        || is_numbered("net")
        || ["eno", "enp", "ens", "enx", "enP"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn words(line: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(line).replace("\\\n", " ");
    if text.trim_start().starts_with('#') {
        return Vec::new();
    }
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Splits into lines with their line feeds, those that a backslash continues in one piece. A comment is not continued (ifupdown,
/// `config.c`, `get_line`).
fn logical_lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = content;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        let is_comment = rest.trim_ascii_start().first() == Some(&b'#');
        loop {
            match rest[end..].iter().position(|byte| *byte == b'\n') {
                None => end = rest.len(),
                Some(at) => {
                    let is_continued = !is_comment && at > 0 && rest[end + at - 1] == b'\\';
                    end += at + 1;
                    if is_continued && end < rest.len() {
                        continue;
                    }
                }
            }
            break;
        }
        let (line, more) = rest.split_at(end);
        rest = more;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &str, left: &str, taken: &[&str]) {
        let edited = without(content.as_bytes(), true);
        assert_eq!(String::from_utf8_lossy(&edited.content), left);
        assert_eq!(edited.taken, taken);
    }

    #[test]
    fn what_configures_ethernet_gives_way() {
        check(
            "# This file\nsource /etc/network/interfaces.d/*\n\nauto lo eth0\niface lo inet loopback\n\n# The primary\nallow-hotplug ens3\niface ens3 inet static\n  address 10.0.0.1/24\n  gateway 10.0.0.254\n\niface br0 inet dhcp\n  bridge_ports none\n",
            "# This file\nsource /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\n# The primary\n\niface br0 inet dhcp\n  bridge_ports none\n",
            &["ens3"],
        );
        check(
            "auto /eth*=any\niface eth0:1 inet dhcp\niface any inet dhcp\nmapping eth0\n script x",
            "iface any inet dhcp\n",
            &["eth0:1", "eth0"],
        );
        check(
            "iface \\\n eth0 \\\n inet dhcp\n mtu 9\nauto wg0",
            "auto wg0",
            &["eth0"],
        );
    }

    #[test]
    fn what_is_not_text_stays() {
        let content = b"\xff\xfe\0 x\r\niface lo inet loopback\r\n\\";
        assert_eq!(without(content, true).content, content);
        assert!(without(content, true).has_loopback);
        assert_eq!(
            without(b"iface eth0 inet dhcp", false).content,
            b"iface eth0 inet dhcp"
        );
        assert_eq!(without(b"", true).content, b"");
    }

    #[test]
    fn a_mark_without_its_other_is_a_comment() {
        for content in [
            [BEGIN, b"\nauto br0\n"].concat(),
            [END, b"\nauto br0\n"].concat(),
        ] {
            assert_eq!(without(&content, true).content, content);
        }
        let stray = [BEGIN, b"\nauto br0\n"].concat();
        let with_ours = with(stray.clone(), true, "a\n");
        assert_eq!(without(&with_ours, true).content, stray);
        let two = with(
            without(&with(b"auto br0 \\".to_vec(), true, "a\n"), true).content,
            true,
            "a\n",
        );
        assert!(two.starts_with(b"auto br0 \\\n\n# christen"));
        assert_eq!(without(&two, true).content, b"auto br0 \\\n\n");
    }

    #[test]
    fn ours_is_replaced_and_not_added_to() {
        let first = with(b"x".to_vec(), false, "\nauto eth0\n");
        let edited = without(&first, true);
        assert_eq!(edited.content, b"x\n");
        assert_eq!(
            with(edited.content, edited.has_loopback, "\nauto eth0\n"),
            first
        );
    }
}
