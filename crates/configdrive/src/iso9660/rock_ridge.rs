//! Rock Ridge: POSIX names, modes, owners, times, links and deep directories, in the system use fields of directory
//! records (SUSP 1.12, RRIP 1.12; the fields and their lengths are those of RRIP_1991A, which genisoimage writes and
//! every reader knows).

use super::{SECTOR_BYTES, both_endian_32};
use crate::{Attributes, Kind};

/// Whose mode and owner Rock Ridge records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RockRidge {
    /// Owner and group 0, readable by all, writable by nobody, executable by all or nobody (`-r`).
    Rationalized,
    /// As the tree has them (`-R`).
    Faithful,
}

/// A field's length is one byte (SUSP §4.1).
const MAX_FIELD_BYTES: usize = 255;
/// Signature, length, version and flags of NM and SL.
const TEXT_HEADER_BYTES: usize = 5;
const CE_BYTES: usize = 28;

/// What the field RR says is recorded (RRIP 1.09 §4.1.5; readers of RRIP_1991A look at it first).
const HAS_PX: u8 = 0x01;
const HAS_SL: u8 = 0x04;
const HAS_NM: u8 = 0x08;
const HAS_CL: u8 = 0x10;
const HAS_PL: u8 = 0x20;
const HAS_RE: u8 = 0x40;
const HAS_TF: u8 = 0x80;

/// The text that the specification asks for in the field ER (RRIP 1.09 §4.3).
const ER_IDENTIFIER: &[u8] = b"RRIP_1991A";
const ER_DESCRIPTION: &[u8] =
    b"THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS";
const ER_SOURCE: &[u8] = b"PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION.";

/// What a record stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role<'a> {
    /// The root's record of itself, where SUSP is announced.
    Root,
    /// A directory's record of itself, or of the one above.
    Itself,
    /// A moved directory's record of the one above, with the first sector of the one that the tree has above it.
    MovedParent(u32),
    /// An entry.
    Named(&'a str),
    /// A directory that was moved here, or that is here for the moved ones: readers of Rock Ridge do not show it.
    Moved(&'a str),
    /// What stands where a directory was moved from, with that directory's first sector.
    Placeholder(&'a str, u32),
}

/// Appends the fields of one record. Without a kind it is a directory.
pub(super) fn fields(
    out: &mut Vec<u8>,
    rock_ridge: RockRidge,
    kind: Option<&Kind>,
    attributes: Attributes,
    time: [u8; 7],
    links: u32,
    role: Role<'_>,
) {
    let target = match kind {
        Some(Kind::Symlink(target)) => Some(target),
        _ => None,
    };
    let mut has = HAS_PX | HAS_TF;
    if target.is_some() {
        has |= HAS_SL;
    }
    has |= match role {
        Role::Root | Role::Itself => 0,
        Role::MovedParent(_) => HAS_PL,
        Role::Named(_) => HAS_NM,
        Role::Moved(_) => HAS_NM | HAS_RE,
        Role::Placeholder(..) => HAS_NM | HAS_CL,
    };
    if let Role::Root = role {
        // SUSP §5.3: check bytes, and nothing to skip before the fields of a record.
        out.extend_from_slice(b"SP\x07\x01\xbe\xef\x00");
    }
    out.extend_from_slice(&[b'R', b'R', 5, 1, has]);
    posix(out, rock_ridge, kind, attributes, links);
    // RRIP §4.1.6: change, access and attribute change, all in the short form.
    out.extend_from_slice(&[b'T', b'F', 26, 1, 0x0e]);
    for _ in 0..3 {
        out.extend_from_slice(&time);
    }
    match role {
        Role::Root => {
            // SUSP §5.5. Too long for any record, so it lands in a continuation area.
            let length = 8 + ER_IDENTIFIER.len() + ER_DESCRIPTION.len() + ER_SOURCE.len();
            out.extend_from_slice(&[b'E', b'R', length as u8, 1]);
            out.push(ER_IDENTIFIER.len() as u8);
            out.push(ER_DESCRIPTION.len() as u8);
            out.push(ER_SOURCE.len() as u8);
            out.push(1);
            out.extend_from_slice(ER_IDENTIFIER);
            out.extend_from_slice(ER_DESCRIPTION);
            out.extend_from_slice(ER_SOURCE);
        }
        Role::Itself => {}
        Role::MovedParent(sector) => place(out, b"PL", sector),
        Role::Named(text) => name(out, text),
        Role::Moved(text) => {
            out.extend_from_slice(b"RE\x04\x01");
            name(out, text);
        }
        Role::Placeholder(text, sector) => {
            place(out, b"CL", sector);
            name(out, text);
        }
    }
    if let Some(target) = target {
        link(out, target);
    }
}

/// CL and PL (RRIP §4.1.5): where a moved directory is, and where it was.
fn place(out: &mut Vec<u8>, signature: &[u8; 2], sector: u32) {
    out.extend_from_slice(signature);
    out.extend_from_slice(&[12, 1]);
    both_endian_32(out, sector);
}

/// PX (RRIP §4.1.1): mode with the file type, links, owner and group.
fn posix(
    out: &mut Vec<u8>,
    rock_ridge: RockRidge,
    kind: Option<&Kind>,
    attributes: Attributes,
    links: u32,
) {
    let file_type: u32 = match kind {
        None | Some(Kind::Directory) => 0o040_000,
        Some(Kind::File(_)) => 0o100_000,
        Some(Kind::Symlink(_)) => 0o120_000,
    };
    let given = u32::from(attributes.mode) & 0o7777;
    let (mode, uid, gid) = match rock_ridge {
        RockRidge::Faithful => (given, attributes.uid, attributes.gid),
        RockRidge::Rationalized if given & 0o111 == 0 => (0o444, 0, 0),
        RockRidge::Rationalized => (0o555, 0, 0),
    };
    out.extend_from_slice(&[b'P', b'X', 36, 1]);
    both_endian_32(out, file_type | mode);
    both_endian_32(out, links);
    both_endian_32(out, uid);
    both_endian_32(out, gid);
}

/// NM (RRIP §4.1.4): the name, in as many fields as it takes.
fn name(out: &mut Vec<u8>, name: &str) {
    let mut pieces = name
        .as_bytes()
        .chunks(MAX_FIELD_BYTES - TEXT_HEADER_BYTES)
        .peekable();
    while let Some(piece) = pieces.next() {
        let more = u8::from(pieces.peek().is_some());
        let length = (TEXT_HEADER_BYTES + piece.len()) as u8;
        out.extend_from_slice(&[b'N', b'M', length, 1, more]);
        out.extend_from_slice(piece);
    }
}

/// SL (RRIP §4.1.3): the target, part by part, in as many fields as it takes.
///
/// Between two parts in different fields Linux puts a slash and libarchive does not, so a field that is continued
/// ends with a part that is continued: an empty one, if need be, which both take for nothing.
fn link(out: &mut Vec<u8>, target: &str) {
    const CONTINUES: u8 = 0x01;
    const CURRENT: u8 = 0x02;
    const PARENT: u8 = 0x04;
    const ROOT: u8 = 0x08;

    let mut field = out.len();
    out.extend_from_slice(&[b'S', b'L', 0, 1, 0]);
    let close = |out: &mut Vec<u8>, field: usize, more: u8| {
        out[field + 2] = (out.len() - field) as u8;
        out[field + 4] = more;
    };
    let mut after_root = true;
    let mut parts = target.split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        let (flag, text) = match part {
            "" if last && target == "/" => break,
            // What is before a slash at the beginning or after another slash; genisoimage and Linux agree on it.
            "" if !last => (ROOT, ""),
            "." => (CURRENT, ""),
            ".." => (PARENT, ""),
            _ => (0, part),
        };
        let mut text = text.as_bytes();
        let mut whole = true;
        loop {
            // A piece of a part takes two bytes and at least one of text, if it has any; two are for an empty part.
            let room = (MAX_FIELD_BYTES - 2).saturating_sub(out.len() - field);
            if room < 2 + text.len().min(1) {
                if whole && !after_root {
                    out.extend_from_slice(&[CONTINUES, 0]);
                }
                close(out, field, CONTINUES);
                field = out.len();
                out.extend_from_slice(&[b'S', b'L', 0, 1, 0]);
                continue;
            }
            let (piece, rest) = text.split_at(text.len().min(room - 2));
            let more = if rest.is_empty() { 0 } else { CONTINUES };
            out.extend_from_slice(&[flag | more, piece.len() as u8]);
            out.extend_from_slice(piece);
            text = rest;
            whole = false;
            if text.is_empty() {
                break;
            }
        }
        after_root = flag == ROOT;
    }
    close(out, field, 0);
}

/// The continuation areas of one directory (SUSP §5.1), end to end.
///
/// Linux reads an area in one block (`fs/isofs/rock.c`, `rock_continue`), so none crosses a sector's end.
#[derive(Debug, Default)]
pub(super) struct Continuation {
    pub(super) bytes: Vec<u8>,
    first_sector: u32,
}

impl Continuation {
    /// Begins the areas of another directory.
    pub(super) fn clear(&mut self, first_sector: u32) {
        self.bytes.clear();
        self.first_sector = first_sector;
    }

    /// Puts as many fields into `inline` as there is room for, and the rest into areas that fields CE lead to.
    pub(super) fn place(&mut self, fields: &[u8], room: usize, inline: &mut Vec<u8>) {
        if fields.len() <= room {
            inline.extend_from_slice(fields);
            return;
        }
        let (here, mut rest) = split(fields, room);
        inline.extend_from_slice(here);
        // Where the next CE has to go: into the record first, then into the area before.
        let mut pending: Option<usize> = None;
        while !rest.is_empty() {
            let (here, after) = split(rest, SECTOR_BYTES as usize);
            let length = here.len() + if after.is_empty() { 0 } else { CE_BYTES };
            let start = self.start(length);
            let mut ce = Vec::with_capacity(CE_BYTES);
            ce.extend_from_slice(&[b'C', b'E', CE_BYTES as u8, 1]);
            // A sector that does not fit was refused when the image was laid out.
            both_endian_32(
                &mut ce,
                self.first_sector
                    .wrapping_add((start as u64 / SECTOR_BYTES) as u32),
            );
            both_endian_32(&mut ce, (start as u64 % SECTOR_BYTES) as u32);
            both_endian_32(&mut ce, length as u32);
            match pending {
                None => inline.extend_from_slice(&ce),
                Some(at) => self.bytes[at..at + CE_BYTES].copy_from_slice(&ce),
            }
            self.bytes.extend_from_slice(here);
            pending = Some(self.bytes.len());
            self.bytes.resize(start + length, 0);
            rest = after;
        }
    }

    /// Returns where an area of this length begins, and fills up to there.
    fn start(&mut self, length: usize) -> usize {
        let sector = SECTOR_BYTES as usize;
        if self.bytes.len() % sector + length > sector {
            self.bytes
                .resize(self.bytes.len().next_multiple_of(sector), 0);
        }
        self.bytes.len()
    }
}

/// Splits fields so that the first part fits into the room, with a field CE unless it is everything.
fn split(fields: &[u8], room: usize) -> (&[u8], &[u8]) {
    if fields.len() <= room {
        return (fields, &[]);
    }
    let mut end = 0;
    while let Some(length) = fields.get(end + 2) {
        let next = end + usize::from(*length);
        if next + CE_BYTES > room {
            break;
        }
        end = next;
    }
    fields.split_at(end)
}
