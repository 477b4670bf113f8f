//! What user data begins with. It is opaque; but a guest that does not know its beginning
//! ignores it, and that costs people hours.

use super::Report;

/// The beginnings that cloud-init (`cloudinit/handlers/__init__.py`,
/// `INCLUSION_TYPES_MAP`) and cloudbase-init know.
const BEGINNINGS: &[&str] = &[
    "#!",
    "#include",
    "#cloud-config",
    "#upstart-job",
    "#part-handler",
    "#cloud-boothook",
    "## template:",
    "content-type:",
    "mime-version:",
    "from ",
    "rem cmd",
    "#ps1",
    "#!ps1",
    "{",
];

/// Judges the beginning, and never shows it.
pub(super) fn check(content: &[u8], path: &str, report: &mut Report) {
    if content.is_empty() || content.starts_with(b"\x1f\x8b") {
        return;
    }
    let start = content.get(..64).unwrap_or(content);
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    if start.starts_with("#!") {
        let line = content
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        if line.ends_with(b"\r") {
            report.warning(
                "user-data-line-end",
                path,
                "its first line ends with a carriage return, which becomes part of the interpreter's name",
            );
        }
        return;
    }
    if BEGINNINGS
        .iter()
        .any(|beginning| start.starts_with(beginning))
    {
        return;
    }
    let hidden = start.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if BEGINNINGS
        .iter()
        .any(|beginning| hidden.starts_with(beginning))
    {
        report.warning(
            "user-data-header",
            path,
            "white space or a byte order mark stands before its first line, so it may not be recognised",
        );
    } else {
        report.warning(
            "user-data-header",
            path,
            "it begins like nothing that cloud-init or cloudbase-init acts on",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings() {
        let check = |content: &[u8], expected: &[&str]| {
            let mut report = Report::default();
            super::check(content, "user_data", &mut report);
            let codes: Vec<&str> = report.findings.iter().map(|finding| finding.code).collect();
            assert_eq!(codes, expected, "{content:?}");
        };
        check(b"", &[]);
        check(b"#cloud-config\na: 1\n", &[]);
        check(b"#!/bin/sh\ntrue\n", &[]);
        check(b"\x1f\x8b\x08", &[]);
        check(b"Content-Type: multipart/mixed", &[]);
        check(b"#!/bin/sh\r\ntrue\r\n", &["user-data-line-end"]);
        check(b"\n#cloud-config\n", &["user-data-header"]);
        check(b"\xef\xbb\xbf#cloud-config\n", &["user-data-header"]);
        check(b"hello", &["user-data-header"]);
    }
}
