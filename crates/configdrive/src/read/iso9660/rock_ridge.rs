//! The system use area: SUSP (IEEE P1281) and Rock Ridge (RRIP, IEEE P1282).

use crate::Error;
use crate::read::time::{descriptor_time, record_time};
use crate::read::{Corrupt, Place, Rule, Source, limits};

/// What the fields of one record say.
#[derive(Debug, Default)]
pub(super) struct RockRidge {
    /// `NM`, its parts joined.
    pub(super) name: Option<Vec<u8>>,
    /// `PX`: mode with type bits, owner, group.
    pub(super) posix: Option<(u32, u32, u32)>,
    /// `TF`, the time of modification.
    pub(super) mtime: Option<i64>,
    /// `SL`, its components joined.
    pub(super) symlink: Option<Vec<u8>>,
    /// `CL`: the block at which this directory really stands.
    pub(super) child_link: Option<u32>,
    /// `PL`: the block of the real parent.
    pub(super) parent_link: Option<u32>,
    /// `RE`: shown elsewhere, through a `CL`.
    pub(super) relocated: bool,
    /// `ZF`: compressed.
    pub(super) zisofs: bool,
    /// `SF`: sparse.
    pub(super) sparse: bool,
    /// `SP`: bytes to skip in each later system use area.
    pub(super) skip: Option<u8>,
    /// `ER`: the identifier of an extension.
    pub(super) extension: Option<String>,
    /// What is wrong with the fields.
    pub(super) faults: Vec<Rule>,
    /// Bytes read in continuation areas, for the tree's budget.
    pub(super) continued_bytes: u64,
    symlink_joins: bool,
}

/// Flags of `NM` and of the components of `SL` (RRIP §4.1.3, §4.1.4).
const CONTINUE: u8 = 0x01;
const CURRENT: u8 = 0x02;
const PARENT: u8 = 0x04;
const ROOT: u8 = 0x08;

impl RockRidge {
    /// Reads a system use area and its continuations.
    ///
    /// A continuation lies within one block, as Linux demands (`fs/isofs/rock.c`,
    /// `rock_continue`), and their number is bounded, so that chains end.
    pub(super) fn read(
        source: &Source<'_>,
        system_use: &[u8],
        block_size: u32,
    ) -> Result<Self, Error> {
        let mut found = Self::default();
        let mut area = system_use.to_vec();
        for _ in 0..=limits::MAX_CONTINUATIONS {
            let Some((block, offset, length)) = found.parse_area(&area) else {
                return Ok(found);
            };
            let end = offset.checked_add(length);
            if end.is_none_or(|end| end > block_size) {
                found.faults.push(Rule::Continuation { offset, length });
                return Ok(found);
            }
            let position = u64::from(block)
                .saturating_mul(u64::from(block_size))
                .saturating_add(u64::from(offset));
            if !source.contains(position, u64::from(length)) {
                found.faults.push(Rule::Continuation { offset, length });
                return Ok(found);
            }
            found.continued_bytes = found.continued_bytes.saturating_add(u64::from(block_size));
            area = source.bytes(position, u64::from(length), "a continuation area")?;
        }
        found.faults.push(Rule::TooManyContinuations);
        Ok(found)
    }

    /// Parses one area; returns where it goes on: block, offset, length.
    fn parse_area(&mut self, mut area: &[u8]) -> Option<(u32, u32, u32)> {
        let mut next = None;
        // Less than four bytes cannot be a field (SUSP §4.1).
        while let [first, second, length, _version, ..] = *area {
            if first == 0 {
                break;
            }
            let fault = Rule::FieldLength {
                signature: [first, second].escape_ascii().to_string(),
                length,
            };
            let Some((field, rest)) = area.split_at_checked(usize::from(length).max(1)) else {
                self.faults.push(fault);
                break;
            };
            let Some(data) = field.get(4..) else {
                self.faults.push(fault);
                break;
            };
            area = rest;
            let understood = match &[first, second] {
                b"CE" => match (little(data, 0), little(data, 8), little(data, 16)) {
                    (Some(block), Some(offset), Some(length)) => {
                        next = Some((block, offset, length));
                        true
                    }
                    _ => false,
                },
                b"SP" => {
                    if data.get(..2) == Some(&[0xbe, 0xef]) {
                        self.skip = data.get(2).copied();
                    }
                    self.skip.is_some()
                }
                b"ER" => self.extension_reference(data),
                b"NM" => self.alternate_name(data),
                b"PX" => match (little(data, 0), little(data, 16), little(data, 24)) {
                    (Some(mode), Some(uid), Some(gid)) => {
                        self.posix = Some((mode, uid, gid));
                        true
                    }
                    _ => false,
                },
                b"TF" => self.time_stamps(data),
                b"SL" => self.symbolic_link(data),
                b"CL" => {
                    self.child_link = little(data, 0);
                    self.child_link.is_some()
                }
                b"PL" => {
                    self.parent_link = little(data, 0);
                    self.parent_link.is_some()
                }
                b"RE" => {
                    self.relocated = true;
                    true
                }
                b"ZF" => {
                    self.zisofs = true;
                    true
                }
                b"SF" => {
                    self.sparse = true;
                    true
                }
                b"ST" => break,
                // Padding, the old `RR` index, and fields of others (Apple, Amiga, SELinux).
                _ => true,
            };
            if !understood {
                self.faults.push(fault);
            }
        }
        next
    }

    fn extension_reference(&mut self, data: &[u8]) -> bool {
        let Some(length) = data.first() else {
            return false;
        };
        let identifier = data
            .get(4..)
            .and_then(|texts| texts.get(..usize::from(*length)));
        if let Some(identifier) = identifier {
            self.extension
                .get_or_insert_with(|| String::from_utf8_lossy(identifier).into_owned());
        }
        identifier.is_some()
    }

    fn alternate_name(&mut self, data: &[u8]) -> bool {
        let Some((flags, text)) = data.split_first() else {
            return false;
        };
        let name = self.name.get_or_insert_default();
        // Linux stops at the flags for `.` and `..` as well (`get_rock_ridge_filename`);
        // such a name is refused later.
        match flags & (CURRENT | PARENT) {
            0 => name.extend_from_slice(text),
            CURRENT => name.extend_from_slice(b"."),
            _ => name.extend_from_slice(b".."),
        }
        true
    }

    /// `TF`: a time for each flag that is set, in the order of the flags (RRIP §4.1.6):
    /// creation, modification, access, ...; bit 7 chooses the long form.
    fn time_stamps(&mut self, data: &[u8]) -> bool {
        let Some((flags, times)) = data.split_first() else {
            return false;
        };
        if flags & 0x02 == 0 {
            return true;
        }
        let index = usize::from(flags & 0x01 != 0);
        if flags & 0x80 == 0 {
            let bytes = times.chunks_exact(7).nth(index);
            let Some(bytes) = bytes.and_then(|bytes| <[u8; 7]>::try_from(bytes).ok()) else {
                return false;
            };
            self.mtime = record_time(bytes);
        } else {
            let bytes = times.chunks_exact(17).nth(index);
            let Some(bytes) = bytes.and_then(|bytes| <[u8; 17]>::try_from(bytes).ok()) else {
                return false;
            };
            self.mtime = descriptor_time(&bytes);
        }
        true
    }

    /// `SL`: components, each of flags, length and text (RRIP §4.1.3.1).
    fn symbolic_link(&mut self, data: &[u8]) -> bool {
        let Some((_flags, mut components)) = data.split_first() else {
            return false;
        };
        let target = self.symlink.get_or_insert_default();
        while let Some((&[flags, length], rest)) = components.split_first_chunk::<2>() {
            let Some((text, rest)) = rest.split_at_checked(usize::from(length)) else {
                return false;
            };
            components = rest;
            if !target.is_empty() && !self.symlink_joins && !target.ends_with(b"/") {
                target.push(b'/');
            }
            self.symlink_joins = flags & CONTINUE != 0;
            match flags & (CURRENT | PARENT | ROOT) {
                0 => target.extend_from_slice(text),
                CURRENT => target.push(b'.'),
                PARENT => target.extend_from_slice(b".."),
                ROOT => target.push(b'/'),
                _ => return false,
            }
            if target.len() > limits::MAX_SYMLINK_BYTES {
                target.clear();
                self.faults.push(Rule::LongSymlink);
                return true;
            }
        }
        true
    }

    /// Attaches a place to each fault.
    pub(super) fn corrupt(&self, place: &Place) -> Vec<Corrupt> {
        self.faults
            .iter()
            .map(|rule| Corrupt::new(place.clone(), rule.clone()))
            .collect()
    }
}

/// The little-endian half of a number in both orders; both halves must be there.
fn little(data: &[u8], at: usize) -> Option<u32> {
    let (half, rest) = data.get(at..)?.split_first_chunk::<4>()?;
    rest.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(area: &[u8]) -> RockRidge {
        let image: &[u8] = &[];
        RockRidge::read(&Source::new(image).unwrap(), area, 2048).unwrap()
    }

    #[test]
    fn fields() {
        assert_eq!(parse(b"NM\x08\x01\0abc").name.unwrap(), b"abc");
        assert_eq!(
            parse(b"NM\x07\x01\x01abNM\x06\x01\0c").name.unwrap(),
            b"abc"
        );
        assert_eq!(parse(b"NM\x05\x01\x04").name.unwrap(), b"..");
        assert!(parse(b"RE\x04\x01").relocated);
        assert_eq!(parse(b"SP\x07\x01\xbe\xef\x05").skip, Some(5));
        assert_eq!(
            parse(b"ER\x0d\x01\x05\0\0\x01RRIP_").extension.unwrap(),
            "RRIP_"
        );
        let posix = b"PX\x24\x01\x24\x81\0\0\0\0\x81\x24\x01\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\x02\x03\0\0\0\0\0\0\x03";
        assert_eq!(parse(posix).posix, Some((0o100_444, 2, 3)));
        let time = b"TF\x13\x01\x03\x46\x01\x01\0\0\0\0\x46\x01\x02\0\0\0\0";
        assert_eq!(parse(time).mtime, Some(86_400));
    }

    #[test]
    fn symbolic_links() {
        let check = |area: &[u8], expected: &[u8]| {
            assert_eq!(parse(area).symlink.unwrap(), expected);
        };
        check(b"SL\x0c\x01\0\x04\0\0\x03abc", b"../abc");
        check(b"SL\x0a\x01\0\x08\0\0\x01a", b"/a");
        check(b"SL\x0b\x01\0\x01\x01a\0\x01b", b"ab");
        check(b"SL\x08\x01\x01\0\x01aSL\x08\x01\0\0\x01b", b"a/b");
    }

    #[test]
    fn faults() {
        let check = |area: &[u8], expected: &str| {
            let faults = parse(area).faults;
            assert_eq!(faults[0].code(), expected, "{faults:?}");
        };
        check(b"NM\x09\x01\0abc", "field-length");
        check(b"NM\x00\x01\0abc", "field-length");
        check(b"PX\x05\x01\0", "field-length");
        check(b"SL\x08\x01\0\0\x09a", "field-length");
        let mut continued = b"CE\x1c\x01".to_vec();
        continued.extend([0; 8]);
        continued.extend([0, 8, 0, 0, 0, 0, 8, 0]);
        continued.extend([1, 0, 0, 0, 0, 0, 0, 1]);
        check(&continued, "continuation");
    }

    #[test]
    fn a_chain_of_continuations_ends() {
        // The area at offset 0 goes on at offset 0.
        let mut image = b"CE\x1c\x01".to_vec();
        image.extend([0; 16]);
        image.extend([28, 0, 0, 0, 0, 0, 0, 28]);
        let source = Source::new(image.as_slice()).unwrap();
        let found = RockRidge::read(&source, &image, 2048).unwrap();
        assert_eq!(found.faults, [Rule::TooManyContinuations]);
    }
}
