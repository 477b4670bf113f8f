//! The operations of a script and their arguments.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use christen_vfs::{GuestPath, Timestamp, shown};

use super::words::Word;
use crate::image::operation::{Content, Operation, Ownership};
use crate::image::owner::Owner;
use crate::image::values;

/// What is wrong with an operation, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) column: usize,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Wrong {
    fn new(column: usize, message: impl Into<String>) -> Self {
        Self {
            column,
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

type Build = fn(&mut Taken) -> Result<Operation, Wrong>;

/// An operation: its name, its options (a `:` after one that has a value), its arguments, and how it is made.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) usage: &'static str,
    options: &'static str,
    arguments: usize,
    build: Build,
}

/// Every operation. `docs/edit.md` shows the usages; a test compares.
pub(super) const TABLE: [Row; 13] = [
    Row {
        name: "mkdir",
        usage: "mkdir [-p] [-m MODE] [-o OWNER] PATH",
        options: "pm:o:",
        arguments: 1,
        build: |taken| {
            Ok(Operation::MakeDirectory {
                parents: taken.flag(b'p'),
                ownership: taken.ownership()?,
                path: taken.path()?,
            })
        },
    },
    Row {
        name: "put",
        usage: "put [-m MODE] [-o OWNER] HOSTFILE PATH",
        options: "m:o:",
        arguments: 2,
        build: |taken| {
            Ok(Operation::Put {
                ownership: taken.ownership()?,
                source: taken.host_file()?,
                path: taken.path()?,
            })
        },
    },
    Row {
        name: "write",
        usage: "write [-m MODE] [-o OWNER] PATH TEXT",
        options: "m:o:",
        arguments: 2,
        build: |taken| {
            Ok(Operation::Write {
                ownership: taken.ownership()?,
                path: taken.path()?,
                content: taken.content(),
            })
        },
    },
    Row {
        name: "append",
        usage: "append PATH TEXT",
        options: "",
        arguments: 2,
        build: |taken| {
            Ok(Operation::Append {
                path: taken.path()?,
                content: taken.content(),
            })
        },
    },
    Row {
        name: "truncate",
        usage: "truncate PATH SIZE",
        options: "",
        arguments: 2,
        build: |taken| {
            Ok(Operation::Truncate {
                path: taken.path()?,
                size: taken.size()?,
            })
        },
    },
    Row {
        name: "rm",
        usage: "rm [-r] [-f] PATH",
        options: "rf",
        arguments: 1,
        build: |taken| {
            Ok(Operation::Remove {
                recursive: taken.flag(b'r'),
                force: taken.flag(b'f'),
                path: taken.path()?,
            })
        },
    },
    Row {
        name: "chmod",
        usage: "chmod MODE PATH",
        options: "",
        arguments: 2,
        build: |taken| {
            Ok(Operation::ChangePermissions {
                permissions: taken.mode()?,
                path: taken.path()?,
            })
        },
    },
    Row {
        name: "chown",
        usage: "chown [-h] OWNER PATH",
        options: "h",
        arguments: 2,
        build: |taken| {
            Ok(Operation::ChangeOwner {
                link_itself: taken.flag(b'h'),
                owner: taken.owner()?,
                path: taken.path()?,
            })
        },
    },
    Row {
        name: "ln",
        usage: "ln [-s] TARGET PATH",
        options: "s",
        arguments: 2,
        build: |taken| {
            if taken.flag(b's') {
                Ok(Operation::SymbolicLink {
                    target: taken.target()?,
                    path: taken.path()?,
                })
            } else {
                Ok(Operation::HardLink {
                    existing: taken.path()?,
                    path: taken.path()?,
                })
            }
        },
    },
    Row {
        name: "mv",
        usage: "mv FROM TO",
        options: "",
        arguments: 2,
        build: |taken| {
            Ok(Operation::Move {
                from: taken.path()?,
                to: taken.path()?,
            })
        },
    },
    Row {
        name: "xattr set",
        usage: "xattr set PATH NAME VALUE",
        options: "",
        arguments: 3,
        build: |taken| {
            Ok(Operation::SetAttribute {
                path: taken.path()?,
                name: taken.attribute_name()?,
                value: taken.content(),
            })
        },
    },
    Row {
        name: "xattr remove",
        usage: "xattr remove PATH NAME",
        options: "",
        arguments: 2,
        build: |taken| {
            Ok(Operation::RemoveAttribute {
                path: taken.path()?,
                name: taken.attribute_name()?,
            })
        },
    },
    Row {
        name: "touch",
        usage: "touch [-d TIME] PATH",
        options: "d:",
        arguments: 1,
        build: |taken| {
            Ok(Operation::Touch {
                time: taken.time()?,
                path: taken.path()?,
            })
        },
    },
];

/// Makes an operation of the words of a line, and of the text that follows the line, if there is any.
pub(super) fn parse(
    name: &Word,
    words: &[Word],
    text: Option<Content>,
) -> Result<Operation, Wrong> {
    let (row, words) = find(name, words)?;
    let usage = || format!("`{}`", row.usage);
    let mut taken = Taken {
        options: Vec::new(),
        arguments: Vec::new(),
        next: 0,
        text,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let option = match word.bytes.as_slice() {
            [b'-', option @ ..] if !word.quoted && !option.is_empty() => option,
            _ => {
                taken.arguments.push(word.clone());
                continue;
            }
        };
        let place = match option {
            [letter] if *letter != b':' => row.options.bytes().position(|it| it == *letter),
            _ => None,
        };
        let Some(place) = place else {
            return Err(Wrong::new(
                word.column,
                format!("`{}` has no option `{}`", row.name, shown(&word.bytes)),
            )
            .hint(format!("{}; a word in quotes is no option", usage())));
        };
        let value = if row.options.as_bytes().get(place + 1) == Some(&b':') {
            Some(words.next().cloned().ok_or_else(|| {
                Wrong::new(
                    word.column,
                    format!("`{}` needs a value", shown(&word.bytes)),
                )
                .hint(usage())
            })?)
        } else {
            None
        };
        if taken.option(option[0]).is_some() {
            return Err(Wrong::new(
                word.column,
                format!("`{}` is given twice", shown(&word.bytes)),
            ));
        }
        taken.options.push((option[0], value));
    }
    let found = taken.arguments.len();
    if found != row.arguments {
        let (column, what) = match taken.arguments.get(row.arguments) {
            Some(word) => (word.column, "too many"),
            None => (name.column, "too few"),
        };
        return Err(Wrong::new(
            column,
            format!(
                "{what} words: `{}` takes {}, not {found}",
                row.name, row.arguments
            ),
        )
        .hint(usage()));
    }
    if taken.text.is_some() && !row.usage.ends_with("TEXT") {
        let column = taken.arguments.last().map_or(1, |word| word.column);
        return Err(Wrong::new(
            column,
            format!("`{}` takes no text that follows it", row.name),
        )
        .hint("a word that begins with `<<` and is meant as it is stands in quotes"));
    }
    (row.build)(&mut taken)
}

/// Finds the row of an operation and the words that are left for it.
fn find<'a>(name: &Word, words: &'a [Word]) -> Result<(&'static Row, &'a [Word]), Wrong> {
    let text = shown(&name.bytes);
    if let Some(row) = TABLE.iter().find(|row| row.name == text) {
        return Ok((row, words));
    }
    if let Some((second, rest)) = words.split_first() {
        let both = format!("{text} {}", shown(&second.bytes));
        if let Some(row) = TABLE.iter().find(|row| row.name == both) {
            return Ok((row, rest));
        }
    }
    let near = TABLE
        .iter()
        .map(|row| (distance(row.name, &text), row.name))
        .min()
        .filter(|(distance, _)| *distance <= 2);
    let hint = match near {
        _ if text == "xattr" => {
            "`xattr set PATH NAME VALUE` or `xattr remove PATH NAME`".to_owned()
        }
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => {
            let names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
            format!("the operations are {}", names.join(", "))
        }
    };
    Err(Wrong::new(name.column, format!("`{text}` is not an operation")).hint(hint))
}

/// How many letters must be added, left out or changed to come from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    // A long word is no misspelling, and must not cost time.
    let to: Vec<char> = to.chars().take(20).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

/// The options and arguments of a line; arguments are taken from the left.
struct Taken {
    options: Vec<(u8, Option<Word>)>,
    arguments: Vec<Word>,
    next: usize,
    text: Option<Content>,
}

impl Taken {
    fn option(&self, letter: u8) -> Option<&Option<Word>> {
        let (_, value) = self.options.iter().find(|(it, _)| *it == letter)?;
        Some(value)
    }

    fn flag(&self, letter: u8) -> bool {
        self.option(letter).is_some()
    }

    fn value(&self, letter: u8) -> Option<Word> {
        self.option(letter)?.clone()
    }

    /// The next argument; their number was compared with the row's before.
    fn word(&mut self) -> Result<Word, Wrong> {
        let word = self.arguments.get(self.next).cloned();
        self.next += 1;
        word.ok_or_else(|| Wrong::new(1, "too few words"))
    }

    fn path(&mut self) -> Result<GuestPath, Wrong> {
        let word = self.word()?;
        GuestPath::new(&word.bytes).map_err(|error| {
            Wrong::new(
                word.column,
                format!("`{}` is no path in a guest: {error}", shown(&word.bytes)),
            )
        })
    }

    fn host_file(&mut self) -> Result<PathBuf, Wrong> {
        let word = self.word()?;
        if word.bytes.is_empty() || word.bytes.contains(&0) {
            return Err(Wrong::new(word.column, "no file of the host has this name"));
        }
        Ok(PathBuf::from(OsString::from_vec(word.bytes)))
    }

    fn content(&mut self) -> Content {
        let word = self.word().map(|word| word.bytes).unwrap_or_default();
        self.text.take().unwrap_or(Content(word))
    }

    fn ownership(&mut self) -> Result<Ownership, Wrong> {
        Ok(Ownership {
            permissions: self.value(b'm').map(|word| mode(&word)).transpose()?,
            owner: self
                .value(b'o')
                .map(|word| owner(&word))
                .transpose()?
                .unwrap_or_default(),
        })
    }

    fn mode(&mut self) -> Result<u16, Wrong> {
        mode(&self.word()?)
    }

    fn owner(&mut self) -> Result<Owner, Wrong> {
        owner(&self.word()?)
    }

    fn size(&mut self) -> Result<u64, Wrong> {
        checked(&self.word()?, "a size", values::size)
    }

    fn time(&mut self) -> Result<Option<Timestamp>, Wrong> {
        self.value(b'd')
            .map(|word| checked(&word, "a time", values::time))
            .transpose()
    }

    fn target(&mut self) -> Result<Vec<u8>, Wrong> {
        let word = self.word()?;
        if word.bytes.is_empty() || word.bytes.contains(&0) {
            return Err(Wrong::new(
                word.column,
                "the target of a link is not empty and holds no NUL",
            ));
        }
        Ok(word.bytes)
    }

    fn attribute_name(&mut self) -> Result<Vec<u8>, Wrong> {
        let word = self.word()?;
        values::attribute_name(&word.bytes).map_err(|hint| {
            Wrong::new(
                word.column,
                format!(
                    "`{}` is no name of an extended attribute",
                    shown(&word.bytes)
                ),
            )
            .hint(hint)
        })
    }
}

fn mode(word: &Word) -> Result<u16, Wrong> {
    checked(word, "a mode", values::mode)
}

fn owner(word: &Word) -> Result<Owner, Wrong> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| "write `USER`, `USER:GROUP` or `:GROUP`, each a number or a name")
    };
    checked(word, "an owner", parse)
}

fn checked<T>(
    word: &Word,
    what: &str,
    parse: impl FnOnce(&str) -> Result<T, &'static str>,
) -> Result<T, Wrong> {
    let wrong = || {
        Wrong::new(
            word.column,
            format!("`{}` is not {what}", shown(&word.bytes)),
        )
    };
    let text = str::from_utf8(&word.bytes).map_err(|_| wrong())?;
    parse(text).map_err(|hint| wrong().hint(hint))
}
