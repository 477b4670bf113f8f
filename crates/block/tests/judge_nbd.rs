//! Exports of `qemu-nbd`, `qemu-storage-daemon` and `nbdkit`, read and changed; `qemu-img` says what became of the images.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use christen_block::nbd::{NbdExport, Options, Uri};
use christen_block::{Access, BlockDevice, Error};
use christen_testkit::{TempDir, tools};

const LENGTH: u64 = 8 << 20;

const WRITING: Options = Options {
    access: Access::Write,
    timeout: Duration::from_secs(60),
};

const READING: Options = Options {
    access: Access::Read,
    ..WRITING
};

/// A server, ended when dropped.
struct Server {
    child: Child,
    socket: PathBuf,
}

impl Server {
    fn start(command: &mut Command, socket: &Path) -> Self {
        let mut server = Self {
            child: command.stdin(Stdio::null()).spawn().unwrap(),
            socket: socket.into(),
        };
        let limit = Instant::now() + Duration::from_secs(60);
        // The socket is there as soon as it is bound, and a moment later the server listens.
        while !socket.exists() {
            assert!(
                server.child.try_wait().unwrap().is_none(),
                "{command:?} ended"
            );
            assert!(Instant::now() < limit, "{command:?} does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// Starts one that serves an image until it is ended, to one client at a time.
    fn qemu(image: &Path, format: &str, more: &[&str]) -> Option<Self> {
        let program = tools::require("qemu-nbd")?;
        let socket = image.with_extension("socket");
        let mut command = Command::new(program);
        command.args([
            "--persistent",
            "--format",
            format,
            "--export-name",
            "disk",
            "--socket",
        ]);
        command.arg(&socket).args(more).arg(image);
        Some(Self::start(&mut command, &socket))
    }

    fn open(&self, export: &str, options: &Options) -> Result<NbdExport, Error> {
        let uri = format!("nbd+unix:///{export}?socket={}", self.socket.display());
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            match NbdExport::open(&Uri::parse(&uri).unwrap(), options) {
                Err(Error::Io { source, .. })
                    if source.kind() == io::ErrorKind::ConnectionRefused
                        && Instant::now() < limit =>
                {
                    thread::sleep(Duration::from_millis(5));
                }
                outcome => return outcome,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, so that it closes its image.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

fn create(directory: &TempDir, format: &str) -> Option<PathBuf> {
    let image = directory.join(format!("image.{format}"));
    let program = tools::require("qemu-img")?;
    tools::run(
        Command::new(program)
            .args(["create", "-q", "-f", format])
            .arg(&image)
            .arg(LENGTH.to_string()),
    );
    Some(image)
}

/// Changes an export in many places and says the same to a file.
fn change(export: &NbdExport, raw: &fs::File, seed: u64) {
    let mut number = seed;
    let mut next = |below: u64| {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (number >> 33) % below
    };
    for round in 0..60_u64 {
        let length = 1 + next(if round % 10 == 0 { 1 << 20 } else { 5000 });
        let offset = next(LENGTH - length);
        let data = vec![1 + (round % 250) as u8; length as usize];
        export.write_at(&data, offset).unwrap();
        raw.write_all_at(&data, offset).unwrap();
        let offset = next(LENGTH - length);
        let (mut seen, mut expected) = (vec![0; length as usize], vec![0; length as usize]);
        export.read_at(&mut seen, offset).unwrap();
        raw.read_exact_at(&mut expected, offset).unwrap();
        assert_eq!(seen, expected);
    }
    export.flush().unwrap();
}

fn model(directory: &TempDir) -> (PathBuf, fs::File) {
    let path = directory.join("model");
    let file = fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    file.set_len(LENGTH).unwrap();
    (path, file)
}

fn compare(model: &Path, image: &Path, format: &str) {
    let Some(program) = tools::require("qemu-img") else {
        return;
    };
    tools::run(
        Command::new(program)
            .args(["compare", "-q", "-f", "raw", "-F", format])
            .args([model, image]),
    );
}

#[test]
fn images_that_qemu_opens_are_changed() {
    for format in ["vmdk", "vhdx", "qcow2", "vdi"] {
        let directory = TempDir::new();
        let Some(image) = create(&directory, format) else {
            return;
        };
        let (path, raw) = model(&directory);
        let Some(server) = Server::qemu(&image, format, &[]) else {
            return;
        };
        for seed in 0..2 {
            let export = server.open("disk", &WRITING).unwrap();
            assert_eq!(export.length(), LENGTH);
            change(&export, &raw, seed);
        }
        drop(server);
        compare(&path, &image, format);
    }
}

#[test]
fn the_storage_daemon_is_a_server_too() {
    let Some(daemon) = tools::require("qemu-storage-daemon") else {
        return;
    };
    let directory = TempDir::new();
    let Some(image) = create(&directory, "qcow2") else {
        return;
    };
    let (path, raw) = model(&directory);
    let socket = directory.join("socket");
    let server = Server::start(
        Command::new(daemon)
            .arg("--blockdev")
            .arg(format!(
                "driver=file,node-name=file,filename={}",
                image.display()
            ))
            .args(["--blockdev", "driver=qcow2,node-name=disk,file=file"])
            .arg("--nbd-server")
            .arg(format!("addr.type=unix,addr.path={}", socket.display()))
            .args([
                "--export",
                "type=nbd,id=export,node-name=disk,name=disk,writable=on",
            ]),
        &socket,
    );
    let export = server.open("disk", &WRITING).unwrap();
    change(&export, &raw, 3);
    drop(export);
    drop(server);
    compare(&path, &image, "qcow2");
}

/// A server that refuses what is no multiple of 4096 bytes, or is longer than 64 KiB.
#[test]
fn sizes_of_requests_are_kept() {
    let Some(nbdkit) = tools::require("nbdkit") else {
        return;
    };
    let directory = TempDir::new();
    let (path, raw) = model(&directory);
    let served = directory.join("served");
    fs::copy(&path, &served).unwrap();
    let socket = directory.join("socket");
    let server = Server::start(
        Command::new(nbdkit)
            .args(["--foreground", "--unix"])
            .arg(&socket)
            .args(["--filter=blocksize-policy", "file"])
            .arg(&served)
            .args([
                "blocksize-minimum=4096",
                "blocksize-preferred=4096",
                "blocksize-maximum=65536",
                "blocksize-error-policy=error",
            ]),
        &socket,
    );
    let export = server.open("", &WRITING).unwrap();
    change(&export, &raw, 4);
    drop(export);
    drop(server);
    compare(&path, &served, "raw");
}

#[test]
fn what_a_server_does_not_allow() {
    let directory = TempDir::new();
    let Some(image) = create(&directory, "qcow2") else {
        return;
    };
    let Some(server) = Server::qemu(&image, "qcow2", &["--read-only"]) else {
        return;
    };
    assert!(matches!(
        server.open("disk", &WRITING),
        Err(Error::ReadOnly)
    ));
    let export = server.open("disk", &READING).unwrap();
    assert!(matches!(export.write_at(&[1], 0), Err(Error::ReadOnly)));
    assert!(export.read_at(&mut [0; 2], LENGTH - 1).is_err());
    drop(export);
    let error = server.open("other", &READING).unwrap_err().to_string();
    assert!(error.contains("does not have"), "{error}");
}

/// Puts a TCP socket before a server's own.
fn proxy(socket: &Path) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = socket.to_owned();
    thread::spawn(move || {
        let (mut outside, _) = listener.accept().unwrap();
        let mut inside = UnixStream::connect(socket).unwrap();
        let (mut outside_copy, mut inside_copy) =
            (outside.try_clone().unwrap(), inside.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut outside_copy, &mut inside_copy));
        let _ = io::copy(&mut inside, &mut outside);
    });
    port
}

#[test]
fn a_server_is_reached_by_tcp() {
    let directory = TempDir::new();
    let Some(image) = create(&directory, "qcow2") else {
        return;
    };
    let (path, raw) = model(&directory);
    let Some(server) = Server::qemu(&image, "qcow2", &["--shared", "2"]) else {
        return;
    };
    // Waits until it listens.
    drop(server.open("disk", &READING).unwrap());
    let uri = format!("nbd://127.0.0.1:{}/disk", proxy(&server.socket));
    let export = NbdExport::open(&Uri::parse(&uri).unwrap(), &WRITING).unwrap();
    change(&export, &raw, 5);
    drop(export);
    drop(server);
    compare(&path, &image, "qcow2");
}

#[test]
fn a_server_that_says_nothing_or_little_is_left() {
    let directory = TempDir::new();
    let impatient = Options {
        timeout: Duration::from_millis(300),
        ..READING
    };
    for drip in [false, true] {
        let socket = directory.join(if drip { "drip" } else { "silence" });
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for byte in b"NBDMAGICIHAVEOPT\0\x03".iter().cycle() {
                thread::sleep(Duration::from_millis(50));
                if drip && stream.write_all(&[*byte]).is_err() {
                    return;
                }
            }
        });
        let uri = format!("nbd+unix:///x?socket={}", socket.display());
        let start = Instant::now();
        let error = NbdExport::open(&Uri::parse(&uri).unwrap(), &impatient).unwrap_err();
        let Error::Io { source, .. } = error else {
            panic!("{error}");
        };
        let late = matches!(
            source.kind(),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
        );
        assert!(late, "{source}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    // One that ends in the midst of everything.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
        stream.write_all(b"NBDMAGIC").unwrap();
        let _ = stream.read(&mut [0; 1]);
    });
    let uri = Uri::parse(&format!("nbd://localhost:{port}/")).unwrap();
    assert!(NbdExport::open(&uri, &impatient).is_err());
}
