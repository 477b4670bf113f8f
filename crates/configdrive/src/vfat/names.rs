//! Names: what FAT can hold, and the short names beside the long ones.

use std::collections::{HashMap, HashSet};

use crate::{EntryId, Error, Format, Tree};

/// The most UTF-16 units in a long name (fatgen103, "FAT Long Directory Entries").
const MAX_UNITS: usize = 255;

/// A short name: eight characters and three, filled up with spaces (fatgen103, `DIR_Name`).
pub(super) type ShortName = [u8; 11];

/// A name as it will stand in a directory.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) short: ShortName,
    /// Units of the long name; 0 if the short name says it all.
    pub(super) long_units: u16,
}

/// Names the children of a directory, in their order.
pub(super) fn assign(tree: &Tree, children: &[EntryId]) -> Result<Vec<Name>, Error> {
    for child in children {
        if let Some(rule) = broken_rule(tree.name(*child)) {
            return Err(Error::CannotHold {
                format: Format::Vfat,
                path: tree.path(*child),
                rule,
            });
        }
    }
    check_distinct(tree, children)?;
    let mut taken = HashSet::with_capacity(children.len());
    let candidates: Vec<Candidate> = children
        .iter()
        .map(|child| Candidate::new(tree.name(*child)))
        .collect();
    // A name that is short already has to stay as it is, so it comes before those that can be numbered.
    for candidate in candidates.iter().filter(|candidate| candidate.exact) {
        taken.insert(candidate.short());
    }
    let mut next_number = HashMap::new();
    Ok(children
        .iter()
        .zip(candidates)
        .map(|(child, candidate)| {
            if candidate.exact {
                return Name {
                    short: candidate.short(),
                    long_units: 0,
                };
            }
            let short = if !candidate.lossy && taken.insert(candidate.short()) {
                candidate.short()
            } else {
                candidate.numbered(&mut taken, &mut next_number)
            };
            Name {
                short,
                long_units: tree.name(*child).encode_utf16().count() as u16,
            }
        })
        .collect())
}

/// Returns the rule that a name breaks. Linux has the same ones (`fs/fat/namei_vfat.c`, `vfat_valid_longname` and
/// `vfat_striptail_len`).
fn broken_rule(name: &str) -> Option<&'static str> {
    let forbidden = |character: char| character < ' ' || r#""*/:<>?\|"#.contains(character);
    if name.contains(forbidden) {
        Some(r#"a name has none of `"*/:<>?\|` and no control characters"#)
    } else if name.ends_with('.') {
        Some("a name does not end with a dot")
    } else if name.ends_with(' ') {
        Some("a name does not end with a space")
    } else if name.encode_utf16().count() > MAX_UNITS {
        Some("a name has at most 255 UTF-16 units")
    } else {
        None
    }
}

/// Refuses names that differ in case only.
fn check_distinct(tree: &Tree, children: &[EntryId]) -> Result<(), Error> {
    let mut seen: HashMap<String, EntryId> = HashMap::with_capacity(children.len());
    for child in children {
        let folded: String = tree
            .name(*child)
            .chars()
            .flat_map(char::to_uppercase)
            .collect();
        if let Some(other) = seen.insert(folded, *child) {
            return Err(Error::SameName {
                format: Format::Vfat,
                path: tree.path(*child),
                other: tree.path(other),
            });
        }
    }
    Ok(())
}

/// What a short name is made of (fatgen103, "The Basis-Name Generation Algorithm").
#[derive(Debug)]
struct Candidate {
    base: Vec<u8>,
    extension: Vec<u8>,
    /// Whether characters were lost, so that the name needs a number.
    lossy: bool,
    /// Whether it is the long name as it is.
    exact: bool,
}

impl Candidate {
    fn new(name: &str) -> Self {
        let trimmed = name.trim_start_matches(['.', ' ']);
        let (base, extension) = match trimmed.rsplit_once('.') {
            Some((base, extension)) => (base, extension),
            None => (trimmed, ""),
        };
        let mut lossy = trimmed.len() != name.len();
        let base = oem(base, 8, &mut lossy);
        let extension = oem(extension, 3, &mut lossy);
        let mut candidate = Self {
            base,
            extension,
            lossy,
            exact: false,
        };
        if candidate.base.is_empty() {
            candidate.base.push(b'_');
            candidate.lossy = true;
        }
        candidate.exact = !candidate.lossy && candidate.text() == name.as_bytes();
        candidate
    }

    fn text(&self) -> Vec<u8> {
        let mut text = self.base.clone();
        if !self.extension.is_empty() {
            text.push(b'.');
            text.extend_from_slice(&self.extension);
        }
        text
    }

    fn short(&self) -> ShortName {
        combine(&self.base, &self.extension)
    }

    /// Returns a short name that nobody has, with `~` and a number (fatgen103, "The Numeric-Tail Generation
    /// Algorithm"). Numbers are counted for each beginning, so that many alike cost no more than as many different.
    fn numbered(
        &self,
        taken: &mut HashSet<ShortName>,
        next_number: &mut HashMap<ShortName, u32>,
    ) -> ShortName {
        // Six digits are more than a directory can have entries.
        for digits in 1..=6_usize {
            let kept = &self.base[..self.base.len().min(8 - 1 - digits)];
            let mut key = kept.to_vec();
            key.push(b'~');
            key.push(b'0' + digits as u8);
            let next = next_number
                .entry(combine(&key, &self.extension))
                .or_insert(10_u32.pow(digits as u32 - 1));
            while *next < 10_u32.pow(digits as u32) {
                let mut base = kept.to_vec();
                base.push(b'~');
                base.extend_from_slice(next.to_string().as_bytes());
                *next += 1;
                let short = combine(&base, &self.extension);
                if taken.insert(short) {
                    return short;
                }
            }
        }
        unreachable!("a directory has fewer than a million entries")
    }
}

/// Returns up to `most` characters in upper case, with `_` for what short names do not have.
fn oem(text: &str, most: usize, lossy: &mut bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(most);
    for character in text.chars() {
        let byte = match character {
            ' ' | '.' => {
                *lossy = true;
                continue;
            }
            'a'..='z' => character.to_ascii_uppercase() as u8,
            '+' | ',' | ';' | '=' | '[' | ']' | '\u{7f}'.. => {
                *lossy = true;
                b'_'
            }
            _ => character as u8,
        };
        if out.len() == most {
            *lossy = true;
            break;
        }
        out.push(byte);
    }
    out
}

fn combine(base: &[u8], extension: &[u8]) -> ShortName {
    let mut short = [b' '; 11];
    short[..base.len()].copy_from_slice(base);
    short[8..8 + extension.len()].copy_from_slice(extension);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shorts(names: &[&str]) -> Result<Vec<(String, u16)>, Error> {
        let mut tree = Tree::new();
        for name in names {
            tree.add_file(name, Vec::new())?;
        }
        let named = assign(&tree, tree.children(EntryId::ROOT))?;
        Ok(named
            .into_iter()
            .map(|name| {
                (
                    String::from_utf8(name.short.to_vec()).unwrap(),
                    name.long_units,
                )
            })
            .collect())
    }

    #[test]
    fn short_names() {
        let check = |names: &[&str], expected: &[(&str, u16)]| {
            let got = shorts(names).unwrap();
            let got: Vec<_> = got
                .iter()
                .map(|(name, units)| (name.as_str(), *units))
                .collect();
            assert_eq!(got, expected);
        };
        check(&["README.TXT"], &[("README  TXT", 0)]);
        check(&["readme.txt"], &[("README  TXT", 10)]);
        check(
            &["meta_data.json", "meta_data.json5", "META_D~1.JSO"],
            &[("META_D~2JSO", 14), ("META_D~3JSO", 15), ("META_D~1JSO", 0)],
        );
        check(
            &[".hidden", "a b.c", "\u{e9}"],
            &[("HIDDEN~1   ", 7), ("AB~1    C  ", 5), ("_~1        ", 1)],
        );
        check(&["\u{1f600}.x"], &[("_~1     X  ", 4)]);
        check(&["2012-08-10"], &[("2012-0~1   ", 10)]);
    }

    #[test]
    fn what_cannot_be_held_is_refused_by_name() {
        let check = |names: &[&str], expected: &str| {
            assert_eq!(shorts(names).unwrap_err().to_string(), expected);
        };
        let characters =
            r#"VFAT cannot hold `a:b`: a name has none of `"*/:<>?\|` and no control characters"#;
        check(&["a:b"], characters);
        check(
            &["a."],
            "VFAT cannot hold `a.`: a name does not end with a dot",
        );
        check(
            &["a "],
            "VFAT cannot hold `a `: a name does not end with a space",
        );
        check(&["a", "A"], "VFAT cannot tell `A` from `a`");
        check(
            &["\u{e4}", "\u{c4}"],
            "VFAT cannot tell `\u{c4}` from `\u{e4}`",
        );
    }

    #[test]
    fn thousands_alike() {
        let names: Vec<String> = (0..20_000).map(|n| format!("likewise-{n}.json")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let got = shorts(&names).unwrap();
        let distinct: HashSet<_> = got.iter().map(|(name, _)| name).collect();
        assert_eq!(distinct.len(), names.len());
    }
}
