//! The beginning of a connection: client and server agree on an export (`doc/proto.md`, "Newstyle negotiation").

use std::io::{self, Read, Write};

use super::wire::{Bounded, broken, read, read_u16, read_u32, read_u64};
use crate::error::{Error, Result, Unsupported};

const SERVER_MAGIC: &[u8; 8] = b"NBDMAGIC";
const OPTION_MAGIC: &[u8; 8] = b"IHAVEOPT";
const REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;

const FIXED_NEWSTYLE: u16 = 1 << 0;
const NO_ZEROES: u16 = 1 << 1;

const OPTION_GO: u32 = 7;

const REPLY_ACKNOWLEDGED: u32 = 1;
const REPLY_INFORMATION: u32 = 3;
const REPLY_ERROR: u32 = 1 << 31;

const INFORMATION_EXPORT: u16 = 0;
const INFORMATION_BLOCK_SIZE: u16 = 3;

/// A server that answers an option with more than this, or longer, is not believed.
const MOST_REPLIES: u32 = 64;
const MOST_REPLY_BYTES: u32 = 16 << 10;

/// What a server that names no sizes can do, whoever it is (`doc/proto.md`, "Block size constraints").
const USUAL_LARGEST: u32 = 32 << 20;

/// What an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Export {
    pub(super) length: u64,
    pub(super) flags: ExportFlags,
    /// Requests are multiples of this: a power of two of at most 64 KiB.
    pub(super) smallest: u32,
    /// Requests are at most this long: a multiple of `smallest`.
    pub(super) largest: u32,
}

/// What an export can do (`doc/proto.md`, "Transmission flags").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExportFlags(u16);

impl ExportFlags {
    pub(super) fn is_read_only(self) -> bool {
        self.0 & 1 << 1 != 0
    }

    pub(super) fn can_flush(self) -> bool {
        self.0 & 1 << 2 != 0
    }

    /// Whether one write can be made durable by itself.
    pub(super) fn can_force(self) -> bool {
        self.0 & 1 << 3 != 0
    }
}

/// Agrees on an export of this name.
///
/// # Errors
///
/// [`Error::Unsupported`] for servers of another age, and for what the server refuses: TLS above all. [`Error::Io`] otherwise.
pub(super) fn negotiate(stream: &mut (impl Read + Write + Bounded), name: &str) -> Result<Export> {
    let action = || Error::io(format!("agree on the NBD export `{}`", name.escape_debug()));
    stream.begin();
    let flags = greeting(stream).map_err(action())?;
    if flags & FIXED_NEWSTYLE == 0 {
        return Err(
            Unsupported::new("an NBD server without the fixed newstyle handshake is").into(),
        );
    }
    let outcome = start(stream, name, flags).and_then(|()| replies(stream));
    match outcome.map_err(action())? {
        Ok(export) => Ok(export),
        Err(refusal) => Err(Unsupported::new(refusal).into()),
    }
}

fn greeting(stream: &mut impl Read) -> io::Result<u16> {
    if &read(stream)? != SERVER_MAGIC {
        return Err(broken("it must begin with `NBDMAGIC`"));
    }
    if &read(stream)? != OPTION_MAGIC {
        // The handshake of before 2011 has another number here, and so no flags.
        return Ok(0);
    }
    read_u16(stream)
}

fn start(stream: &mut impl Write, name: &str, flags: u16) -> io::Result<()> {
    let mut message = Vec::with_capacity(64 + name.len());
    message.extend_from_slice(&u32::from(flags & (FIXED_NEWSTYLE | NO_ZEROES)).to_be_bytes());
    // A name is at most 4096 bytes.
    let name_length = name.len() as u32;
    message.extend_from_slice(OPTION_MAGIC);
    message.extend_from_slice(&OPTION_GO.to_be_bytes());
    message.extend_from_slice(&(4 + name_length + 2 + 2).to_be_bytes());
    message.extend_from_slice(&name_length.to_be_bytes());
    message.extend_from_slice(name.as_bytes());
    // One piece of information is asked for besides what always comes.
    message.extend_from_slice(&1_u16.to_be_bytes());
    message.extend_from_slice(&INFORMATION_BLOCK_SIZE.to_be_bytes());
    stream.write_all(&message)?;
    stream.flush()
}

/// Reads replies until the server has agreed or refused; the inner error says what it refuses.
fn replies(stream: &mut impl Read) -> io::Result<Result<Export, String>> {
    let mut found = None;
    let mut sizes = None;
    for _ in 0..MOST_REPLIES {
        if read_u64(stream)? != REPLY_MAGIC {
            return Err(broken("a reply to an option must begin with its number"));
        }
        let (option, kind, length) = (read_u32(stream)?, read_u32(stream)?, read_u32(stream)?);
        if option != OPTION_GO || length > MOST_REPLY_BYTES {
            return Err(broken(format!(
                "a reply must be to the option that was sent and of at most {MOST_REPLY_BYTES} bytes"
            )));
        }
        let mut data = vec![0; length as usize];
        stream.read_exact(&mut data)?;
        match kind {
            REPLY_ACKNOWLEDGED => {
                let Some((length, flags)) = found else {
                    return Err(broken("it must say how long the export is"));
                };
                return export(length, flags, sizes).map(Ok);
            }
            REPLY_INFORMATION => match information(&data)? {
                Information::Export(length, flags) => found = Some((length, flags)),
                Information::Sizes(smallest, largest) => sizes = Some((smallest, largest)),
                Information::Other => {}
            },
            error if error & REPLY_ERROR != 0 => return Ok(Err(refusal(error, &data))),
            // Another kind of reply is no answer to this option, and tells nothing.
            _ => {}
        }
    }
    Err(broken(format!(
        "there may be at most {MOST_REPLIES} replies to an option"
    )))
}

enum Information {
    Export(u64, u16),
    Sizes(u32, u32),
    Other,
}

fn information(mut data: &[u8]) -> io::Result<Information> {
    let data = &mut data;
    Ok(match read_u16(data)? {
        INFORMATION_EXPORT => Information::Export(read_u64(data)?, read_u16(data)?),
        INFORMATION_BLOCK_SIZE => {
            let (smallest, _preferred) = (read_u32(data)?, read_u32(data)?);
            Information::Sizes(smallest, read_u32(data)?)
        }
        _ => Information::Other,
    })
}

fn export(length: u64, flags: u16, sizes: Option<(u32, u32)>) -> io::Result<Export> {
    let (smallest, largest) = sizes.unwrap_or((1, USUAL_LARGEST));
    if !smallest.is_power_of_two() || smallest > 64 << 10 || largest < smallest {
        return Err(broken(format!(
            "sizes of requests must be a power of two up to 65536, not {smallest}, to {largest}"
        )));
    }
    if length > i64::MAX as u64 || !length.is_multiple_of(u64::from(smallest)) {
        return Err(broken(format!(
            "{length} bytes must have 63 bits and be a multiple of {smallest}"
        )));
    }
    let largest = largest.min(USUAL_LARGEST);
    Ok(Export {
        length,
        flags: ExportFlags(flags),
        smallest,
        largest: largest - largest % smallest,
    })
}

/// Says what a server refuses, by the numbers of `doc/proto.md`, "Option reply types".
fn refusal(kind: u32, data: &[u8]) -> String {
    let what = match kind & !REPLY_ERROR {
        1 => "an NBD server without `NBD_OPT_GO`",
        2 => "an NBD export that the server's policy keeps back",
        5 => "an NBD server that asks for TLS",
        6 => "an NBD export that the server does not have",
        7 => "an NBD server that is being shut down",
        8 => "an NBD export with sizes of blocks that the server does not tell",
        _ => "what the NBD server refuses",
    };
    let text = String::from_utf8_lossy(data);
    if text.trim().is_empty() {
        format!("{what} is")
    } else {
        format!("{what} (`{}`) is", text.trim().escape_debug())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::wire::Canned;
    use super::*;

    pub(in crate::nbd) fn greeting_bytes() -> Vec<u8> {
        [&SERVER_MAGIC[..], OPTION_MAGIC, &[0, 3]].concat()
    }

    pub(in crate::nbd) fn reply(kind: u32, data: &[u8]) -> Vec<u8> {
        let mut reply = REPLY_MAGIC.to_be_bytes().to_vec();
        for number in [OPTION_GO, kind, data.len() as u32] {
            reply.extend_from_slice(&number.to_be_bytes());
        }
        reply.extend_from_slice(data);
        reply
    }

    pub(in crate::nbd) fn export_bytes(length: u64, flags: u16) -> Vec<u8> {
        let data = [&[0, 0][..], &length.to_be_bytes(), &flags.to_be_bytes()].concat();
        reply(REPLY_INFORMATION, &data)
    }

    pub(in crate::nbd) fn sizes_bytes(smallest: u32, largest: u32) -> Vec<u8> {
        let numbers = [smallest, 4096, largest].map(u32::to_be_bytes).concat();
        reply(REPLY_INFORMATION, &[&[0, 3][..], &numbers].concat())
    }

    fn answer(parts: &[Vec<u8>]) -> Result<Export> {
        let mut answer = greeting_bytes();
        answer.extend(parts.concat());
        negotiate(&mut Canned { answer: &answer }, "name")
    }

    fn refused(parts: &[Vec<u8>]) -> String {
        use std::error::Error as _;
        let error = answer(parts).unwrap_err();
        error
            .source()
            .map_or_else(|| error.to_string(), |source| source.to_string())
    }

    #[test]
    fn a_server_that_agrees() {
        let acknowledged = reply(REPLY_ACKNOWLEDGED, &[]);
        let export = answer(&[
            sizes_bytes(512, u32::MAX),
            export_bytes(1 << 20, 0b1111),
            acknowledged.clone(),
        ])
        .unwrap();
        assert_eq!((export.length, export.smallest), (1 << 20, 512));
        assert_eq!(export.largest, 32 << 20);
        assert!(export.flags.is_read_only() && export.flags.can_flush());
        let export = answer(&[export_bytes(5, 1), acknowledged]).unwrap();
        assert_eq!((export.length, export.smallest), (5, 1));
    }

    #[test]
    fn a_server_that_refuses() {
        for (kind, why) in [
            (1, "NBD_OPT_GO"),
            (5, "TLS"),
            (6, "does not have"),
            (99, "refuses"),
        ] {
            let error = refused(&[reply(REPLY_ERROR | kind, b"so\x1b")]);
            assert!(
                error.contains(why) && error.contains("(`so\\u{1b}`)"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_server_that_breaks_the_rules() {
        let acknowledged = reply(REPLY_ACKNOWLEDGED, &[]);
        let mut long = reply(REPLY_INFORMATION, &[]);
        long[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
        for (parts, rule) in [
            (vec![acknowledged.clone()], "how long"),
            (vec![long], "at most 16384 bytes"),
            (vec![reply(2, &[]); 65], "at most 64 replies"),
            (vec![vec![0; 20]], "begin with its number"),
            (
                vec![export_bytes(u64::MAX, 1), acknowledged.clone()],
                "63 bits",
            ),
            (
                vec![
                    export_bytes(513, 1),
                    sizes_bytes(512, 512),
                    acknowledged.clone(),
                ],
                "a multiple of 512",
            ),
            (
                vec![
                    export_bytes(512, 1),
                    sizes_bytes(0, 512),
                    acknowledged.clone(),
                ],
                "a power of two",
            ),
            (
                vec![export_bytes(512, 1), sizes_bytes(512, 0), acknowledged],
                "a power of two",
            ),
        ] {
            let error = refused(&parts);
            assert!(error.contains(rule), "{error}");
        }
        let mut old = Canned {
            answer: b"NBDMAGIC\0\0\x42\x02\x81\x86\x12\x53\0\0",
        };
        let error = negotiate(&mut old, "").unwrap_err().to_string();
        assert!(error.contains("newstyle"), "{error}");
    }
}
