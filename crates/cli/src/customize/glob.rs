//! Names that a pattern of the shell means in a guest: glob(3) with `GLOB_BRACE`, as libguestfs calls it (`daemon/glob.c`).

use christen_inject::{Error, Stage};
use christen_vfs::GuestPath;
use christen_vfs::walk::LastLink;

/// The most places that one pattern may mean.
const MOST: usize = 100_000;

/// The most patterns that braces may make of one.
const MOST_BRACES: usize = 1024;

/// Why a pattern cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GlobError {
    /// It is no pattern that is understood here.
    #[error("the pattern `{pattern}`: {rule}")]
    Pattern { pattern: String, rule: &'static str },
    /// The guest cannot be read.
    #[error(transparent)]
    Guest(#[from] Error),
}

/// Returns the places that a pattern means, sorted; none if nothing fits.
pub(crate) fn expand(stage: &mut Stage<'_>, pattern: &str) -> Result<Vec<GuestPath>, GlobError> {
    let wrong = |rule| GlobError::Pattern {
        pattern: pattern.to_owned(),
        rule,
    };
    let mut found = Vec::new();
    for one in braces(pattern.as_bytes()).map_err(wrong)? {
        let mut places = vec![GuestPath::root()];
        for part in one.split(|byte| *byte == b'/').filter(|it| !it.is_empty()) {
            places = step(stage, &places, part)?;
            if places.len() > MOST {
                return Err(wrong("it means more than 100000 places"));
            }
        }
        found.extend(places);
        if found.len() > MOST {
            return Err(wrong("it means more than 100000 places"));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The places in some directories that one component of a pattern means.
fn step(
    stage: &mut Stage<'_>,
    places: &[GuestPath],
    part: &[u8],
) -> Result<Vec<GuestPath>, GlobError> {
    let mut found = Vec::new();
    for place in places {
        if !stage.is_directory(place)? {
            continue;
        }
        if matches!(part, b"." | b"..") || !has_wildcards(part) {
            let name = without_backslashes(part);
            // Names that no file can have are in no directory.
            if let Ok(path) = GuestPath::new([&place.to_bytes(), &b"/"[..], &name].concat())
                && stage.look(&path, LastLink::Kept)?.is_some()
            {
                found.push(path);
            }
            continue;
        }
        for name in stage.names(place)? {
            if fits(part, &name) {
                found.push(place.join(&name));
            }
        }
    }
    Ok(found)
}

fn has_wildcards(part: &[u8]) -> bool {
    let mut bytes = part.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

fn without_backslashes(part: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(part.len());
    let mut bytes = part.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => out.push(*bytes.next().unwrap_or(byte)),
            _ => out.push(*byte),
        }
    }
    out
}

/// Whether a name fits a component. A `.` at the beginning of a name is meant only by a `.` (glob(7)).
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && !matches!(pattern, [b'.', ..] | [b'\\', b'.', ..]) {
        return false;
    }
    let (mut at, mut here) = (0, 0);
    // Where the last `*` stands, and how much of the name it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let rest = pattern.get(at..).unwrap_or_default();
        if rest.first() == Some(&b'*') {
            star = Some((at + 1, here));
            at += 1;
            continue;
        }
        if here == name.len() && rest.is_empty() {
            return true;
        }
        let taken = name.get(here).and_then(|byte| one(rest, *byte));
        if let Some(length) = taken {
            at += length;
            here += 1;
            continue;
        }
        match star {
            Some((behind, begun)) if begun < name.len() => {
                star = Some((behind, begun + 1));
                (at, here) = (behind, begun + 1);
            }
            _ => return false,
        }
    }
}

/// How much of a pattern takes one byte; `None` if it does not fit.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', inner @ ..] => match set(inner, byte) {
            Some((true, length)) => Some(length + 1),
            Some((false, _)) => None,
            // Without its end it is a bracket like any other character.
            None => (byte == b'[').then_some(1),
        },
        [plain, ..] => (*plain == byte).then_some(1),
        [] => None,
    }
}

/// Whether a byte is in a set, and how long the set is with its `]`; `None` if it has no end.
fn set(inner: &[u8], byte: u8) -> Option<(bool, usize)> {
    let is_negated = matches!(inner.first(), Some(b'!' | b'^'));
    let mut at = usize::from(is_negated);
    let (first, mut is_in) = (at, false);
    loop {
        let low = match inner.get(at)? {
            b']' if at > first => return Some((is_in != is_negated, at + 1)),
            b'\\' => {
                at += 1;
                *inner.get(at)?
            }
            low => *low,
        };
        at += 1;
        let high = match (inner.get(at), inner.get(at + 1)) {
            (Some(b'-'), Some(high)) if *high != b']' => {
                at += 2;
                *high
            }
            _ => low,
        };
        is_in |= (low..=high).contains(&byte);
    }
}

/// What braces make of a pattern: `a{b,c}` is `ab` and `ac`; `{}` stays (glob(3)).
fn braces(pattern: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_vec()];
    while let Some(pattern) = open.pop() {
        if done.len() + open.len() > MOST_BRACES {
            return Err("its braces make more than 1024 patterns");
        }
        let Some((start, end, commas)) = first_braces(&pattern) else {
            done.push(pattern);
            continue;
        };
        let mut from = start + 1;
        for comma in commas.into_iter().chain([end]) {
            let parts = [
                &pattern[..start],
                &pattern[from..comma],
                &pattern[end + 1..],
            ];
            open.push(parts.concat());
            from = comma + 1;
        }
    }
    Ok(done)
}

/// The first pair of braces that is closed, and the commas in it that are not in inner ones.
fn first_braces(pattern: &[u8]) -> Option<(usize, usize, Vec<usize>)> {
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            b'\\' => at += 1,
            b'{' if pattern.get(at + 1) == Some(&b'}') => at += 1,
            b'{' => {
                let (mut depth, mut commas, mut end) = (0_usize, Vec::new(), at + 1);
                while end < pattern.len() {
                    match pattern[end] {
                        b'\\' => end += 1,
                        b'{' => depth += 1,
                        b',' if depth == 0 => commas.push(end),
                        b'}' if depth == 0 => return Some((at, end, commas)),
                        b'}' => depth -= 1,
                        _ => {}
                    }
                    end += 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.log", "a.log", true),
            ("*.log", ".log", false),
            (".*", ".log", true),
            ("*", "", true),
            ("a*b*c", "axxbxxbxc", true),
            ("a*b*c", "axxbxx", false),
            ("?", "é", false),
            ("??", "é", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]", "]", true),
            ("[^]]", "]", false),
            ("[a", "[a", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[a-]", "-", true),
            ("*a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn braces_are_several_patterns() {
        let of = |pattern: &str| {
            let mut all: Vec<_> = braces(pattern.as_bytes())
                .expect("they are few")
                .into_iter()
                .map(|it| String::from_utf8(it).expect("it is text"))
                .collect();
            all.sort();
            all
        };
        assert_eq!(of("/a{b,c{d,e}}f"), ["/abf", "/acdf", "/acef"]);
        assert_eq!(of("/a{b"), ["/a{b"]);
        assert_eq!(of("/a\\{b,c}"), ["/a\\{b,c}"]);
        assert_eq!(of("/{}"), ["/{}"]);
        assert!(braces("{a,b}".repeat(11).as_bytes()).is_err());
    }
}
