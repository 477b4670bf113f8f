//! A file whose lines are entries of fields with `:` between them.

use std::ops::Range;

use christen_vfs::GuestPath;

use crate::{Error, Existing, Item, Ownership, Result, Secrecy, Stage};

/// A file of entries: all bytes of it, edited in place.
///
/// passwd(5), shadow(5), group(5), gshadow(5). As glibc reads them (`nss/nss_files/files-XXX.c`, `internal_getent`): blanks before an entry do
/// not count, and lines that are empty or begin with `#` are none. The first entry of a name is the one that counts.
#[derive(Debug)]
pub(super) struct Table {
    path: GuestPath,
    content: Vec<u8>,
    fields: usize,
    secrecy: Secrecy,
    /// For whom an entry was looked after.
    items: Vec<Item>,
}

impl Table {
    /// Reads a file whose entries have so many fields; `None` if it is not there.
    pub(super) fn load(
        stage: &mut Stage<'_>,
        path: &'static str,
        fields: usize,
        secrecy: Secrecy,
    ) -> Result<Option<Self>> {
        let path = crate::guest_path(path);
        Ok(stage.read(&path)?.map(|content| Self {
            path,
            content,
            fields,
            secrecy,
            items: Vec::new(),
        }))
    }

    /// Writes the file, for every item that it was looked after for.
    pub(super) fn write(&self, stage: &mut Stage<'_>) -> Result<()> {
        for item in &self.items {
            stage.begin(item.clone());
            stage.write(
                &self.path,
                &self.content,
                Ownership::root(0o600),
                Existing::Keep,
                self.secrecy,
            )?;
        }
        Ok(())
    }

    /// Whether there is an entry of this name.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.line(name).is_some()
    }

    /// How many entries have this name.
    pub(super) fn count(&self, name: &[u8]) -> usize {
        self.lines()
            .filter(|line| is_of(&self.content[line.clone()], name))
            .count()
    }

    /// The fields of the first entry of a name.
    pub(super) fn entry(&self, name: &[u8]) -> Result<Option<Vec<&[u8]>>> {
        match self.line(name) {
            Some(line) => self.split(line).map(Some),
            None => Ok(None),
        }
    }

    /// The fields of the first entry with this number in this field.
    pub(super) fn by_number(&self, field: usize, number: u32) -> Option<&[u8]> {
        let line = self
            .lines()
            .find(|line| number_in(&self.content[line.clone()], field) == Some(number))?;
        first_field(&self.content[line])
    }

    /// The numbers in a field of all entries; what is no number is left out.
    pub(super) fn numbers(&self, field: usize) -> impl Iterator<Item = u32> {
        self.lines()
            .filter_map(move |line| number_in(&self.content[line], field))
    }

    /// A field of an entry that is there has this value, for this item.
    ///
    /// The last field ends with the line: a carriage return there was part of the old value.
    pub(super) fn set(
        &mut self,
        item: &Item,
        name: &[u8],
        field: usize,
        value: &[u8],
    ) -> Result<()> {
        if !self.items.contains(item) {
            self.items.push(item.clone());
        }
        let Some(line) = self.line(name) else {
            return Ok(());
        };
        let start = line.start;
        let fields = self.split(line)?;
        if fields[field] == value {
            return Ok(());
        }
        let before: usize = fields[..field].iter().map(|it| it.len() + 1).sum();
        let at = start + before..start + before + fields[field].len();
        self.content.splice(at, value.iter().copied());
        Ok(())
    }

    /// There is one more entry, behind all others but before the first that includes those of NIS (`+` and `-`; nsswitch.conf(5),
    /// "Compatibility mode").
    pub(super) fn add(&mut self, item: &Item, entry: &[&[u8]]) {
        if !self.items.contains(item) {
            self.items.push(item.clone());
        }
        let included = self
            .lines()
            .find(|line| matches!(self.content.get(line.start), Some(b'+' | b'-')));
        let at = included.map_or(self.content.len(), |line| line.start);
        let mut line = Vec::new();
        if at > 0 && self.content[at - 1] != b'\n' {
            line.push(b'\n');
        }
        line.extend_from_slice(&entry.join(&b':'));
        line.push(b'\n');
        self.content.splice(at..at, line);
    }

    fn line(&self, name: &[u8]) -> Option<Range<usize>> {
        self.lines()
            .find(|line| is_of(&self.content[line.clone()], name))
    }

    /// The lines, each without its end.
    fn lines(&self) -> impl Iterator<Item = Range<usize>> {
        let mut start = 0;
        self.content.split(|byte| *byte == b'\n').map(move |line| {
            let range = start..start + line.len();
            start = range.end + 1;
            range
        })
    }

    fn split(&self, line: Range<usize>) -> Result<Vec<&[u8]>> {
        let number = self.content[..line.start]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        let broken = |rule| Error::Broken {
            path: self.path.clone(),
            line: Some(number + 1),
            rule,
        };
        let text = &self.content[line];
        if text.contains(&0) {
            return Err(broken("an entry holds no NUL, where every reader stops"));
        }
        let fields: Vec<_> = text.splitn(self.fields + 1, |byte| *byte == b':').collect();
        if fields.len() != self.fields {
            return Err(broken(match self.fields {
                7 => "an entry of passwd(5) has seven fields",
                9 => "an entry of shadow(5) has nine fields",
                _ => "an entry has four fields",
            }));
        }
        Ok(fields)
    }
}

/// The name of an entry; `None` for what is none.
fn first_field(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii_start();
    if matches!(line.first(), None | Some(b'#')) {
        return None;
    }
    line.split(|byte| *byte == b':').next()
}

fn is_of(line: &[u8], name: &[u8]) -> bool {
    first_field(line) == Some(name)
}

fn number_in(line: &[u8], field: usize) -> Option<u32> {
    first_field(line)?;
    let text = line.split(|byte| *byte == b':').nth(field)?;
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}
