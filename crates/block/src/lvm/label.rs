//! What LVM2 writes at the start of a physical volume: the label, and where the metadata is.

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::text::MOST_TEXT_BYTES;
use crate::crc32;
use crate::device::BlockDevice;
use crate::error::{Corrupt, Error, Result, Unsupported};

const SECTOR_BYTES: usize = 512;

/// The label is in one of the first four sectors (`lib/label/label.h`, `LABEL_SCAN_SECTORS`).
const SCANNED_SECTORS: u64 = 4;

/// The start of every check (`lib/misc/crc.h`, `INITIAL_CRC`); there is no complement at the end.
const CRC_START: u32 = 0xf597_a6cf;

const METADATA_MAGIC: &[u8; 16] = b"\x20LVM2\x20x[5A%r0N*>";

/// The label and the start of the header of the physical volume, as stored. Little-endian.
///
/// LVM2 `lib/label/label.h`, `label_header`, and `lib/format_text/layout.h`, `pv_header`.
///
/// | offset | size | field           | note                                                                |
/// |-------:|-----:|-----------------|---------------------------------------------------------------------|
/// |      0 |    8 | `magic`         | `LABELONE`                                                          |
/// |      8 |    8 | `sector`        | where the label stands                                              |
/// |     16 |    4 | `crc`           | from the next field to the end of the sector                        |
/// |     20 |    4 | `header_offset` | from the start of the sector; always 32                             |
/// |     24 |    8 | `format`        | `LVM2 001`                                                          |
/// |     32 |   32 | `uuid`          | without hyphens                                                     |
/// |     64 |    8 | `device_bytes`  |                                                                     |
/// |     72 |   16 | ...             | ranges of data until one of zeros, ranges of metadata until another |
#[repr(C)]
#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawLabel {
    magic: [u8; 8],
    sector: U64,
    crc: U32,
    header_offset: U32,
    format: [u8; 8],
    uuid: [u8; 32],
    device_bytes: U64,
}

const _: () = assert!(size_of::<RawLabel>() == 72);

/// A range, as stored (`disk_locn`). Little-endian.
#[repr(C)]
#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawRange {
    offset: U64,
    length: U64,
}

/// The header of a metadata area, as stored in its first sector. Little-endian.
///
/// LVM2 `lib/format_text/layout.h`, `mda_header` and `raw_locn`.
///
/// | offset | size | field         | note                                                           |
/// |-------:|-----:|---------------|----------------------------------------------------------------|
/// |      0 |    4 | `crc`         | from the next field to the end of the sector                   |
/// |      4 |   16 | `magic`       |                                                                |
/// |     20 |    4 | `version`     | 1                                                              |
/// |     24 |    8 | `start`       | of the area, in bytes of the device                            |
/// |     32 |    8 | `length`      | of the area; behind this header it is used as a ring           |
/// |     40 |    8 | `text_offset` | from the start of the area; 0 if there is no group             |
/// |     48 |    8 | `text_length` |                                                                |
/// |     56 |    4 | `text_crc`    |                                                                |
/// |     60 |    4 | `text_flags`  | bit 0: this copy is not to be used                             |
#[repr(C)]
#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawArea {
    crc: U32,
    magic: [u8; 16],
    version: U32,
    start: U64,
    length: U64,
    text_offset: U64,
    text_length: U64,
    text_crc: U32,
    text_flags: U32,
}

const _: () = assert!(size_of::<RawArea>() == 64);

const IGNORED: u32 = 1;

/// A device that LVM2 has taken.
#[derive(Debug)]
pub(super) struct PhysicalVolume {
    /// Its identity, without hyphens.
    pub(super) uuid: String,
    /// Where the metadata areas begin.
    areas: Vec<u64>,
}

/// Looks for the label.
pub(super) fn read(device: &dyn BlockDevice) -> Result<Option<PhysicalVolume>> {
    for number in 0..SCANNED_SECTORS {
        let place = number * SECTOR_BYTES as u64;
        if place + SECTOR_BYTES as u64 > device.length() {
            break;
        }
        let mut sector = [0; SECTOR_BYTES];
        device.read_at(&mut sector, place)?;
        if !sector.starts_with(b"LABELONE") {
            continue;
        }
        return parse_label(&sector, number).map(Some);
    }
    Ok(None)
}

fn parse_label(sector: &[u8; SECTOR_BYTES], number: u64) -> Result<PhysicalVolume> {
    let place = number * SECTOR_BYTES as u64;
    let wrong = |rule: String| Error::from(Corrupt::new("LVM2 label", place, rule));
    let (label, mut rest) =
        RawLabel::read_from_prefix(sector).map_err(|_| wrong("it must fit in a sector".into()))?;
    if label.sector.get() != number {
        return Err(wrong(format!(
            "it must name its own sector {number}, not {}",
            label.sector
        )));
    }
    if crc32::update(CRC_START, &sector[20..]) != label.crc.get() {
        return Err(wrong("its checksum must be right".into()));
    }
    if &label.format != b"LVM2 001" {
        return Err(
            Unsupported::new("a physical volume of a format other than `LVM2 001` is").into(),
        );
    }
    if label.header_offset.get() != 32 {
        return Err(wrong(format!(
            "the header must be at 32, not {}",
            label.header_offset
        )));
    }
    if !label.uuid.iter().all(u8::is_ascii_alphanumeric) {
        return Err(wrong("the identity must be 32 letters and digits".into()));
    }
    let mut lists = [Vec::new(), Vec::new()];
    for list in &mut lists {
        loop {
            let (range, behind) = RawRange::read_from_prefix(rest)
                .map_err(|_| wrong("the list of ranges must end in the sector".into()))?;
            rest = behind;
            if range.offset.get() == 0 && range.length.get() == 0 {
                break;
            }
            list.push(range.offset.get());
        }
    }
    let [_, areas] = lists;
    Ok(PhysicalVolume {
        uuid: String::from_utf8_lossy(&label.uuid).into_owned(),
        areas,
    })
}

impl PhysicalVolume {
    /// Returns the texts of the metadata areas that are in use; for each one that is damaged, what is wrong.
    pub(super) fn texts(&self, device: &dyn BlockDevice) -> Result<Vec<Result<Vec<u8>, Corrupt>>> {
        let mut texts = Vec::new();
        for place in &self.areas {
            match area(device, *place) {
                Ok(text) => texts.extend(text.map(Ok)),
                Err(Error::Corrupt(corrupt)) => texts.push(Err(corrupt)),
                Err(error) => return Err(error),
            }
        }
        Ok(texts)
    }
}

/// Reads the text of a metadata area; there is none in an area that is empty or not to be used.
fn area(device: &dyn BlockDevice, place: u64) -> Result<Option<Vec<u8>>> {
    let wrong = |rule: String| Error::from(Corrupt::new("LVM2 metadata area", place, rule));
    let in_device = |start: u64, length: u64| {
        start
            .checked_add(length)
            .is_some_and(|end| end <= device.length())
    };
    let header_bytes = SECTOR_BYTES as u64;
    if !in_device(place, header_bytes) {
        return Err(wrong("it must lie in the device".into()));
    }
    let mut sector = [0; SECTOR_BYTES];
    device.read_at(&mut sector, place)?;
    let (header, _) =
        RawArea::read_from_prefix(&sector).map_err(|_| wrong("it must fit in a sector".into()))?;
    if &header.magic != METADATA_MAGIC {
        return Err(wrong("its signature must be right".into()));
    }
    if crc32::update(CRC_START, &sector[4..]) != header.crc.get() {
        return Err(wrong("its checksum must be right".into()));
    }
    if header.version.get() != 1 {
        let what = format!("an LVM2 metadata area of version {} is", header.version);
        return Err(Unsupported::new(what).into());
    }
    let (length, offset, text_length) = (
        header.length.get(),
        header.text_offset.get(),
        header.text_length.get(),
    );
    if offset == 0 || header.text_flags.get() & IGNORED != 0 {
        return Ok(None);
    }
    if header.start.get() != place || !in_device(place, length) {
        return Err(wrong("it must lie in the device at its own place".into()));
    }
    if text_length > MOST_TEXT_BYTES as u64 {
        let what = format!("LVM2 metadata of {text_length} bytes is");
        return Err(Unsupported::new(what).into());
    }
    // The text may wrap to what is behind the header, but must not reach its own beginning.
    let wrapped = offset.saturating_add(text_length).saturating_sub(length);
    if !(header_bytes..length).contains(&offset) || wrapped > offset - header_bytes {
        return Err(wrong(format!(
            "a text of {text_length} bytes at {offset} must lie in an area of {length} bytes"
        )));
    }
    let mut text = vec![0; text_length as usize];
    let (before, behind) = text.split_at_mut((text_length - wrapped) as usize);
    device.read_at(before, place + offset)?;
    device.read_at(behind, place + header_bytes)?;
    if crc32::update(CRC_START, &text) != header.text_crc.get() {
        return Err(wrong("the checksum of its text must be right".into()));
    }
    Ok(Some(text))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::device::MemoryDevice;

    const AREA: usize = 4096;
    const AREA_BYTES: u64 = 65536;

    /// Makes a physical volume of 4 MiB with this text, which begins at `offset` of the metadata area.
    pub(in crate::lvm) fn image(uuid: &[u8; 32], text: &[u8], offset: u64) -> Vec<u8> {
        let mut image = vec![0; 4 << 20];
        image[512..520].copy_from_slice(b"LABELONE");
        image[520] = 1;
        image[532] = 32;
        image[536..544].copy_from_slice(b"LVM2 001");
        image[544..576].copy_from_slice(uuid);
        image[576..584].copy_from_slice(&(4_u64 << 20).to_le_bytes());
        image[584..592].copy_from_slice(&(1_u64 << 20).to_le_bytes());
        image[616..624].copy_from_slice(&(AREA as u64).to_le_bytes());
        image[624..632].copy_from_slice(&AREA_BYTES.to_le_bytes());
        let crc = crc32::update(CRC_START, &image[532..1024]);
        image[528..532].copy_from_slice(&crc.to_le_bytes());

        for (index, byte) in text.iter().enumerate() {
            let mut place = offset + index as u64;
            if place >= AREA_BYTES {
                place = place - AREA_BYTES + 512;
            }
            image[AREA + place as usize] = *byte;
        }
        let area = &mut image[AREA..AREA + 512];
        area[4..20].copy_from_slice(METADATA_MAGIC);
        area[20] = 1;
        for (at, number) in [
            (24, AREA as u64),
            (32, AREA_BYTES),
            (40, offset),
            (48, text.len() as u64),
        ] {
            area[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        area[56..60].copy_from_slice(&crc32::update(CRC_START, text).to_le_bytes());
        let crc = crc32::update(CRC_START, &area[4..]);
        area[..4].copy_from_slice(&crc.to_le_bytes());
        image
    }

    fn texts(image: Vec<u8>) -> Vec<Result<Vec<u8>, Corrupt>> {
        let device = MemoryDevice::new(image);
        let volume = read(&device).unwrap().unwrap();
        volume.texts(&device).unwrap()
    }

    #[test]
    fn a_text_may_wrap() {
        for offset in [512, 5000, AREA_BYTES - 3] {
            let text = b"some text".to_vec();
            assert_eq!(texts(image(&[b'a'; 32], &text, offset)), [Ok(text)]);
        }
    }

    #[test]
    fn any_changed_byte_is_seen() {
        let whole = image(&[b'a'; 32], b"some text", 600);
        for byte in 512..1024 {
            let mut damaged = whole.clone();
            damaged[byte] ^= 1;
            let found = read(&MemoryDevice::new(damaged));
            assert!(!matches!(found, Ok(Some(_))), "byte {byte}");
        }
        for byte in (AREA..AREA + 512).chain(AREA + 600..AREA + 609) {
            let mut damaged = whole.clone();
            damaged[byte] ^= 1;
            assert!(matches!(texts(damaged)[..], [Err(_)]), "byte {byte}");
        }
    }

    #[test]
    fn a_text_that_reaches_itself_is_refused() {
        let device = MemoryDevice::new({
            let mut image = image(&[b'a'; 32], b"some text", 600);
            let area = &mut image[AREA..AREA + 512];
            area[48..56].copy_from_slice(&(AREA_BYTES - 500).to_le_bytes());
            let crc = crc32::update(CRC_START, &area[4..]);
            area[..4].copy_from_slice(&crc.to_le_bytes());
            image
        });
        let error = area(&device, AREA as u64).unwrap_err().to_string();
        assert!(error.contains("must lie in an area"), "{error}");
    }
}
