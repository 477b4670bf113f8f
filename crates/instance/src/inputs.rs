//! What the pure part of christen takes from outside: files, time, randomness, services.

use std::fmt;
use std::io;

/// Bytes nobody can guess, or bytes somebody chose.
///
/// The system's generator stands behind this in everyday use; a file of bytes does for a
/// reproducible build. Draws happen in a fixed order (`docs/reproducible.md`) and only for
/// what the requested output needs.
pub trait RandomSource {
    /// Fills `buffer` with the next bytes of the source.
    ///
    /// # Errors
    ///
    /// Fails when the source has no more bytes or cannot be read; `buffer` is then
    /// unspecified and must not be used.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()>;
}

impl<R: RandomSource + ?Sized> RandomSource for &mut R {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        (**self).fill(buffer)
    }
}

/// The files that a description refers to (`{file: ...}`, `source:`).
pub trait FileSource {
    /// Reads a whole file, refusing one of more than `limit_bytes`.
    ///
    /// A relative `path` is relative to the description that names it.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read; [`io::ErrorKind::FileTooLarge`] says that it is
    /// over the limit.
    fn read(&self, path: &str, limit_bytes: u64) -> io::Result<Vec<u8>>;
}

/// One question to a dynamic vendor data service.
///
/// Nova 34.0.0, `nova/api/metadata/vendordata_dynamic.py`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorDataRequest {
    /// The address to `POST` to, as configured.
    pub url: String,
    /// The JSON body, encoded as Nova encodes it. Holds the user data: not for logs.
    pub body: crate::Secret<String>,
}

/// The operator's dynamic vendor data services.
pub trait VendorDataService {
    /// Asks one target and returns the text of its answer (empty for an empty answer).
    ///
    /// # Errors
    ///
    /// Fails on a connection failure, a time-out, an HTTP error status, or an answer over the
    /// size limit. Whether that is fatal is the caller's decision
    /// (`[api] vendordata_dynamic_failure_fatal`).
    fn ask(&mut self, request: &VendorDataRequest) -> Result<String, VendorDataFailure>;
}

/// Why a vendor data service gave no answer: one line, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorDataFailure {
    /// What went wrong, in one line.
    pub reason: String,
}

impl fmt::Display for VendorDataFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)
    }
}

impl std::error::Error for VendorDataFailure {}
