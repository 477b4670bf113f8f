//! fstab(5): what the guest mounts, and where.
//!
//! Fields and escapes as util-linux reads them, since its `mount` is the reader (`libmount/src/tab_parse.c`,
//! `mnt_parse_table_line`; `lib/mangle.c`, `unmangle_to_buffer`; `libblkid/src/tag.c`, `blkid_parse_tag_string`). A line
//! that it refuses is told, and the lines after it count.

use christen_vfs::{GuestPath, shown};

use super::text::{fields, lines};

/// More lines are no fstab: the rest is told as one broken line.
const MAX_ENTRIES: usize = 4096;

/// What an fstab says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fstab {
    /// The entries, in order.
    pub entries: Vec<Mount>,
    /// The lines that are none.
    pub broken: Vec<BrokenLine>,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// In which line it stands, counted from 1.
    pub line: usize,
    /// What is mounted.
    pub spec: Spec,
    /// Where; `None` for what is mounted nowhere (`none`, `swap`).
    pub mount_point: Option<GuestPath>,
    /// The type of filesystem, `auto` or a list among them.
    pub kind: Vec<u8>,
    /// The options, in order; none if there is no such field.
    pub options: Vec<Vec<u8>>,
}

/// What an entry mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// The filesystem with this UUID, as written.
    Uuid(Vec<u8>),
    /// The filesystem with this label.
    Label(Vec<u8>),
    /// The partition with this UUID, as written.
    PartUuid(Vec<u8>),
    /// The GPT partition of this name.
    PartLabel(Vec<u8>),
    /// The device with this path. Links that udev makes of tags (`/dev/disk/by-uuid/`) are given as the tags.
    Device(GuestPath),
    /// Anything else: `tmpfs`, `server:/export`, `overlay`.
    Other(Vec<u8>),
}

/// A line that is no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenLine {
    /// Which line, counted from 1.
    pub line: usize,
    /// Which rule it breaks.
    pub rule: &'static str,
}

impl Mount {
    /// Whether there is this option, which has no value.
    pub fn has_option(&self, name: &str) -> bool {
        self.options.iter().any(|it| it == name.as_bytes())
    }

    /// Returns the value of the last option of this name.
    pub fn option(&self, name: &str) -> Option<&[u8]> {
        let value = |it: &'_ Vec<u8>| -> Option<usize> {
            let rest = it.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(it.len() - rest.len())
        };
        self.options
            .iter()
            .rev()
            .find_map(|it| value(it).map(|at| &it[at..]))
    }

    /// Whether it is mounted without being asked for: not `noauto`.
    pub fn is_automatic(&self) -> bool {
        !self.has_option("noauto")
    }
}

impl Fstab {
    /// Takes an fstab apart.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut fstab = Self::default();
        for (index, line) in lines(bytes).enumerate() {
            let line_number = index + 1;
            let mut fields = fields(line);
            let Some(first) = fields.next() else { continue };
            if first.starts_with(b"#") {
                continue;
            }
            if fstab.entries.len() + fstab.broken.len() >= MAX_ENTRIES {
                fstab.broken.push(BrokenLine {
                    line: line_number,
                    rule: "there are too many lines; this one and those after it are not read",
                });
                break;
            }
            match entry(line_number, first, fields) {
                Ok(entry) => fstab.entries.push(entry),
                Err(rule) => fstab.broken.push(BrokenLine {
                    line: line_number,
                    rule,
                }),
            }
        }
        fstab
    }

    /// Returns the entry that is mounted at a place: the last one, since it covers those before it.
    pub fn at(&self, mount_point: &GuestPath) -> Option<&Mount> {
        self.entries
            .iter()
            .rev()
            .find(|it| it.mount_point.as_ref() == Some(mount_point))
    }
}

fn entry<'a>(
    line: usize,
    first: &[u8],
    mut rest: impl Iterator<Item = &'a [u8]>,
) -> Result<Mount, &'static str> {
    let target = rest.next().ok_or("there is no mount point")?;
    let kind = rest.next().ok_or("there is no type of filesystem")?;
    let options = rest.next().map(unescape).unwrap_or_default();
    for number in rest.take(2) {
        let is_number = std::str::from_utf8(number).is_ok_and(|it| it.parse::<i32>().is_ok());
        if !is_number {
            return Err("the fifth and the sixth field are no numbers");
        }
    }
    let target = unescape(target);
    let mount_point = match &target[..] {
        // fstab(5), "The second field": swap has `none`; systemd takes any path that is not absolute for none.
        target if !target.starts_with(b"/") => None,
        target => Some(GuestPath::new(target).map_err(|_| "the mount point is no path")?),
    };
    Ok(Mount {
        line,
        spec: spec(&unescape(first)),
        mount_point,
        kind: unescape(kind),
        options: split_options(&options),
    })
}

/// Options are separated by commas outside of quotes (`libmount/src/optstr.c`, `ul_optstr_next`).
fn split_options(text: &[u8]) -> Vec<Vec<u8>> {
    let mut options = Vec::new();
    let mut option = Vec::new();
    let mut is_quoted = false;
    for byte in text {
        match byte {
            b'"' => {
                is_quoted = !is_quoted;
                option.push(*byte);
            }
            b',' if !is_quoted => options.push(std::mem::take(&mut option)),
            _ => option.push(*byte),
        }
    }
    options.push(option);
    options.retain(|it| !it.is_empty());
    options
}

fn spec(text: &[u8]) -> Spec {
    type Tag = (&'static str, fn(Vec<u8>) -> Spec);
    let tags: [Tag; 4] = [
        ("UUID", Spec::Uuid),
        ("LABEL", Spec::Label),
        ("PARTUUID", Spec::PartUuid),
        ("PARTLABEL", Spec::PartLabel),
    ];
    for (name, make) in tags {
        if let Some(value) = text
            .strip_prefix(name.as_bytes())
            .and_then(|it| it.strip_prefix(b"="))
        {
            return make(unquoted(value).to_vec());
        }
        let link = format!("/dev/disk/by-{}/", name.to_ascii_lowercase());
        if let Some(value) = text.strip_prefix(link.as_bytes())
            && !value.is_empty()
            && !value.contains(&b'/')
        {
            return make(unescape_link(value));
        }
    }
    match GuestPath::new(text) {
        Ok(path) if text.starts_with(b"/dev/") => Spec::Device(path),
        _ => Spec::Other(text.to_vec()),
    }
}

/// The value of a tag may stand in quotes of either kind.
fn unquoted(value: &[u8]) -> &[u8] {
    for quote in [b'"', b'\''] {
        if let [first, inner @ .., last] = value
            && *first == quote
            && *last == quote
        {
            return inner;
        }
    }
    value
}

/// `\` and three octal digits are a byte; everything else stands for itself.
fn unescape(field: &[u8]) -> Vec<u8> {
    unescape_with(field, |rest| match rest {
        [a @ b'0'..=b'7', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            // The kernel and libmount drop what does not fit into a byte.
            let value = u16::from(a - b'0') * 64 + u16::from(b - b'0') * 8 + u16::from(c - b'0');
            Some((value.to_le_bytes()[0], 3))
        }
        _ => None,
    })
}

/// udev writes what cannot stand in the name of a link as `\x` and two digits (`udev_util.c`, `encode_devnode_name`).
fn unescape_link(name: &[u8]) -> Vec<u8> {
    unescape_with(name, |rest| match rest {
        [b'x', high, low, ..] => {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let value = digit(*high)? * 16 + digit(*low)?;
            Some((u8::try_from(value).ok()?, 3))
        }
        _ => None,
    })
}

/// Replaces what `escape` makes of the bytes behind each `\`: the byte, and how many it stands for.
fn unescape_with(field: &[u8], escape: impl Fn(&[u8]) -> Option<(u8, usize)>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, behind @ ..] = rest {
        let (byte, used) = match first {
            b'\\' => escape(behind).unwrap_or((b'\\', 0)),
            _ => (*first, 0),
        };
        bytes.push(byte);
        rest = &behind[used..];
    }
    bytes
}

impl std::fmt::Display for Spec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uuid(value) => write!(formatter, "UUID={}", shown(value)),
            Self::Label(value) => write!(formatter, "LABEL={}", shown(value)),
            Self::PartUuid(value) => write!(formatter, "PARTUUID={}", shown(value)),
            Self::PartLabel(value) => write!(formatter, "PARTLABEL={}", shown(value)),
            Self::Device(path) => write!(formatter, "{path}"),
            Self::Other(value) => formatter.write_str(&shown(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Mount {
        let mut fstab = Fstab::parse(text.as_bytes());
        assert_eq!(fstab.broken, [], "{text}");
        assert_eq!(fstab.entries.len(), 1, "{text}");
        fstab.entries.remove(0)
    }

    #[test]
    fn every_sort_of_spec_is_told_apart() {
        for (text, spec) in [
            ("UUID=4b0c-9f", Spec::Uuid(b"4b0c-9f".to_vec())),
            ("UUID=\"4b0c\"", Spec::Uuid(b"4b0c".to_vec())),
            ("LABEL='a'", Spec::Label(b"a".to_vec())),
            ("LABEL=my\\040disk", Spec::Label(b"my disk".to_vec())),
            ("PARTUUID=01-02", Spec::PartUuid(b"01-02".to_vec())),
            ("PARTLABEL=root", Spec::PartLabel(b"root".to_vec())),
            ("/dev/disk/by-uuid/4b0c", Spec::Uuid(b"4b0c".to_vec())),
            (
                "/dev/disk/by-label/my\\x20disk",
                Spec::Label(b"my disk".to_vec()),
            ),
            (
                "/dev/vda1",
                Spec::Device(GuestPath::new("/dev/vda1").unwrap()),
            ),
            (
                "/dev/disk/by-id/x",
                Spec::Device(GuestPath::new("/dev/disk/by-id/x").unwrap()),
            ),
            ("tmpfs", Spec::Other(b"tmpfs".to_vec())),
            ("server:/export", Spec::Other(b"server:/export".to_vec())),
            ("uuid=4b0c", Spec::Other(b"uuid=4b0c".to_vec())),
        ] {
            assert_eq!(only(&format!("{text} / auto")).spec, spec, "{text}");
        }
    }

    #[test]
    fn fields_are_separated_by_any_blanks_and_escapes_are_octal() {
        let mount = only(
            " \tLABEL=x\t \t/a\\040b\\011\\134\\08  btrfs\tsubvol=@home,ro,subvol=x,o=\"a,b\"  0 2 # no",
        );
        assert_eq!(
            mount.mount_point,
            Some(GuestPath::new("/a b\t\\\\08").unwrap())
        );
        assert_eq!(mount.kind, b"btrfs");
        assert_eq!(mount.option("subvol"), Some(&b"x"[..]));
        assert_eq!(mount.option("o"), Some(&b"\"a,b\""[..]));
        assert_eq!(mount.option("ro"), None);
        assert!(mount.has_option("ro") && mount.is_automatic());
        assert!(!only("a /b auto noauto").is_automatic());
        assert_eq!(only("/dev/vda2 none swap sw").mount_point, None);
    }

    #[test]
    fn a_broken_line_is_told_and_the_rest_is_read() {
        let fstab =
            Fstab::parse(b"# comment\n\n/dev/vda1\n/dev/vda1 /\n\xff\0 /x\0y ext4\n/dev/vda1 / ext4\r\n   #x y z\na /b c d 0 x\n");
        let broken: Vec<_> = fstab.broken.iter().map(|it| it.line).collect();
        assert_eq!(broken, [3, 4, 5, 8]);
        assert_eq!(fstab.entries.len(), 1);
        assert_eq!(fstab.entries[0].line, 6);
        assert!(fstab.at(&GuestPath::root()).is_some());
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let fstab = Fstab::parse("a /b c\n".repeat(MAX_ENTRIES + 10).as_bytes());
        assert_eq!(fstab.entries.len(), MAX_ENTRIES);
        assert_eq!(fstab.broken.len(), 1);
    }
}
