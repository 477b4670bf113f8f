//! The client: one question, one answer, and an end to both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use christen_instance::Settings;
use christen_instance::inputs::{VendorDataFailure, VendorDataRequest, VendorDataService};
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT};
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::certificates::{self, Error};
use crate::failure::{exchange, failure};
use crate::origin::{Origin, credentials, redirected};

/// How long one target may take altogether, redirects included. Nova's time-outs are for a
/// connection and for silence, so a service that sends a byte now and then could hold an
/// instance up for ever; this ends it.
const TOTAL_TIME: Duration = Duration::from_secs(60);

/// The largest answer. It goes to the guest whole and once for each version that has vendor
/// data, so a megabyte is already far too much for a config drive.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// The most redirects that are followed (`keystoneauth1/session.py`,
/// `_DEFAULT_REDIRECT_LIMIT`).
const MAX_REDIRECTS: u32 = 30;

/// What bounds one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Time to find the host, connect and agree on TLS; `None` for no limit of its own.
    pub connect: Option<Duration>,
    /// Time for which the service may be silent; `None` for no limit of its own.
    pub read: Option<Duration>,
    /// Time for one target altogether, redirects included.
    pub total: Duration,
    /// Largest answer.
    pub answer_bytes: u64,
}

impl Limits {
    /// Returns the limits that the settings ask for, and ours on total time (60 s) and size
    /// (1 MiB).
    pub fn new(settings: &Settings) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Self {
            connect: settings
                .vendordata_dynamic_connect_timeout_seconds
                .map(seconds),
            read: settings
                .vendordata_dynamic_read_timeout_seconds
                .map(seconds),
            total: TOTAL_TIME,
            answer_bytes: MAX_ANSWER_BYTES,
        }
    }
}

/// A blocking client for the operator's vendor data services.
///
/// It speaks HTTP/1.1, checks the identity of every `https` service, sends no token, and
/// does not look at the environment for proxies.
///
/// ```
/// use christen_instance::Settings;
/// use christen_instance::inputs::VendorDataService;
///
/// let mut client = christen_vendordata::Client::new(&Settings::default())?;
/// # let service: &mut dyn VendorDataService = &mut client;
/// # Ok::<(), christen_vendordata::Error>(())
/// ```
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    limits: Limits,
}

impl Client {
    /// Makes a client by `[api] vendordata_dynamic_ssl_certfile`, `_connect_timeout` and
    /// `_read_timeout`.
    ///
    /// When a target is an `https` one, this reads the CA certificates: of the file named in
    /// the settings, or else of the system.
    ///
    /// # Errors
    ///
    /// The certificates cannot be read, or there are none.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        Self::with_limits(settings, Limits::new(settings))
    }

    /// As [`Client::new`], with limits of the caller's.
    ///
    /// # Errors
    ///
    /// As [`Client::new`].
    pub fn with_limits(settings: &Settings, limits: Limits) -> Result<Self, Error> {
        let targets = &settings.vendordata_dynamic_targets;
        let authorities = if targets.iter().any(|target| needs_tls(target)) {
            certificates::load(&settings.vendordata_dynamic_ssl_certfile)?
        } else {
            Vec::new()
        };
        Ok(Self {
            agent: agent(&authorities, &limits),
            limits,
        })
    }
}

/// Whether a target, `NAME@URL`, is asked over TLS.
fn needs_tls(target: &str) -> bool {
    target
        .split_once('@')
        .and_then(|(_, url)| url.get(..6))
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
}

fn agent(authorities: &[Certificate<'static>], limits: &Limits) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(authorities))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        // requests would take proxies from the environment: a variable meant for downloads
        // would then send user data to a third party.
        .proxy(None)
        .http_status_as_error(false)
        // A service may close a connection after any answer, and a question sent into the
        // closing is lost. A few targets are not worth that.
        .max_idle_connections(0)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(limits.connect)
        .timeout_per_read(limits.read)
        .timeout_global(Some(limits.total))
        .build()
        .new_agent()
}

impl VendorDataService for Client {
    /// Asks one target as Nova does: `POST` with Nova's three headers, redirects within the
    /// target's origin followed with the same body.
    ///
    /// # Errors
    ///
    /// As the trait says. A status other than 2xx, a redirect to another origin and an
    /// answer that is not UTF-8 are failures. The reason shows scheme, host and port of the
    /// target; the rest of its URL may be secret.
    fn ask(&mut self, request: &VendorDataRequest) -> Result<String, VendorDataFailure> {
        let url: Uri = request
            .url
            .parse()
            .map_err(|_| failure("the target's URL cannot be used"))?;
        let origin = Origin::of(&url)
            .ok_or_else(|| failure("the target's URL is not an `http` or `https` one"))?;
        self.exchange(url, request)
            .map_err(|reason| failure(format!("`{origin}`: {reason}")))
    }
}

impl Client {
    fn exchange(&self, mut url: Uri, request: &VendorDataRequest) -> Result<String, String> {
        if self.limits.read == Some(Duration::ZERO) {
            // requests refuses a time-out of 0, so no target of Nova's answers then either.
            return Err("a read time-out of 0 leaves no time for an answer".to_owned());
        }
        let start = Instant::now();
        let mut left = None;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.post(&url, request, left)?;
            let status = response.status();
            if status.is_success() {
                return self.text(response);
            }
            if !is_redirect(status) {
                return Err(format!("HTTP status {}", status.as_u16()));
            }
            let location = response.headers().get(LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            let location = location
                .ok_or_else(|| format!("HTTP status {} without a location", status.as_u16()))?;
            url =
                redirected(&url, location).ok_or("a redirect to another place is not followed")?;
            left = Some(self.limits.total.saturating_sub(start.elapsed()));
        }
        Err(format!("more than {MAX_REDIRECTS} redirects"))
    }

    /// Sends the question; `left` is what a redirect has left of the total time.
    fn post(
        &self,
        url: &Uri,
        request: &VendorDataRequest,
        left: Option<Duration>,
    ) -> Result<Response<Body>, String> {
        let mut question = self
            .agent
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "openstack-nova-vendordata");
        if let Some(credentials) = credentials(url) {
            question = question.header(AUTHORIZATION, credentials);
        }
        if left.is_some() {
            question = question.config().timeout_global(left).build();
        }
        question
            .send(request.body.expose().as_str())
            .map_err(|error| exchange(&error, &self.limits))
    }

    fn text(&self, mut response: Response<Body>) -> Result<String, String> {
        let bytes = response
            .body_mut()
            .with_config()
            .limit(self.limits.answer_bytes)
            .read_to_vec()
            .map_err(|error| exchange(&error, &self.limits))?;
        String::from_utf8(bytes).map_err(|_| "the answer is not UTF-8 text".to_owned())
    }
}

/// The statuses that keystoneauth1 follows (`keystoneauth1/session.py`,
/// `_REDIRECT_STATUSES`).
fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 305 | 307 | 308)
}
