//! What a guest mounts, as its `/etc/fstab` says (fstab(5)).

use christen_vfs::walk::{LastLink, try_resolve};
use christen_vfs::{FileSystem, GuestPath, Kind, Result};

/// The most bytes that are read of it.
const MAX_BYTES: u64 = 1 << 20;

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// What is mounted.
    pub(super) source: Vec<u8>,
    /// Where.
    pub(super) target: GuestPath,
    /// The kind of filesystem.
    pub(super) kind: Vec<u8>,
    /// The options.
    pub(super) options: Vec<Vec<u8>>,
}

impl Line {
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|it| it == option.as_bytes())
    }

    /// The value of an option `name=value`.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        self.options.iter().find_map(|it| {
            let (key, value) = it.split_at(it.iter().position(|byte| *byte == b'=')?);
            (key == name.as_bytes()).then(|| &value[1..])
        })
    }
}

/// Reads the table of a guest; one that is not there, or too large to be one, mounts nothing.
pub(super) fn read(fs: &mut dyn FileSystem) -> Result<Vec<Line>> {
    let Ok(path) = GuestPath::new("/etc/fstab") else {
        return Ok(Vec::new());
    };
    let Some(file) = try_resolve(fs, &path, LastLink::Followed)? else {
        return Ok(Vec::new());
    };
    let attributes = fs.attributes(file)?;
    if attributes.kind != Kind::File || attributes.size > MAX_BYTES {
        return Ok(Vec::new());
    }
    let mut text = vec![0; attributes.size as usize];
    let mut filled = 0;
    while filled < text.len() {
        match fs.read_at(file, &mut text[filled..], filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(text[..filled]
        .split(|byte| *byte == b'\n')
        .filter_map(line)
        .collect())
}

fn line(text: &[u8]) -> Option<Line> {
    let mut fields = text
        .split(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
        .filter(|field| !field.is_empty());
    let source = fields.next().filter(|it| it.first() != Some(&b'#'))?;
    let target = unescaped(fields.next()?);
    let kind = fields.next()?.to_vec();
    let options = fields.next().unwrap_or(b"defaults");
    Some(Line {
        source: unescaped(source),
        target: GuestPath::new(target).ok()?,
        kind,
        options: options
            .split(|byte| *byte == b',')
            .map(<[u8]>::to_vec)
            .collect(),
    })
}

/// `\040` and the like for bytes that would end a field (getmntent(3)).
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..3).filter(|_| *first == b'\\');
        let number = digits.and_then(|it| u8::from_str_radix(str::from_utf8(it).ok()?, 8).ok());
        match number {
            Some(number) => {
                bytes.push(number);
                rest = &behind[3..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}
