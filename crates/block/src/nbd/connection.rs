//! A socket with a limit of time.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::uri::Place;
use super::wire::Bounded;

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    timeout: Duration,
    deadline: Instant,
}

#[derive(Debug)]
enum Socket {
    Local(UnixStream),
    Internet(TcpStream),
}

impl Connection {
    pub(super) fn open(place: &Place, timeout: Duration) -> io::Result<Self> {
        let socket = match place {
            Place::Local { socket } => Socket::Local(UnixStream::connect(socket)?),
            Place::Internet { host, port } => {
                let stream = internet(host, *port, timeout)?;
                // A request is written in two parts, and waited for.
                stream.set_nodelay(true)?;
                Socket::Internet(stream)
            }
        };
        Ok(Self {
            socket,
            timeout,
            deadline: Instant::now() + timeout,
        })
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the NBD server did not answer in time",
            ));
        }
        Ok(Some(left))
    }
}

/// Connects to the first address of a host that answers.
fn internet(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Bounded for Connection {
    fn begin(&mut self) {
        self.deadline = Instant::now() + self.timeout;
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left()?;
        match &mut self.socket {
            Socket::Local(stream) => {
                stream.set_read_timeout(left)?;
                stream.read(buffer)
            }
            Socket::Internet(stream) => {
                stream.set_read_timeout(left)?;
                stream.read(buffer)
            }
        }
    }
}

impl Write for Connection {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let left = self.left()?;
        match &mut self.socket {
            Socket::Local(stream) => {
                stream.set_write_timeout(left)?;
                stream.write(data)
            }
            Socket::Internet(stream) => {
                stream.set_write_timeout(left)?;
                stream.write(data)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
