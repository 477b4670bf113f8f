//! A small HTTP and HTTPS server that behaves as badly as a test asks it to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A connection, plain or TLS.
pub(crate) trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// A running server; it ends with the test process.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    requests: Receiver<Vec<u8>>,
}

impl Server {
    /// Starts a plain server that reads each request and then does what `respond` does.
    pub(crate) fn http(respond: impl Fn(&mut dyn Stream) + Send + Sync + 'static) -> Self {
        Self::start(None, respond)
    }

    /// The same over TLS with an authority's certificate for `host`.
    pub(crate) fn https(
        authority: &Authority,
        host: &str,
        respond: impl Fn(&mut dyn Stream) + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(authority.server(host)), respond)
    }

    fn start(
        tls: Option<Arc<ServerConfig>>,
        respond: impl Fn(&mut dyn Stream) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (sender, requests) = channel();
        let respond = Arc::new(respond);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let (tls, sender, respond) = (tls.clone(), sender.clone(), respond.clone());
                thread::spawn(move || {
                    let mut stream = wrap(stream, tls);
                    if let Some(request) = read_request(&mut *stream) {
                        let _ = sender.send(request);
                        respond(&mut *stream);
                    }
                });
            }
        });
        Self {
            address,
            scheme,
            requests,
        }
    }

    /// A URL of the server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.port())
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The next request as it came.
    pub(crate) fn request(&self) -> String {
        let bytes = self
            .requests
            .recv_timeout(Duration::from_secs(5))
            .expect("a request");
        String::from_utf8(bytes).expect("a request of text")
    }

    /// How many more requests came.
    pub(crate) fn count(&self) -> usize {
        self.requests.try_iter().count()
    }
}

fn wrap(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Box<dyn Stream> {
    match tls {
        None => Box::new(stream),
        Some(config) => {
            let connection = ServerConnection::new(config).expect("a TLS server");
            Box::new(StreamOwned::new(connection, stream))
        }
    }
}

/// Reads a head and as much body as it announces; nothing when the client gave up.
fn read_request(stream: &mut dyn Stream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    request.extend(body);
    Some(request)
}

/// Writes a text and lets it go.
pub(crate) fn say(stream: &mut dyn Stream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.flush();
}

/// Writes a text again and again with pauses, until the client has gone.
pub(crate) fn drip(stream: &mut dyn Stream, text: &str, pause: Duration) {
    while stream.write_all(text.as_bytes()).is_ok() && stream.flush().is_ok() {
        thread::sleep(pause);
    }
}

/// Says nothing until the client has gone.
pub(crate) fn wait(stream: &mut dyn Stream) {
    let _ = stream.read(&mut [0]);
}

/// A certificate authority of the test's own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no host names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// Its certificate in PEM form.
    pub(crate) fn pem(&self) -> &str {
        &self.certificate
    }

    fn server(&self, host: &str) -> Arc<ServerConfig> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec![host.to_owned()])
            .and_then(|params| params.signed_by(&key, &self.issuer))
            .expect("a certificate");
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(certificate.der().to_vec())],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .expect("a key and its certificate");
        Arc::new(config)
    }
}
