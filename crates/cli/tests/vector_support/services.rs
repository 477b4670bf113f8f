//! The vendor data services of a vector.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use christen_instance::Value;

use crate::support::{items, member, members};

/// The services of a vector on one port of this machine. The recorded addresses cannot be
/// served without root (`http://127.0.0.1:1/`) or at all (`https://h.example/s`): each is
/// replaced by `http://127.0.0.1:PORT/N`, which no document shows.
pub(crate) struct Services {
    /// Recorded addresses, by N.
    urls: Vec<String>,
    pub(crate) port: u16,
    /// N and the body of each request.
    requests: Receiver<(usize, String)>,
}

impl Services {
    pub(crate) fn start(services: &Value) -> Self {
        let services = members(services).to_vec();
        let urls = services.iter().map(|(url, _)| url.clone()).collect();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let (sender, requests) = mpsc::channel();
        // It ends with the process: the port is of no use to anybody else.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("it is listening");
                let (number, body) = receive(&stream);
                answer(stream, &services[number].1);
                // The test may be over.
                let _ = sender.send((number, body));
            }
        });
        Self {
            urls,
            port,
            requests,
        }
    }

    /// Replaces the recorded addresses in an option.
    pub(super) fn put_into(&self, option: &mut Value) {
        match option {
            Value::Array(items) => items.iter_mut().for_each(|item| self.put_into(item)),
            Value::String(text) => {
                for (number, url) in self.urls.iter().enumerate() {
                    if let Some(name) = text.strip_suffix(&format!("@{url}")) {
                        *text = format!("{name}@http://127.0.0.1:{}/{number}", self.port);
                        return;
                    }
                }
            }
            _ => {}
        }
    }

    /// Nova asks anew for each version; we ask each target once.
    #[track_caller]
    pub(crate) fn were_asked_as_recorded(&self, name: &str, drive: &Value) {
        let mut seen = BTreeSet::new();
        let recorded: Vec<(&str, &str)> = items(member(drive, "vendordata_requests"))
            .iter()
            .map(|request| {
                let body = member(member(request, "body"), "text");
                let url = member(request, "url").as_str().expect("a text");
                (url, body.as_str().expect("a text"))
            })
            .filter(|request| seen.insert(*request))
            .collect();
        let asked: Vec<_> = self.requests.try_iter().collect();
        let asked: Vec<(&str, &str)> = asked
            .iter()
            .map(|(number, body)| (self.urls[*number].as_str(), body.as_str()))
            .collect();
        assert_eq!(asked, recorded, "{name}");
    }
}

/// Reads a request `POST /N HTTP/1.1`, and returns N and the body.
fn receive(stream: &TcpStream) -> (usize, String) {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("the client writes");
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let number = head[0]
        .strip_prefix("POST /")
        .and_then(|rest| rest.strip_suffix(" HTTP/1.1"))
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{head:?}"));
    let length = head
        .iter()
        .find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then_some(value)
        })
        .and_then(|length| length.parse().ok())
        .unwrap_or_else(|| panic!("{head:?}"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the client writes");
    (number, String::from_utf8(body).expect("JSON is UTF-8"))
}

/// Answers as the vector says; an unreachable service hangs up.
fn answer(mut stream: TcpStream, service: &Value) {
    let answer = match (
        service.get("text").and_then(Value::as_str),
        service.get("status"),
    ) {
        (Some(text), _) => format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{text}",
            text.len()
        ),
        (None, Some(Value::Integer(status))) => format!(
            "HTTP/1.1 {status} as recorded\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
        _ => return,
    };
    // The client may have seen enough.
    let _ = stream.write_all(answer.as_bytes());
}
