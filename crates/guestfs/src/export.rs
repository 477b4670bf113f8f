//! The staged volume, served to the appliance over NBD on a private socket.
//!
//! The NBD protocol, `doc/proto.md` of the `nbd` project: the fixed newstyle handshake with one export, and simple replies. All numbers are big-endian.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use christen_block::BlockDevice;

const GREETING: &[u8; 8] = b"NBDMAGIC";
const OPTION_MAGIC: &[u8; 8] = b"IHAVEOPT";
const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const REPLY_MAGIC: u32 = 0x6744_6698;

/// Handshake flags: fixed newstyle, and no zeros after the export's data.
const FIXED_NEWSTYLE: u16 = 1;
const NO_ZEROES: u16 = 2;

const OPTION_EXPORT_NAME: u32 = 1;
const OPTION_ABORT: u32 = 2;
const OPTION_INFO: u32 = 6;
const OPTION_GO: u32 = 7;

const REPLY_ACK: u32 = 1;
const REPLY_INFO: u32 = 3;
const REPLY_UNSUPPORTED: u32 = 0x8000_0001;
const INFO_EXPORT: u16 = 0;

/// Transmission flags: the flags are there, and flush is understood.
const TRANSMISSION: u16 = 1 | 4;

const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;

const EIO: u32 = 5;
const EINVAL: u32 = 22;

/// The most that one request may ask for: what the protocol tells clients to count on.
const REQUEST_BYTES: u32 = 32 << 20;
/// No option that is of use here is longer.
const OPTION_BYTES: u32 = 4096;

/// A volume that is being served.
#[derive(Debug)]
pub(crate) struct Export {
    directory: PathBuf,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Export {
    /// Serves `device` until this is dropped.
    pub(crate) fn start(device: Arc<dyn BlockDevice>) -> io::Result<Self> {
        let directory = private_directory()?;
        let listener = match UnixListener::bind(directory.join("socket")) {
            Ok(listener) => listener,
            Err(error) => {
                // The directory is empty and ours; if it stays, it is no more than that.
                let _ = fs::remove_dir(&directory);
                return Err(error);
            }
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let server = thread::spawn(move || {
            let mut clients = Vec::new();
            for client in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(client) = client else { break };
                let device = Arc::clone(&device);
                // QEMU looks at the export once before it opens it, so there is more than one connection; how one ends is its client's affair.
                clients.push(thread::spawn(move || drop(serve(client, &*device))));
            }
        });
        Ok(Self {
            directory,
            stop,
            server: Some(server),
        })
    }

    /// Where the socket is.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    /// The directory that holds the socket and nobody else can enter.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the server, which looks at the flag.
        let _ = UnixStream::connect(self.socket());
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Makes a directory that nobody else can enter; a socket's path is short (108 bytes), so it does not stand beside the image.
fn private_directory() -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let name = format!("christen-{:016x}", u64::from_be_bytes(random));
    let directory = std::env::temp_dir().join(name);
    fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}

/// Serves one client to its end.
fn serve(mut client: UnixStream, device: &dyn BlockDevice) -> io::Result<()> {
    client.write_all(&[&GREETING[..], OPTION_MAGIC].concat())?;
    client.write_all(&(FIXED_NEWSTYLE | NO_ZEROES).to_be_bytes())?;
    let client_flags = u32::from_be_bytes(take(&mut client)?);
    let no_zeroes = client_flags & u32::from(NO_ZEROES) != 0;
    if negotiate(&mut client, device, no_zeroes)? {
        transmit(&mut client, device)?;
    }
    Ok(())
}

/// Answers options until the client chooses the export; `false` if it went away.
fn negotiate(
    client: &mut UnixStream,
    device: &dyn BlockDevice,
    no_zeroes: bool,
) -> io::Result<bool> {
    loop {
        if take::<8>(client)? != *OPTION_MAGIC {
            return Ok(false);
        }
        let option = u32::from_be_bytes(take(client)?);
        let length = u32::from_be_bytes(take(client)?);
        if length > OPTION_BYTES {
            return Ok(false);
        }
        let mut data = vec![0; length as usize];
        client.read_exact(&mut data)?;
        match option {
            OPTION_EXPORT_NAME => {
                let mut answer = size_and_flags(device);
                if !no_zeroes {
                    answer.extend_from_slice(&[0; 124]);
                }
                client.write_all(&answer)?;
                return Ok(true);
            }
            OPTION_INFO | OPTION_GO => {
                let mut information = INFO_EXPORT.to_be_bytes().to_vec();
                information.extend(size_and_flags(device));
                answer_option(client, option, REPLY_INFO, &information)?;
                answer_option(client, option, REPLY_ACK, &[])?;
                if option == OPTION_GO {
                    return Ok(true);
                }
            }
            OPTION_ABORT => {
                answer_option(client, option, REPLY_ACK, &[])?;
                return Ok(false);
            }
            _ => answer_option(client, option, REPLY_UNSUPPORTED, &[])?,
        }
    }
}

fn size_and_flags(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = device.length().to_be_bytes().to_vec();
    bytes.extend_from_slice(&TRANSMISSION.to_be_bytes());
    bytes
}

fn answer_option(client: &mut UnixStream, option: u32, kind: u32, data: &[u8]) -> io::Result<()> {
    let mut answer = OPTION_REPLY_MAGIC.to_be_bytes().to_vec();
    answer.extend_from_slice(&option.to_be_bytes());
    answer.extend_from_slice(&kind.to_be_bytes());
    // Nothing that is answered here is longer than a few bytes.
    answer.extend_from_slice(&(data.len() as u32).to_be_bytes());
    answer.extend_from_slice(data);
    client.write_all(&answer)
}

/// Answers requests until the client disconnects.
fn transmit(client: &mut UnixStream, device: &dyn BlockDevice) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        if u32::from_be_bytes(take(client)?) != REQUEST_MAGIC {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let _flags: [u8; 2] = take(client)?;
        let kind = u16::from_be_bytes(take(client)?);
        let cookie: [u8; 8] = take(client)?;
        let offset = u64::from_be_bytes(take(client)?);
        let length = u32::from_be_bytes(take(client)?);
        if kind == DISCONNECT {
            return Ok(());
        }
        if length > REQUEST_BYTES {
            // What follows cannot be told from a request.
            return Err(io::ErrorKind::InvalidData.into());
        }
        buffer.clear();
        let done = match kind {
            READ => {
                buffer.resize(length as usize, 0);
                device.read_at(&mut buffer, offset).map_err(|_| EIO)
            }
            WRITE => {
                buffer.resize(length as usize, 0);
                client.read_exact(&mut buffer)?;
                let done = device.write_at(&buffer, offset).map_err(|_| EIO);
                buffer.clear();
                done
            }
            // The staged overlay is in memory; the commit is what makes it durable.
            FLUSH => device.flush().map_err(|_| EIO),
            _ => Err(EINVAL),
        };
        let mut head = REPLY_MAGIC.to_be_bytes().to_vec();
        head.extend_from_slice(&done.err().unwrap_or(0).to_be_bytes());
        head.extend_from_slice(&cookie);
        client.write_all(&head)?;
        if done.is_ok() {
            client.write_all(&buffer)?;
        }
    }
}

fn take<const N: usize>(client: &mut UnixStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}
