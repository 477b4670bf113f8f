//! Vendor data services that answer as a case says, on a port of this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use christen_instance::Value;

/// One service a path: `/0`, `/1`, …; it ends with the test process.
pub(crate) struct Services {
    address: SocketAddr,
    /// Status and body.
    answers: Arc<Mutex<Vec<(u16, String)>>>,
}

impl Services {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let answers = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&answers);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that hangs up concerns its own test only.
                let _ = answer(&stream, &shared);
            }
        });
        Self { address, answers }
    }

    /// Makes of `NAME@URL` a target that is answered here as `vendordata_services` says.
    pub(crate) fn redirect(&mut self, target: &str, case: &Value) -> String {
        let Some((name, url)) = target.split_once('@') else {
            return target.to_owned();
        };
        let services = case.get("vendordata_services").expect("the case has some");
        let Some(service) = services.get(url) else {
            return target.to_owned();
        };
        let answer = match (service.get("text"), service.get("status")) {
            (Some(text), _) => (200, text.as_str().expect("a text").to_owned()),
            (None, Some(Value::Integer(status))) => {
                (status.parse().expect("a status"), String::new())
            }
            // Nobody listens at port 1, as the case wants.
            _ => return target.to_owned(),
        };
        let mut answers = self.answers.lock().expect("nobody panics with it");
        answers.push(answer);
        format!("{name}@http://{}/{}", self.address, answers.len() - 1)
    }
}

fn answer(mut stream: &TcpStream, answers: &Mutex<Vec<(u16, String)>>) -> std::io::Result<()> {
    let mut request = BufReader::new(stream);
    let mut line = String::new();
    request.read_line(&mut line)?;
    let number = line.split(['/', ' ']).nth(2).unwrap_or_default().parse();
    let mut length = 0;
    loop {
        let mut header = String::new();
        request.read_line(&mut header)?;
        let header = header.trim_end().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    std::io::copy(&mut request.take(length), &mut std::io::sink())?;
    let (status, body) = match number {
        Ok(number) => {
            let answers = answers.lock().expect("nobody panics with it");
            let found: Option<&(u16, String)> = answers.get::<usize>(number);
            found.cloned().unwrap_or((404, String::new()))
        }
        Err(_) => (404, String::new()),
    };
    write!(
        stream,
        "HTTP/1.1 {status} -\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
