//! The crate `ext4-view`.

use std::fmt;
use std::sync::Arc;

use ext4_view::{Ext4, Ext4Error, Ext4Read, Path};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::{Kind, Reader, Seen, Source};

/// How much content is read at a time.
const READ_BYTES: usize = 128 << 10;

pub(crate) struct View(Ext4);

impl fmt::Debug for View {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("View").finish_non_exhaustive()
    }
}

struct Bytes(Arc<dyn Source>);

impl Ext4Read for Bytes {
    fn read(
        &mut self,
        start_byte: u64,
        buffer: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        self.0.read_at(buffer, start_byte)
    }
}

impl View {
    /// Opens a filesystem; `None` if it uses what this reader does not know.
    pub(crate) fn open(source: Arc<dyn Source>) -> Result<Option<Self>> {
        match Ext4::load(Box::new(Bytes(source))) {
            Ok(fs) => Ok(Some(Self(fs))),
            Err(Ext4Error::Incompatible(_)) => Ok(None),
            Err(error) => Err(Error::View(Box::new(error))),
        }
    }

    /// Returns what stands at a place, or `None` if it has no judgement of it.
    pub(crate) fn look(&self, names: &[&[u8]], size: Option<u64>) -> Result<Option<Option<Seen>>> {
        let mut path = vec![b'/'];
        path.extend_from_slice(&names.join(&b'/'));
        match self.seen(&path, size) {
            Ok(seen) => Ok(Some(Some(seen))),
            Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => Ok(Some(None)),
            Err(Ext4Error::Incompatible(_) | Ext4Error::Encrypted) => Ok(None),
            Err(error) if is_its_own_limit(&error) => Ok(None),
            Err(error) => Err(Error::View(Box::new(error))),
        }
    }

    fn seen(&self, path: &[u8], size: Option<u64>) -> Result<Seen, Ext4Error> {
        let path = Path::new(path);
        let found = self.0.symlink_metadata(path)?;
        let kind = if found.is_dir() {
            Kind::Directory
        } else if found.is_symlink() {
            Kind::SymbolicLink
        } else if found.file_type().is_regular_file() {
            Kind::File
        } else {
            Kind::Special
        };
        let hash = if kind == Kind::File && size == Some(found.len()) {
            Some(self.hash(path)?)
        } else {
            None
        };
        let target = if kind == Kind::SymbolicLink {
            let target = self.0.read_link(path)?;
            Some(target.as_path().as_ref().to_vec())
        } else {
            None
        };
        Ok(Seen {
            reader: Reader::Ext4View,
            kind,
            permissions: found.mode() & 0o7777,
            uid: found.uid(),
            gid: found.gid(),
            size: if kind == Kind::File { found.len() } else { 0 },
            hash,
            target,
        })
    }

    fn hash(&self, path: Path<'_>) -> Result<[u8; 32], Ext4Error> {
        let mut file = self.0.open(path)?;
        let mut buffer =
            vec![0; READ_BYTES.min(usize::try_from(file.metadata().len()).unwrap_or(READ_BYTES))];
        let mut hash = Sha256::new();
        while !buffer.is_empty() {
            match file.read_bytes(&mut buffer)? {
                0 => break,
                count => hash.update(&buffer[..count]),
            }
        }
        Ok(hash.finalize().into())
    }
}

/// Whether ext4-view 1.0.0 says of something that every kernel reads that it is corrupt: a time before 1970 (`src/timestamp.rs`), a hole
/// of a block map, which it takes for block 0, an inode of 128 bytes with a checksum, and a target with a name of more than 255 bytes.
fn is_its_own_limit(error: &Ext4Error) -> bool {
    let text = error.to_string();
    [
        "invalid timestamp",
        "from block 0 ",
        "is truncated: size=128",
        "invalid symlink",
    ]
    .iter()
    .any(|limit| text.contains(limit))
}
