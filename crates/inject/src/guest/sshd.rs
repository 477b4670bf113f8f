//! sshd: whether it starts, and whom it lets in.
//!
//! OpenSSH `servconf.c` (`process_server_config_line_depth`, `load_server_config`) and sshd_config(5): of each keyword the first
//! value counts, `Include` is read where it stands, and what is behind `Match` holds for some connections only.

use std::collections::BTreeMap;

use christen_vfs::GuestPath;

use super::files::Files;
use super::services::{ServiceState, Services};
use super::text::{lines, shown_short};

/// Where the configuration is; the second is for what came with the system.
const PLACES: [&str; 2] = ["/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config"];

/// OpenSSH `servconf.c`, `SERVCONF_MAX_DEPTH`.
const MAX_DEPTH: usize = 16;

/// Files that are read at most, however often they include one another.
const MAX_FILES: usize = 200;

/// sshd of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sshd {
    /// Whether it starts, by its service or its socket.
    pub state: ServiceState,
    /// Its configuration.
    pub config: SshdConfig,
}

/// The configuration: the first value of each keyword that holds for all connections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SshdConfig {
    values: BTreeMap<String, SshdValue>,
    /// Whether a part of it holds for some connections only (`Match`); that part is not looked at.
    pub has_match: bool,
}

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshdValue {
    /// The arguments.
    pub arguments: Vec<String>,
    /// In which file.
    pub path: GuestPath,
    /// In which line, counted from 1.
    pub line: usize,
}

impl Sshd {
    pub(super) fn read(files: &mut Files<'_>, services: &Services) -> Option<Self> {
        files
            .has_any(&["/usr/sbin/sshd", "/sbin/sshd", "/usr/bin/sshd"])
            .then(|| Self {
                state: services.state(&[
                    "sshd.service",
                    "ssh.service",
                    "ssh.socket",
                    "sshd.socket",
                ]),
                config: SshdConfig::read(files),
            })
    }
}

impl SshdConfig {
    fn read(files: &mut Files<'_>) -> Self {
        let mut config = Self::default();
        let mut count = 0;
        if let Some(place) = PLACES.into_iter().find(|place| files.is_file(place)) {
            config.read_file(files, place, 0, &mut count);
        }
        config
    }

    fn read_file(&mut self, files: &mut Files<'_>, path: &str, depth: usize, count: &mut usize) {
        let Ok(place) = GuestPath::new(path) else {
            return;
        };
        *count += 1;
        if depth > MAX_DEPTH || *count > MAX_FILES {
            files.note(&place, "sshd_config includes too many files".to_owned());
            return;
        }
        let Some(text) = files.read(path) else { return };
        for directive in parse(&text) {
            match &directive.keyword[..] {
                "match" => {
                    self.has_match = true;
                    // What follows holds for some connections, up to the end of this file.
                    break;
                }
                "include" => {
                    for pattern in &directive.arguments {
                        for path in included(files, pattern) {
                            self.read_file(files, &path, depth + 1, count);
                        }
                    }
                }
                // These add up.
                "allowusers" | "denyusers" | "allowgroups" | "denygroups" => self
                    .values
                    .entry(directive.keyword)
                    .or_insert_with(|| SshdValue {
                        arguments: Vec::new(),
                        path: place.clone(),
                        line: directive.line,
                    })
                    .arguments
                    .extend(directive.arguments),
                _ => {
                    self.values
                        .entry(directive.keyword)
                        .or_insert_with(|| SshdValue {
                            arguments: directive.arguments,
                            path: place.clone(),
                            line: directive.line,
                        });
                }
            }
        }
    }

    /// Whether a name fits a pattern of `*` and `?`, as `AllowUsers` has them.
    pub fn matches(pattern: &str, name: &str) -> bool {
        fits(pattern.as_bytes(), name.as_bytes())
    }

    /// Returns the value of a keyword, in lower case.
    pub fn get(&self, keyword: &str) -> Option<&SshdValue> {
        self.values.get(keyword)
    }

    /// Returns the first argument of a keyword in lower case, or what sshd takes if nothing is said.
    pub fn word<'a>(&'a self, keyword: &str, default: &'a str) -> String {
        self.get(keyword)
            .and_then(|it| it.arguments.first())
            .map_or(default, String::as_str)
            .to_ascii_lowercase()
    }

    /// Whether a yes-or-no keyword says yes.
    pub fn is_yes(&self, keyword: &str, default: bool) -> bool {
        match &self.word(keyword, "")[..] {
            "yes" | "true" => true,
            "no" | "false" => false,
            _ => default,
        }
    }
}

/// A line of sshd_config(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// In which line, counted from 1.
    pub line: usize,
    /// The keyword in lower case.
    pub keyword: String,
    /// The arguments, quotes taken off.
    pub arguments: Vec<String>,
}

/// Takes a file of sshd_config(5) apart.
///
/// A keyword and its arguments are separated by blanks or one `=`; arguments may be quoted, a backslash escapes a quote, a backslash or, outside of
/// quotes, a blank; `#` begins a comment, in front of an argument too (OpenSSH `misc.c`, `strdelim` and `argv_split`).
pub fn parse(bytes: &[u8]) -> Vec<Directive> {
    lines(bytes)
        .enumerate()
        .filter_map(|(index, line)| {
            let line = line.trim_ascii();
            if line.first().is_none_or(|byte| *byte == b'#') {
                return None;
            }
            let end = line
                .iter()
                .position(|byte| byte.is_ascii_whitespace() || *byte == b'=')
                .unwrap_or(line.len());
            let rest = line[end..].trim_ascii_start();
            let rest = rest.strip_prefix(b"=").unwrap_or(rest);
            Some(Directive {
                line: index + 1,
                keyword: shown_short(&line[..end]).to_ascii_lowercase(),
                arguments: arguments(rest)?,
            })
        })
        .collect()
}

/// `None` for a quote that is not closed, which sshd refuses.
fn arguments(text: &[u8]) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    let mut rest = text.trim_ascii_start();
    while let Some(first) = rest.first() {
        if *first == b'#' {
            break;
        }
        let mut argument = Vec::new();
        let mut quote = None;
        while let [byte, behind @ ..] = rest {
            if quote.is_none() && byte.is_ascii_whitespace() {
                break;
            }
            rest = behind;
            match (quote, *byte, behind.first()) {
                (_, b'\\', Some(next @ (b'"' | b'\'' | b'\\'))) => {
                    argument.push(*next);
                    rest = &behind[1..];
                }
                (None, b'\\', Some(b' ')) => {
                    argument.push(b' ');
                    rest = &behind[1..];
                }
                (None, mark @ (b'"' | b'\''), _) => quote = Some(mark),
                (Some(mark), byte, _) if byte == mark => quote = None,
                (_, byte, _) => argument.push(byte),
            }
        }
        if quote.is_some() {
            return None;
        }
        arguments.push(shown_short(&argument));
        rest = rest.trim_ascii_start();
    }
    Some(arguments)
}

/// The files that `Include` names: a path, or a pattern in its last component, below `/etc/ssh` if it is not absolute; sorted.
fn included(files: &mut Files<'_>, pattern: &str) -> Vec<String> {
    let pattern = match pattern.starts_with('/') {
        true => pattern.to_owned(),
        false => format!("/etc/ssh/{pattern}"),
    };
    if !pattern.contains(['*', '?', '[']) {
        return vec![pattern];
    }
    let (directory, last) = pattern.rsplit_once('/').unwrap_or_default();
    if directory.contains(['*', '?', '[']) || last.contains('[') {
        if let Ok(path) = GuestPath::new(&pattern) {
            files.note(&path, "patterns of this sort are not followed".to_owned());
        }
        return Vec::new();
    }
    files
        .names(directory)
        .into_iter()
        .filter(|name| !name.starts_with('.') || last.starts_with('.'))
        .filter(|name| fits(last.as_bytes(), name.as_bytes()))
        .map(|name| format!("{directory}/{name}"))
        .collect()
}

/// Whether a name fits a pattern of `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut star = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => match star {
                // The last star takes one more.
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    in_name = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use christen_testkit::phony;

    use super::*;

    #[test]
    fn a_line_is_a_keyword_and_arguments() {
        let found = parse(
            b"# c\n\n  PermitRootLogin=no\nAuthorizedKeysFile\t.ssh/a  \"x y\" # z\nBanner = a\\ b\nX 'q\n\xff y\nPort 22#3\r\n",
        );
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.line, &it.keyword[..], it.arguments.join("|")))
            .collect();
        let expected = [
            (3, "permitrootlogin", "no".to_owned()),
            (4, "authorizedkeysfile", ".ssh/a|x y".to_owned()),
            (5, "banner", "a b".to_owned()),
            (7, "\\xff", "y".to_owned()),
            (8, "port", "22#3".to_owned()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_first_value_counts_and_includes_stand_where_they_are() {
        let config = |text: &str| {
            let mut tree = phony::debian_12()
                .file("/etc/ssh/sshd_config", text)
                .file(
                    "/etc/ssh/sshd_config.d/10.conf",
                    "PermitRootLogin no\nMatch User x\nPort 1\n",
                )
                .file(
                    "/etc/ssh/sshd_config.d/20.conf",
                    "PermitRootLogin yes\nPort 2\n",
                )
                .file("/etc/ssh/sshd_config.d/30.txt", "Port 3\nUsePAM no\n");
            let mut files = Files::new(tree.fs());
            let config = SshdConfig::read(&mut files);
            assert_eq!(files.take_unread(), []);
            config
        };
        let found =
            config("Include sshd_config.d/*.conf\nPermitRootLogin yes\nPort 4\nUsePAM yes\n");
        assert_eq!(found.word("permitrootlogin", ""), "no");
        assert_eq!(found.word("port", ""), "2");
        assert!(found.is_yes("usepam", false) && found.has_match);
        assert_eq!(
            found.get("permitrootlogin").unwrap().path.to_string(),
            "/etc/ssh/sshd_config.d/10.conf"
        );
        let found = config("PermitRootLogin yes\nInclude /etc/ssh/sshd_config.d/*\nPort 4\n");
        assert_eq!(found.word("permitrootlogin", ""), "yes");
        let found = config("Match all\nPort 4\n");
        assert_eq!(found.get("port"), None);
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        let mut tree = phony::debian_12().file(
            "/etc/ssh/sshd_config",
            "Include sshd_config\nInclude sshd_config\nPort 5\n",
        );
        let mut files = Files::new(tree.fs());
        assert_eq!(SshdConfig::read(&mut files).word("port", ""), "5");
        assert_eq!(files.take_unread().len(), 1);
    }

    #[test]
    fn patterns_fit_as_glob_has_it() {
        assert!(fits(b"*.conf", b"a.conf") && fits(b"a?c*", b"abc") && fits(b"**", b""));
        assert!(!fits(b"*.conf", b"a.confx") && !fits(b"?", b"") && !fits(b"a", b"ab"));
    }
}
