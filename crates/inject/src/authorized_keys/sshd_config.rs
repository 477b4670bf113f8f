//! sshd_config(5): where the guest's sshd looks for keys.

use christen_vfs::GuestPath;

use crate::{Result, Stage};

/// Where the configuration is; the second is openSUSE's, for what came with the system.
const PLACES: [&str; 2] = ["/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config"];

/// What sshd takes where nothing else is said (OpenSSH `pathnames.h`, `_PATH_SSH_USER_PERMITTED_KEYS`).
const DEFAULT: &str = ".ssh/authorized_keys";

/// OpenSSH `servconf.c`, `SERVCONF_MAX_DEPTH`.
const MAX_DEPTH: usize = 16;

/// Files that are read at most, however often they include one another.
const MAX_FILES: usize = 200;

/// Where an account's keys are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeysFile {
    /// Below its home.
    InHome(Vec<u8>),
    /// At this path.
    Elsewhere(GuestPath),
}

/// Finds the first file of keys that the guest's sshd would read for an account.
pub(super) fn keys_file(stage: &mut Stage<'_>, name: &str, uid: u32) -> Result<KeysFile> {
    let mut reader = Reader {
        found: None,
        files: 0,
    };
    for place in PLACES {
        let path = crate::guest_path(place);
        if stage.exists(&path)? {
            reader.read(stage, &path, 0)?;
            break;
        }
    }
    let pattern = match &reader.found {
        // Options that keep their default value are said so.
        Some(pattern) if pattern != "none" => pattern,
        Some(_) => {
            return Err(stage
                .impossible("the guest's sshd reads no file of keys (`AuthorizedKeysFile none`)"));
        }
        None => DEFAULT,
    };
    expand(stage, pattern, name, uid)
}

/// sshd_config(5), "TOKENS", for `AuthorizedKeysFile`: `%%`, `%h`, `%U` and `%u`; a path that is not absolute is below the home.
fn expand(stage: &Stage<'_>, pattern: &str, name: &str, uid: u32) -> Result<KeysFile> {
    let (in_home, rest) = match pattern.strip_prefix("%h/") {
        Some(rest) => (true, rest),
        None => (!pattern.starts_with('/'), pattern),
    };
    let refuse = || {
        stage.impossible(format!(
            "the guest's `AuthorizedKeysFile {}` is beyond what can be followed",
            pattern.escape_debug()
        ))
    };
    let mut path = String::new();
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => match characters.next() {
                Some('%') => path.push('%'),
                Some('u') => path.push_str(name),
                Some('U') => path.push_str(&uid.to_string()),
                _ => return Err(refuse()),
            },
            _ => path.push(character),
        }
    }
    let is_below = !path.split('/').any(|name| name == "..");
    if !is_below || path.contains('\0') || path.trim_matches('/').is_empty() {
        return Err(refuse());
    }
    if in_home {
        return Ok(KeysFile::InHome(path.into_bytes()));
    }
    GuestPath::new(path)
        .map(KeysFile::Elsewhere)
        .map_err(|_| refuse())
}

struct Reader {
    found: Option<String>,
    files: usize,
}

impl Reader {
    /// Reads a file up to its first `Match`: of each keyword the first value counts, and includes are read where they stand.
    fn read(&mut self, stage: &mut Stage<'_>, path: &GuestPath, depth: usize) -> Result<()> {
        self.files += 1;
        if depth > MAX_DEPTH || self.files > MAX_FILES {
            return Err(stage.impossible(format!(
                "`{path}`: the guest's sshd_config includes too many files"
            )));
        }
        let Some(text) = stage.read(path)? else {
            return Ok(());
        };
        let mut in_match = false;
        for line in String::from_utf8_lossy(&text).lines() {
            let Some((keyword, arguments)) = split(line) else {
                continue;
            };
            match keyword.to_ascii_lowercase().as_str() {
                "match" => in_match = true,
                "authorizedkeysfile" if in_match => stage.notice(format!(
                    "`{path}` has another `AuthorizedKeysFile` for some accounts (`Match`), which is not looked at"
                )),
                "authorizedkeysfile" if self.found.is_none() => {
                    self.found = arguments.into_iter().next();
                }
                "include" if !in_match => {
                    for pattern in arguments {
                        self.include(stage, &pattern, depth)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A path, or a pattern in its last component; without a `/` in front it is below `/etc/ssh`.
    fn include(&mut self, stage: &mut Stage<'_>, pattern: &str, depth: usize) -> Result<()> {
        let pattern = if pattern.starts_with('/') {
            pattern.to_owned()
        } else {
            format!("/etc/ssh/{pattern}")
        };
        let (directory, name) = pattern.rsplit_once('/').unwrap_or_default();
        if directory.contains(['*', '?', '[']) || name.contains('[') {
            stage.notice(format!(
                "the guest's sshd_config includes `{}`, which is not looked at",
                pattern.escape_debug()
            ));
            return Ok(());
        }
        let directory = crate::path_of(stage, &format!("{directory}/"))?;
        for found in stage.names(&directory)? {
            let is_hidden = found.starts_with(b".") && !name.starts_with('.');
            if !is_hidden && fits(name.as_bytes(), &found) {
                self.read(stage, &directory.join(&found), depth + 1)?;
            }
        }
        Ok(())
    }
}

/// A keyword and its arguments, which may be in quotation marks; `None` for an empty line and for a comment.
fn split(line: &str) -> Option<(&str, Vec<String>)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|it: char| it.is_ascii_whitespace() || it == '=');
    let (keyword, mut rest) = line.split_at(end.unwrap_or(line.len()));
    rest = rest.trim_start();
    rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    let mut arguments = Vec::new();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (argument, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        arguments.push(argument.to_owned());
        rest = behind.trim_start();
    }
    Some((keyword, arguments))
}

/// glob(7) with `*` and `?` alone.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star = None;
    while place < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[place] => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((before, taken)) = star else {
                    return false;
                };
                star = Some((before, taken + 1));
                at = before + 1;
                place = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("a*b*c", "a-b-b-c", true),
            ("a?", "a", false),
            ("x", "x", true),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn lines_are_read_as_sshd_reads_them() {
        let (keyword, arguments) = split("  AuthorizedKeysFile = \"a b\" c # d").unwrap();
        assert_eq!(
            (keyword, arguments),
            ("AuthorizedKeysFile", vec!["a b".to_owned(), "c".to_owned()])
        );
        assert_eq!(split("# x"), None);
    }
}
