//! The client against real servers, good and bad.
//!
//! Each way of failing has its own words, and none takes longer than its limit.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use christen_instance::inputs::{VendorDataRequest, VendorDataService};
use christen_instance::{Secret, Settings};
use christen_testkit::temp::TempDir;
use christen_vendordata::{Client, Error, Limits};

mod support;

use support::{Authority, Server, Stream, drip, say, wait};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

fn milliseconds(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// Long enough for the busiest machine: these end no test that passes.
fn limits() -> Limits {
    Limits {
        connect: Some(milliseconds(8000)),
        read: Some(milliseconds(8000)),
        total: milliseconds(9000),
        answer_bytes: 1000,
    }
}

/// Short enough to wait for.
fn short_limits() -> Limits {
    Limits {
        read: Some(milliseconds(700)),
        total: milliseconds(1500),
        ..limits()
    }
}

fn settings(url: &str, ca_file: &str) -> Settings {
    Settings {
        vendordata_dynamic_targets: vec![format!("name@{url}")],
        vendordata_dynamic_ssl_certfile: ca_file.to_owned(),
        ..Settings::default()
    }
}

/// Asks a target, and holds the client to its total time.
fn ask_with(url: &str, ca_file: &str, limits: Limits) -> Result<String, String> {
    let longest = limits.total + milliseconds(1000);
    let mut client =
        Client::with_limits(&settings(url, ca_file), limits).expect("good certificates");
    let start = Instant::now();
    let answer = client.ask(&VendorDataRequest {
        url: url.to_owned(),
        body: Secret::new("{\"user-data\": \"czNjcmV0\"}".to_owned()),
    });
    let taken = start.elapsed();
    assert!(taken < longest, "{taken:?}");
    if let Err(failure) = &answer {
        assert!(!failure.reason.contains("czNjcmV0"), "{failure}");
        assert!(!failure.reason.contains('\n'), "{failure}");
    }
    answer.map_err(|failure| failure.reason)
}

fn ask(url: &str) -> Result<String, String> {
    ask_with(url, "", limits())
}

/// What a plain server's behaviour leads to; the origin before a reason is left out.
#[track_caller]
fn check(respond: impl Fn(&mut dyn Stream) + Send + Sync + 'static, expected: Result<&str, &str>) {
    check_with(limits(), respond, expected);
}

#[track_caller]
fn check_with(
    limits: Limits,
    respond: impl Fn(&mut dyn Stream) + Send + Sync + 'static,
    expected: Result<&str, &str>,
) {
    let server = Server::http(respond);
    let answer = ask_with(&server.url("/"), "", limits);
    let prefix = format!("`http://localhost:{}`: ", server.port());
    let answer = answer.as_deref().map_err(|reason| {
        reason
            .strip_prefix(&prefix)
            .unwrap_or_else(|| panic!("no origin in {reason}"))
    });
    assert_eq!(answer, expected);
}

#[test]
fn the_request_is_novas() {
    let server = Server::http(|stream| {
        say(
            stream,
            &format!("{OK}Content-Length: 8\r\n\r\n{{\"a\": 1}}"),
        );
    });
    assert_eq!(
        ask(&server.url("/path?query=1")).as_deref(),
        Ok("{\"a\": 1}")
    );
    let request = server.request();
    let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /path?query=1 HTTP/1.1"));
    let mut headers: Vec<String> = lines
        .map(|line| line.split_once(": ").expect("a header"))
        .map(|(name, value)| format!("{}: {value}", name.to_lowercase()))
        .collect();
    headers.sort();
    assert_eq!(
        headers,
        [
            "accept: application/json".to_owned(),
            "content-length: 25".to_owned(),
            "content-type: application/json".to_owned(),
            format!("host: localhost:{}", server.port()),
            "user-agent: openstack-nova-vendordata".to_owned(),
        ]
    );
    assert_eq!(body, "{\"user-data\": \"czNjcmV0\"}");
    assert_eq!(server.count(), 0);
}

#[test]
fn one_client_asks_several_times() {
    let server = Server::http(|stream| say(stream, &format!("{OK}Content-Length: 2\r\n\r\n{{}}")));
    let url = server.url("/");
    let mut client = Client::new(&settings(&url, "")).expect("a client");
    for _ in 0..3 {
        let answer = client.ask(&VendorDataRequest {
            url: url.clone(),
            body: Secret::new("{}".to_owned()),
        });
        assert_eq!(answer.as_deref(), Ok("{}"));
    }
}

#[test]
fn answers_that_are_good() {
    check(
        |stream| say(stream, &format!("{OK}Content-Length: 0\r\n\r\n")),
        Ok(""),
    );
    check(
        |stream| say(stream, "HTTP/1.1 204 No Content\r\n\r\n"),
        Ok(""),
    );
    check(
        |stream| say(stream, &format!("{OK}Connection: close\r\n\r\n[1]")),
        Ok("[1]"),
    );
    check(
        |stream| say(stream, "HTTP/1.0 200 OK\r\n\r\n[2]"),
        Ok("[2]"),
    );
    check(
        |stream| {
            say(
                stream,
                &format!("{OK}Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n"),
            );
        },
        Ok("[1]"),
    );
    let exactly = "x".repeat(1000);
    check(
        move |stream| {
            say(
                stream,
                &format!("{OK}Content-Length: 1000\r\n\r\n{exactly}"),
            )
        },
        Ok(&"x".repeat(1000)),
    );
}

#[test]
fn statuses() {
    for (status, reason) in [
        ("404 Not Found", "HTTP status 404"),
        ("500 Internal Server Error", "HTTP status 500"),
        ("401 Unauthorized", "HTTP status 401"),
        ("300 Multiple Choices", "HTTP status 300"),
        ("304 Not Modified", "HTTP status 304"),
        ("302 Found", "HTTP status 302 without a location"),
    ] {
        check(
            move |stream| {
                say(
                    stream,
                    &format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"),
                )
            },
            Err(reason),
        );
    }
}

#[test]
fn a_redirect_within_the_origin_repeats_the_post() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::http(move |stream| {
            say(
                stream,
                &format!("HTTP/1.1 {status} Go\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"),
            );
        });
        // The server sends everyone on, so the second request is the one to look at.
        let reason = ask(&server.url("/here")).expect_err("a circle");
        assert!(reason.ends_with(": more than 30 redirects"), "{reason}");
        assert!(server.request().starts_with("POST /here HTTP/1.1"));
        let second = server.request();
        assert!(second.starts_with("POST /there HTTP/1.1"), "{second}");
        assert!(
            second.ends_with("{\"user-data\": \"czNjcmV0\"}"),
            "{second}"
        );
        assert_eq!(server.count(), 29);
    }
}

#[test]
fn a_redirect_to_another_origin_is_not_followed() {
    let other = Server::http(|stream| say(stream, &format!("{OK}Content-Length: 2\r\n\r\n{{}}")));
    let there = other.url("/");
    check(
        move |stream| {
            say(
                stream,
                &format!("HTTP/1.1 307 Go\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n"),
            );
        },
        Err("a redirect to another place is not followed"),
    );
    assert_eq!(other.count(), 0);
}

#[test]
fn slow_redirects_have_one_time_for_all() {
    let server = Server::http(|stream| {
        thread::sleep(milliseconds(300));
        say(
            stream,
            "HTTP/1.1 307 Go\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        );
    });
    let reason = ask_with(&server.url("/"), "", short_limits()).expect_err("too slow");
    assert!(
        reason.ends_with(": no whole answer within 1.5 s"),
        "{reason}"
    );
}

const SILENT: Result<&str, &str> = Err("nothing was heard for 0.7 s");
const TOTAL: Result<&str, &str> = Err("no whole answer within 1.5 s");

#[test]
fn silence_instead_of_an_answer() {
    check_with(short_limits(), wait, SILENT);
}

#[test]
fn silence_within_the_answer() {
    check_with(
        short_limits(),
        |stream| {
            say(stream, &format!("{OK}Content-Length: 100\r\n\r\n["));
            wait(stream);
        },
        SILENT,
    );
}

#[test]
fn a_head_in_drips() {
    check_with(
        short_limits(),
        |stream| {
            say(stream, "HTTP/1.1 200 OK\r\nX: ");
            drip(stream, "x", milliseconds(50));
        },
        TOTAL,
    );
}

#[test]
fn interim_answers_without_end() {
    check_with(
        short_limits(),
        |stream| drip(stream, "HTTP/1.1 100 Continue\r\n\r\n", milliseconds(50)),
        TOTAL,
    );
}

#[test]
fn a_body_in_drips() {
    check_with(
        short_limits(),
        |stream| {
            say(stream, &format!("{OK}Content-Length: 900\r\n\r\n"));
            drip(stream, " ", milliseconds(50));
        },
        TOTAL,
    );
}

#[test]
fn chunks_in_drips() {
    check_with(
        short_limits(),
        |stream| {
            say(stream, &format!("{OK}Transfer-Encoding: chunked\r\n\r\n"));
            drip(stream, "1\r\n \r\n", milliseconds(50));
        },
        TOTAL,
    );
}

const NOT_HTTP: &str = "the answer is not HTTP: http parse fail: invalid HTTP version";

#[test]
fn answers_that_are_too_large() {
    let large = Err("the answer has more than 1000 bytes");
    check(
        |stream| {
            say(stream, &format!("{OK}Content-Length: 1001\r\n\r\n"));
            say(stream, &" ".repeat(1001));
        },
        large,
    );
    check(
        |stream| {
            say(
                stream,
                &format!("{OK}Content-Length: 99999999999999\r\n\r\n"),
            );
            drip(stream, &" ".repeat(100), Duration::ZERO);
        },
        large,
    );
    check(
        |stream| {
            say(stream, &format!("{OK}Transfer-Encoding: chunked\r\n\r\n"));
            drip(stream, "1\r\n \r\n", Duration::ZERO);
        },
        large,
    );
    check(
        |stream| {
            say(stream, &format!("{OK}\r\n"));
            drip(stream, " ", Duration::ZERO);
        },
        large,
    );
    check(
        |stream| {
            say(stream, "HTTP/1.1 200 OK\r\n");
            drip(stream, "X: x\r\n", Duration::ZERO);
        },
        Err("the answer is not HTTP: http parse resulted in too many headers"),
    );
    check(
        |stream| {
            say(stream, "HTTP/1.1 200 OK\r\nX: ");
            drip(stream, &"x".repeat(1000), Duration::ZERO);
        },
        Err("the answer's head is too large"),
    );
}

#[test]
fn answers_that_are_broken() {
    check(
        |stream| {
            say(
                stream,
                &format!("{OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            )
        },
        Err("the answer is not HTTP: chunk length cannot be read as a number"),
    );
    check(
        |stream| {
            say(
                stream,
                &format!("{OK}Transfer-Encoding: chunked\r\n\r\n1\r\n[]\r\n"),
            )
        },
        Err("the answer is not HTTP: chunk expected crlf as next character"),
    );
    check(
        |stream| {
            say(
                stream,
                &format!("{OK}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"),
            )
        },
        Err("Peer disconnected"),
    );
    check(
        |stream| say(stream, &format!("{OK}Content-Length: 3\r\n\r\n[]")),
        Err("Peer disconnected"),
    );
    check(|_| {}, Err("Peer disconnected"));
    check(
        |stream| say(stream, "HTTP/1.1 200"),
        Err("Peer disconnected"),
    );
    check(
        |stream| say(stream, "SSH-2.0-OpenSSH_9.2\r\n"),
        Err(NOT_HTTP),
    );
    check(
        |stream| {
            say(stream, &format!("{OK}Content-Length: 1\r\n\r\n"));
            let _ = stream.write_all(b"\xff");
        },
        Err("the answer is not UTF-8 text"),
    );
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let reason = ask(&format!("http://127.0.0.1:{port}/")).expect_err("nobody there");
    assert_eq!(
        reason,
        format!("`http://127.0.0.1:{port}`: Connection refused (os error 111)")
    );
}

#[test]
fn targets_that_are_no_urls() {
    for (url, expected) in [
        ("", "the target's URL cannot be used"),
        ("http://", "the target's URL cannot be used"),
        ("http://a b/?s3cret", "the target's URL cannot be used"),
        ("/path", "the target's URL is not an `http` or `https` one"),
        ("file:///etc/passwd", "the target's URL cannot be used"),
        (
            "gopher://s3cret@host/",
            "the target's URL is not an `http` or `https` one",
        ),
    ] {
        assert_eq!(ask(url), Err(expected.to_owned()), "{url}");
    }
}

#[test]
fn a_failure_does_not_show_what_may_be_secret_in_a_url() {
    let server = Server::http(|stream| say(stream, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"));
    let port = server.port();
    let url = format!("http://user:s3cret@localhost:{port}/s3cret?token=s3cret#s3cret");
    let reason = ask(&url).expect_err("a refusal");
    assert_eq!(
        reason,
        format!("`http://localhost:{port}`: HTTP status 403")
    );
    let request = server.request().to_lowercase();
    // base64 of user:s3cret, in small letters as the rest.
    assert!(
        request.contains("authorization: basic dxnlcjpzm2nyzxq=\r\n"),
        "{request}"
    );
}

#[test]
fn a_read_timeout_of_zero_leaves_no_time() {
    let limits = Limits {
        read: Some(Duration::ZERO),
        ..limits()
    };
    let answer = ask_with("http://localhost:1/", "", limits);
    assert_eq!(
        answer,
        Err("`http://localhost:1`: a read time-out of 0 leaves no time for an answer".to_owned())
    );
}

#[test]
fn without_timeouts_the_total_still_ends_it() {
    let server = Server::http(wait);
    let limits = Limits {
        connect: None,
        read: None,
        ..short_limits()
    };
    let reason = ask_with(&server.url("/"), "", limits).expect_err("silence");
    assert!(
        reason.ends_with(": no whole answer within 1.5 s"),
        "{reason}"
    );
}

#[test]
fn the_limits_come_from_the_settings() {
    let settings = Settings {
        vendordata_dynamic_connect_timeout_seconds: Some(7),
        vendordata_dynamic_read_timeout_seconds: None,
        ..Settings::default()
    };
    let expected = Limits {
        connect: Some(Duration::from_secs(7)),
        read: None,
        total: Duration::from_secs(60),
        answer_bytes: 1 << 20,
    };
    assert_eq!(Limits::new(&settings), expected);
}

fn write_pem(directory: &Path, authority: &Authority) -> String {
    let path = directory.join("ca.pem");
    std::fs::write(&path, authority.pem()).expect("a file of certificates");
    path.to_str().expect("a path of text").to_owned()
}

fn friendly(stream: &mut dyn Stream) {
    say(stream, &format!("{OK}Content-Length: 4\r\n\r\n\"ok\""));
}

#[test]
fn a_service_with_a_certificate_of_the_ca_file() {
    let directory = TempDir::new();
    let authority = Authority::new("ours");
    let file = write_pem(directory.path(), &authority);
    let server = Server::https(&authority, "localhost", friendly);
    assert_eq!(
        ask_with(&server.url("/"), &file, limits()).as_deref(),
        Ok("\"ok\"")
    );
    assert!(server.request().starts_with("POST / HTTP/1.1\r\n"));
}

#[test]
fn a_service_with_a_certificate_of_nobody_we_trust() {
    let directory = TempDir::new();
    let file = write_pem(directory.path(), &Authority::new("another"));
    let server = Server::https(&Authority::new("ours"), "localhost", friendly);
    let reason = ask_with(&server.url("/"), &file, limits()).expect_err("an unknown authority");
    assert!(
        reason.contains("invalid peer certificate: UnknownIssuer"),
        "{reason}"
    );
    assert_eq!(server.count(), 0);
}

#[test]
fn a_service_with_a_certificate_for_another_host() {
    let directory = TempDir::new();
    let authority = Authority::new("ours");
    let file = write_pem(directory.path(), &authority);
    let server = Server::https(&authority, "other.test", friendly);
    let reason = ask_with(&server.url("/"), &file, limits()).expect_err("another's certificate");
    assert!(reason.contains("invalid peer certificate"), "{reason}");
    assert!(reason.contains("localhost"), "{reason}");
    assert_eq!(server.count(), 0);
}

#[test]
fn a_scheme_in_capitals_is_still_checked() {
    let directory = TempDir::new();
    let file = write_pem(directory.path(), &Authority::new("another"));
    let server = Server::https(&Authority::new("ours"), "localhost", friendly);
    let url = format!("HTTPS://localhost:{}/", server.port());
    let reason = ask_with(&url, &file, limits()).expect_err("an unknown authority");
    assert!(reason.contains("UnknownIssuer"), "{reason}");
}

#[test]
fn a_service_that_does_not_speak_tls() {
    let directory = TempDir::new();
    let file = write_pem(directory.path(), &Authority::new("another"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        wait(&mut stream);
        say(&mut stream, "HTTP/1.1 400 Bad Request\r\n\r\n");
        wait(&mut stream);
    });
    let reason =
        ask_with(&format!("https://localhost:{port}/"), &file, limits()).expect_err("no TLS there");
    assert!(reason.contains("received corrupt message"), "{reason}");
}

#[test]
fn a_service_that_never_finishes_the_handshake() {
    let directory = TempDir::new();
    let file = write_pem(directory.path(), &Authority::new("another"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let limits = Limits {
        connect: Some(milliseconds(300)),
        ..limits()
    };
    // The kernel takes the connection; nobody ever answers on it.
    let reason =
        ask_with(&format!("https://localhost:{port}/"), &file, limits).expect_err("no handshake");
    assert_eq!(
        reason,
        format!("`https://localhost:{port}`: no connection within 0.3 s")
    );
    drop(listener);
}

#[test]
fn ca_files_that_cannot_be_used() {
    let directory = TempDir::new();
    let path = |name: &str| {
        let path = directory.path().join(name);
        path.to_str().expect("a path of text").to_owned()
    };
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    std::fs::write(path("empty"), "no certificate\n").expect("a file");
    std::fs::write(path("broken"), broken).expect("a file");
    let error = |name: &str| {
        Client::new(&settings("https://localhost/", &path(name))).expect_err("no certificates")
    };
    assert!(matches!(error("missing"), Error::CaFile { .. }));
    assert!(matches!(error("broken"), Error::CaFile { .. }));
    assert!(matches!(error("empty"), Error::CaFileEmpty { .. }));
    // Nobody asks over TLS, so nobody looks.
    assert!(Client::new(&settings("http://localhost/", &path("missing"))).is_ok());
}

/// The test below runs this one in a process of its own, with its own environment.
#[test]
fn the_systems_certificates_in_a_child() {
    let Some(url) = std::env::var_os("CHRISTEN_TEST_URL") else {
        return;
    };
    let url = url.to_str().expect("a URL of text");
    assert_eq!(ask(url).as_deref(), Ok("\"ok\""));
}

/// Proxies of the environment point to where nobody listens.
#[test]
fn the_systems_certificates_are_used_and_the_environments_proxies_are_not() {
    let directory = TempDir::new();
    let authority = Authority::new("ours");
    let file = write_pem(directory.path(), &authority);
    let server = Server::https(&authority, "localhost", friendly);
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_systems_certificates_in_a_child"])
        .env("CHRISTEN_TEST_URL", server.url("/"))
        .env("SSL_CERT_FILE", file)
        .env("https_proxy", "http://localhost:1/")
        .env("HTTPS_PROXY", "http://localhost:1/")
        .env("ALL_PROXY", "http://localhost:1/")
        .output()
        .expect("a child process");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(server.request().starts_with("POST / HTTP/1.1\r\n"));
}
