//! The `newc` form of cpio archives: what the kernel takes as its first root, and the
//! simplest form in which a guest can hand a tree back.
//!
//! Linux `Documentation/driver-api/early-userspace/buffer-format.rst`: a header of 110
//! bytes (magic `070701` and thirteen numbers of eight hexadecimal digits), the name with
//! its NUL, the content; name and content are padded to a multiple of four bytes.

const HEADER_BYTES: usize = 110;
const TRAILER: &[u8] = b"TRAILER!!!";

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: u32,
    pub(super) content: Vec<u8>,
}

/// Appends one member owned by root; `mode` holds the file type too.
pub(super) fn append(archive: &mut Vec<u8>, name: &str, mode: u32, content: &[u8]) {
    let inode = archive.len();
    let header = format!(
        "070701{inode:08x}{mode:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}",
        0,
        0,
        1,
        0,
        content.len(),
        0,
        0,
        0,
        0,
        name.len() + 1,
        0
    );
    archive.extend(header.bytes());
    archive.extend(name.bytes());
    archive.push(0);
    pad(archive);
    archive.extend(content);
    pad(archive);
}

/// Appends the member that ends an archive.
pub(super) fn finish(archive: &mut Vec<u8>) {
    append(archive, "TRAILER!!!", 0, b"");
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

/// Reads one archive from the start of `bytes`; returns its members and its length.
pub(super) fn read(bytes: &[u8]) -> Option<(Vec<Member>, usize)> {
    let mut members = Vec::new();
    let mut at = 0;
    loop {
        let header = bytes.get(at..at + HEADER_BYTES)?;
        if !header.starts_with(b"070701") {
            return None;
        }
        let number = |index: usize| {
            let digits = header.get(6 + 8 * index..14 + 8 * index)?;
            u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
        };
        let name_at = at + HEADER_BYTES;
        let name_end = name_at + number(11)? as usize;
        let content_at = name_end.next_multiple_of(4);
        let content_end = content_at + number(6)? as usize;
        at = content_end.next_multiple_of(4);
        let name = bytes.get(name_at..name_end)?.strip_suffix(b"\0")?;
        if name == TRAILER {
            return Some((members, at));
        }
        members.push(Member {
            name: name.to_vec(),
            mode: number(1)?,
            uid: number(2)?,
            gid: number(3)?,
            mtime: number(5)?,
            content: bytes.get(content_at..content_end)?.to_vec(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let mut archive = Vec::new();
        append(&mut archive, "a", 0o100_600, b"12345");
        append(&mut archive, "bcd", 0o040_755, b"");
        finish(&mut archive);
        let length = archive.len();
        archive.extend([0; 7]);
        let (members, read_bytes) = read(&archive).expect("the archive is whole");
        assert_eq!(read_bytes, length);
        assert_eq!(members.len(), 2);
        assert_eq!(members[0].content, b"12345");
        assert_eq!(
            (&members[1].name[..], members[1].mode),
            (&b"bcd"[..], 0o040_755)
        );
    }

    #[test]
    fn a_cut_archive_is_none() {
        let mut archive = Vec::new();
        append(&mut archive, "a", 0o100_600, b"12345");
        finish(&mut archive);
        for length in 0..archive.len() - 4 {
            assert_eq!(read(&archive[..length]), None, "{length}");
        }
    }
}
