//! The host name that Nova makes from a display name.

/// Characters of a host name at most: dnsmasq's limit, the lowest of those Nova knows.
const MAX_HOSTNAME: usize = 63;

/// Makes a host name from a display name.
///
/// Characters beyond Latin-1 are dropped, then the text is cut to 63 characters; space, `_`
/// and `.` become `-`; what is no word character, dot or dash is dropped; the rest is in
/// lower case, without `.` and `-` at its ends. When nothing is left it is `Server-` and the
/// instance's UUID, cut likewise. Nova 34.0.0, `nova/utils.py`, `sanitize_hostname`, and
/// `nova/compute/api.py`, `_populate_instance_names`.
pub fn hostname_from_name(name: &str, uuid: &str) -> String {
    let cleaned: String = name
        .chars()
        .filter(|character| u32::from(*character) <= 0xff)
        .take(MAX_HOSTNAME)
        .map(|character| match character {
            ' ' | '_' | '.' => '-',
            other => other,
        })
        // Within Latin-1 this is Python's `\w`, superscripts and fractions included.
        .filter(|character| character.is_alphanumeric() || *character == '-')
        .flat_map(char::to_lowercase)
        .collect();
    let cleaned = cleaned.trim_matches(['.', '-']);
    if cleaned.is_empty() {
        return format!("Server-{uuid}")
            .chars()
            .take(MAX_HOSTNAME)
            .collect();
    }
    cleaned.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_host_names_by_novas_rule() {
        #[track_caller]
        fn check(name: &str, expected: &str) {
            assert_eq!(hostname_from_name(name, "UUID"), expected);
        }
        check("web-01", "web-01");
        check("my server", "my-server");
        check("A_b.c", "a-b-c");
        check("虚拟机-éß 😀 \"q\"", "éß--q");
        check("--x..", "x");
        check("½²ª§", "½²ª");
        check("虚拟机", "Server-UUID");
        check("", "Server-UUID");
        check(&"é".repeat(70), &"é".repeat(63));
        check(&format!("{}bc", " ".repeat(62)), "b");
    }
}
