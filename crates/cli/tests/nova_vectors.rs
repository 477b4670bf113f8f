//! The whole command line against what Nova 34.0.0 made: each recorded drive of
//! `crates/instance/tests/golden`, written as a tree, as ISO 9660 and as VFAT, and read back
//! by other people's programs.

mod mkisofs_support;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use base64::Engine as _;
use christen_instance::{Value, json};
use christen_testkit::{TempDir, tools};
use mkisofs_support::{contents, contents_of_tree};
use support::{christen_in, fail, items, member, members, put, succeed};

/// Keys of an input that set the stage and are no part of the description.
fn is_stage(key: &str) -> bool {
    matches!(key, "config" | "now" | "lookup") || key.starts_with("vendordata_")
}

/// A vector on disk, and the arguments that say the same to `christen`.
struct Case {
    directory: TempDir,
    /// Options by `--set`.
    set: Vec<String>,
    time: String,
}

impl Case {
    fn new(golden: &Value, services: Option<&Services>) -> Self {
        let directory = TempDir::new();
        let input = member(golden, "input");
        let described = members(input)
            .iter()
            .filter(|(key, _)| !is_stage(key))
            .cloned();
        let description = Value::Object(described.collect());
        put(&directory, "instance.json", json::encode(&description));

        let mut options: Vec<(String, Value)> = Vec::new();
        if let Some(config) = input.get("config") {
            options.extend(members(config).iter().cloned());
        }
        if let Some(services) = services {
            for (_, value) in &mut options {
                services.put_into(value);
            }
        }
        if let Some(vendordata) = input.get("vendordata_static") {
            let path = put(&directory, "vendor.json", json::encode(vendordata));
            options.push((
                "api.vendordata_jsonfile_path".to_owned(),
                path.to_str().expect("UTF-8").into(),
            ));
        }
        put(&directory, "christen.toml", toml(&options));

        // Every draw of Nova's was recorded with bytes counting up from 0. There is one of
        // 512 bytes for each `meta_data.json` but the oldest, and not a byte more is drawn.
        let draw: Vec<u8> = (0..512_u32).map(|byte| (byte % 256) as u8).collect();
        put(&directory, "random", draw.repeat(10));

        let now = input.get("now").and_then(Value::as_str);
        let pins = member(golden, "pins");
        let now = now.or_else(|| member(pins, "now").as_str());
        Self {
            directory,
            set: options.iter().map(assignment).collect(),
            time: format!("{}Z", now.expect("a time")),
        }
    }

    /// The command with options on its command line.
    fn by_set(&self, arguments: &str) -> Command {
        let mut command = self.command(arguments);
        for assignment in &self.set {
            command.args(["--set", assignment]);
        }
        command
    }

    /// The command with options in a file.
    fn by_settings(&self, arguments: &str) -> Command {
        let mut command = self.command(arguments);
        command.args(["--settings", "christen.toml"]);
        command
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = christen_in(&self.directory, arguments);
        command
            .args(["--like", "nova", "--random-source", "random"])
            .args(["--time", &self.time]);
        command
    }
}

/// One option for `--set`, which takes blanks and quotes as they are.
fn assignment((name, value): &(String, Value)) -> String {
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            items.join(",")
        }
        other => panic!("an option of an unexpected type: {other:?}"),
    };
    format!("{name}={value}")
}

/// The options in TOML, whose texts and lists are written as JSON writes them.
fn toml(options: &[(String, Value)]) -> String {
    let lines = options
        .iter()
        .map(|(name, value)| format!("{name} = {}\n", json::encode(value)));
    lines.collect()
}

/// The files that Nova wrote.
fn recorded(drive: &Value) -> BTreeMap<String, Vec<u8>> {
    let files = members(member(drive, "files")).iter();
    files
        .map(|(path, content)| {
            let text = content.get("text").and_then(Value::as_str);
            let bytes = text.map(|text| text.as_bytes().to_vec());
            let bytes = bytes.unwrap_or_else(|| {
                let encoded = member(content, "base64").as_str().expect("a text");
                base64::engine::general_purpose::STANDARD
                    .decode(encoded)
                    .expect("base64")
            });
            (path.clone(), bytes)
        })
        .collect()
}

#[track_caller]
fn same(name: &str, found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>(),
        "{name}"
    );
    for (path, content) in expected {
        // Lossy text is for reading a failure; the bytes decide.
        assert_eq!(
            String::from_utf8_lossy(&found[path]),
            String::from_utf8_lossy(content),
            "{name}: {path}"
        );
        assert!(found[path] == *content, "{name}: {path}");
    }
}

/// Takes a VFAT image apart with mtools.
fn mtools_contents(image: &Path) -> BTreeMap<String, Vec<u8>> {
    let directory = TempDir::new();
    tools::run(
        Command::new("mcopy")
            .env("LC_ALL", "C.UTF-8")
            .args(["-s", "-n", "-Q", "-i"])
            .arg(image)
            .arg("::*")
            .arg(directory.path()),
    );
    contents_of_tree(&directory)
}

fn check(name: &str, golden: &Value) {
    let drive = member(golden, "config_drive");
    let input = member(golden, "input");
    let services = input.get("vendordata_services").map(Services::start);
    let case = Case::new(golden, services.as_ref());
    if let Some(error) = drive.get("error") {
        assert_eq!(error.as_str(), Some("ConnectFailure"), "{name}");
        let port = services.as_ref().expect("its service fails").port;
        let message = format!(
            "error: cannot make the documents\n  \
             the vendor data service `a` did not answer\n  \
             `http://127.0.0.1:{port}`: Peer disconnected\n\
             hint: set `api.vendordata_dynamic_failure_fatal=false` to go on without a service\n"
        );
        for command in [
            &mut case.by_set("drive build instance.json --output drive"),
            &mut case.by_settings("render instance.json --tree drive"),
        ] {
            fail(command, 1, &message);
            assert!(!case.directory.join("drive").exists(), "{name}");
        }
        return;
    }
    let expected = recorded(drive);
    let order: Vec<_> = items(member(drive, "write_order"))
        .iter()
        .map(|path| path.as_str().expect("a path"))
        .collect();

    let ended = succeed(&mut case.by_set("render instance.json --list"));
    assert_eq!(ended.text().lines().collect::<Vec<_>>(), order, "{name}");

    succeed(&mut case.by_set("render instance.json --tree tree"));
    same(
        name,
        &contents_of_tree(&case.directory.join("tree")),
        &expected,
    );
    if let Some(services) = &services {
        services.were_asked_as_recorded(name, drive);
    }

    succeed(&mut case.by_settings("drive build instance.json --no-sync --output iso"));
    same(name, &contents(&case.directory.join("iso")), &expected);

    succeed(&mut case.by_set("drive build instance.json --no-sync --format vfat -o vfat"));
    same(
        name,
        &mtools_contents(&case.directory.join("vfat")),
        &expected,
    );
}

/// The vectors that have a drive, and those of them whose number in order leaves `rest`.
fn vectors(rest: usize) -> Vec<(String, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../instance/tests/golden");
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the vectors are there")
        .map(|entry| entry.expect("they can be listed").path())
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .collect();
    paths.sort();
    let drives: Vec<_> = paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("it can be read");
            (
                path.file_name()
                    .expect("it is a file")
                    .to_string_lossy()
                    .into_owned(),
                json::parse(&text).expect("it is JSON"),
            )
        })
        .filter(|(_, golden)| golden.get("config_drive").is_some())
        .collect();
    assert_eq!(drives.len(), 31, "a vector is missing or new");
    let every_second = drives.into_iter().skip(rest).step_by(2);
    every_second.collect()
}

fn check_all(rest: usize) {
    for tool in ["bsdtar", "mcopy"] {
        if tools::require(tool).is_none() {
            return;
        }
    }
    for (name, golden) in vectors(rest) {
        check(&name, &golden);
    }
}

// Two tests, because the harness runs tests beside one another.

#[test]
fn even_drives_are_those_of_nova() {
    check_all(0);
}

#[test]
fn odd_drives_are_those_of_nova() {
    check_all(1);
}

/// The services of a vector on one port of this machine. The recorded addresses cannot be
/// served without root (`http://127.0.0.1:1/`) or at all (`https://h.example/s`): each is
/// replaced by `http://127.0.0.1:PORT/N`, which no document shows.
struct Services {
    /// Recorded addresses, by N.
    urls: Vec<String>,
    port: u16,
    /// N and the body of each request.
    requests: Receiver<(usize, String)>,
}

impl Services {
    fn start(services: &Value) -> Self {
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
    fn put_into(&self, option: &mut Value) {
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
    fn were_asked_as_recorded(&self, name: &str, drive: &Value) {
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
