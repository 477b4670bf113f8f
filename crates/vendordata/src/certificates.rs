//! The certificate authorities whose servers we trust.

use std::path::Path;

use ureq::tls::Certificate;

/// Why a client cannot be made. No request was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file of `[api] vendordata_dynamic_ssl_certfile` cannot be read or is damaged.
    #[error("cannot take CA certificates from `{path}`")]
    CaFile {
        /// The path.
        path: String,
        /// What is wrong with it.
        #[source]
        source: rustls_native_certs::Error,
    },
    /// The file of `[api] vendordata_dynamic_ssl_certfile` holds no certificate.
    #[error("`{path}` holds no CA certificate in PEM form")]
    CaFileEmpty {
        /// The path.
        path: String,
    },
    /// The system has no CA certificates, or none that can be read.
    #[error("the system has no CA certificates to check a service's identity with")]
    NoSystemCertificates {
        /// Why not, if there is more to say than that there are none.
        #[source]
        source: Option<rustls_native_certs::Error>,
    },
}

/// Reads the authorities from a file, or, when the path is empty, the system's.
///
/// With a file only its authorities count, as with the `verify` argument of requests.
///
/// The system's are those that OpenSSL uses (`SSL_CERT_FILE` and `SSL_CERT_DIR` are
/// honoured): an operator who runs a service with a certificate of his own authority has put
/// it there for every other program. A list compiled in could not know it, and could not be
/// mended when an authority falls.
pub(crate) fn load(file: &str) -> Result<Vec<Certificate<'static>>, Error> {
    let found = if file.is_empty() {
        let mut found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            return Err(Error::NoSystemCertificates {
                source: found.errors.pop(),
            });
        }
        // One damaged file among a hundred is no reason to trust nobody.
        found.certs
    } else {
        let mut found = rustls_native_certs::load_certs_from_paths(Some(Path::new(file)), None);
        if let Some(source) = found.errors.pop() {
            return Err(Error::CaFile {
                path: file.to_owned(),
                source,
            });
        }
        if found.certs.is_empty() {
            return Err(Error::CaFileEmpty {
                path: file.to_owned(),
            });
        }
        found.certs
    };
    Ok(found
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect())
}
