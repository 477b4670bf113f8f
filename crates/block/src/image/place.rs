//! Where an image is: a file of the host, or an export of an NBD server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::access::Access;
use crate::error::Result;
use crate::host::{self, HostFile, Located, Locking, Opening};
use crate::nbd::{NbdExport, Options, Uri};

/// How long a server may take. A disk that has to spin up takes ten seconds; a server that is gone takes for ever.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where an image is.
#[derive(Debug)]
pub(super) enum Place {
    /// A file or block device of the host.
    File(Located),
    /// An export, with its URI as a path.
    Nbd(Uri, PathBuf),
}

impl Place {
    /// Finds out where a path or URI leads to. Nothing is opened but a file's directory.
    pub(super) fn find(path: &Path) -> Result<Self> {
        match path.to_str() {
            Some(text) if text.starts_with("nbd://") || text.starts_with("nbd+unix://") => {
                Ok(Self::Nbd(Uri::parse(text)?, path.into()))
            }
            _ => Ok(Self::File(host::locate(path)?)),
        }
    }

    /// Returns the path with all links resolved, or the URI.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(located) => &located.path,
            Self::Nbd(_, path) => path,
        }
    }

    /// Opens it. NBD has no locks: there the server keeps others out, or nobody does.
    pub(super) fn open(&self, opening: Opening, locking: Locking) -> Result<Arc<dyn HostFile>> {
        match self {
            Self::File(located) => Ok(host::open(located, opening, locking)?),
            Self::Nbd(uri, _) => {
                let options = Options {
                    access: match opening {
                        Opening::ReadOnly => Access::Read,
                        Opening::ReadWrite => Access::Write,
                    },
                    timeout: TIMEOUT,
                };
                Ok(Arc::new(NbdExport::open(uri, &options)?))
            }
        }
    }
}
