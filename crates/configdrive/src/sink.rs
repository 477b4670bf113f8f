//! Where the bytes of an image go.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Small writes are gathered up to this size: large enough that the cost of a system call does not matter, small
/// enough that the pages of a new process's buffer, each of which costs a fault, do not either.
const BUFFER_BYTES: usize = 64 << 10;
/// Runs of zeros from this length on become holes of a file. Shorter ones would cost a system call each and save
/// a few filesystem blocks.
const HOLE_BYTES: u64 = 64 << 10;
/// Files of the host from this length on are copied by the kernel; shorter ones are gathered.
const KERNEL_COPY_BYTES: u64 = 256 << 10;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Takes the bytes of an image in order.
pub trait Sink: Write {
    /// Takes a run of zeros.
    ///
    /// # Errors
    ///
    /// Those of the writes that it takes.
    fn write_zeros(&mut self, count: u64) -> io::Result<()> {
        let mut left = count;
        while left > 0 {
            let step = left.min(ZEROS.len() as u64) as usize;
            self.write_all(&ZEROS[..step])?;
            left -= step as u64;
        }
        Ok(())
    }

    /// Takes up to `length` bytes of a file of the host, from where it stands, and returns how many there were.
    ///
    /// # Errors
    ///
    /// Those of the reads and writes that it takes.
    fn write_file(&mut self, file: &mut File, length: u64) -> io::Result<u64> {
        io::copy(&mut file.take(length), self)
    }

    /// Is told, before the first byte, how many there will be.
    fn expect(&mut self, size_bytes: u64) {
        let _ = size_bytes;
    }
}

impl Sink for Vec<u8> {
    fn write_zeros(&mut self, count: u64) -> io::Result<()> {
        let count = usize::try_from(count).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.resize(self.len() + count, 0);
        Ok(())
    }

    fn expect(&mut self, size_bytes: u64) {
        // A failure shows at the first write, as it would have without this.
        let _ = usize::try_from(size_bytes).map(|size| self.try_reserve_exact(size));
    }
}

/// What a [`FileSink`] writes to; a [`File`] outside of tests.
pub trait Medium: Write + Seek {
    /// Sets the length, in bytes.
    ///
    /// # Errors
    ///
    /// As [`File::set_len`].
    fn set_length(&mut self, length: u64) -> io::Result<()>;

    /// Copies up to `length` bytes of a file to the current position and returns how many there were.
    ///
    /// # Errors
    ///
    /// Those of the reads and writes that it takes.
    fn copy_file(&mut self, file: &mut File, length: u64) -> io::Result<u64>;
}

impl Medium for File {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn copy_file(&mut self, file: &mut File, length: u64) -> io::Result<u64> {
        // From file to file: the standard library uses `copy_file_range` where there is one.
        io::copy(&mut file.take(length), self)
    }
}

/// A file, written in few and large writes, with holes for long runs of zeros.
///
/// [`FileSink::finish`] must be called at the end; what is still gathered is lost otherwise.
#[derive(Debug)]
pub struct FileSink<M: Medium = File> {
    medium: M,
    buffer: Vec<u8>,
    /// Bytes handed to the medium, holes included.
    position: u64,
    /// Whether the last thing handed over was a hole, which only a change of length makes real.
    ends_in_hole: bool,
    holes: bool,
}

impl<M: Medium> FileSink<M> {
    /// Writes to a new and empty regular file.
    pub fn new(medium: M) -> Self {
        Self {
            medium,
            buffer: Vec::new(),
            position: 0,
            ends_in_hole: false,
            holes: true,
        }
    }

    /// Writes to something that has content already, such as a block device: zeros are written out.
    pub fn without_holes(medium: M) -> Self {
        Self {
            holes: false,
            ..Self::new(medium)
        }
    }

    /// Writes what is gathered, sets the file's length and returns it. Nothing is synced.
    ///
    /// # Errors
    ///
    /// Those of the writes that it takes.
    pub fn finish(mut self) -> io::Result<M> {
        self.empty()?;
        if self.ends_in_hole {
            self.medium.set_length(self.position)?;
        }
        self.medium.flush()?;
        Ok(self.medium)
    }

    fn empty(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.medium.write_all(&self.buffer)?;
            self.position += self.buffer.len() as u64;
            self.buffer.clear();
            self.ends_in_hole = false;
        }
        Ok(())
    }
}

impl<M: Medium> Write for FileSink<M> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.empty()?;
        }
        if bytes.len() >= BUFFER_BYTES {
            self.medium.write_all(bytes)?;
            self.position += bytes.len() as u64;
            self.ends_in_hole = false;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.empty()?;
        self.medium.flush()
    }
}

impl<M: Medium> Sink for FileSink<M> {
    fn write_zeros(&mut self, count: u64) -> io::Result<()> {
        if self.holes && count >= HOLE_BYTES {
            self.empty()?;
            let step = i64::try_from(count).map_err(|_| io::ErrorKind::FileTooLarge)?;
            self.medium.seek(SeekFrom::Current(step))?;
            self.position += count;
            self.ends_in_hole = true;
            return Ok(());
        }
        let mut left = count;
        while left > 0 {
            let step = left.min(ZEROS.len() as u64) as usize;
            self.write_all(&ZEROS[..step])?;
            left -= step as u64;
        }
        Ok(())
    }

    fn write_file(&mut self, file: &mut File, length: u64) -> io::Result<u64> {
        if length < KERNEL_COPY_BYTES {
            self.buffer.reserve(length as usize);
            return io::copy(&mut file.take(length), &mut Gather(self));
        }
        self.empty()?;
        let copied = self.medium.copy_file(file, length)?;
        self.position += copied;
        self.ends_in_hole &= copied == 0;
        Ok(copied)
    }

    fn expect(&mut self, size_bytes: u64) {
        self.buffer
            .reserve_exact(size_bytes.min(BUFFER_BYTES as u64) as usize);
    }
}

/// Keeps [`io::copy`] from seeing the file behind a sink.
struct Gather<'a, M: Medium>(&'a mut FileSink<M>);

impl<M: Medium> Write for Gather<'_, M> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Any writer, such as standard output or a socket, in few and large writes.
///
/// [`WriterSink::finish`] must be called at the end; what is still gathered is lost otherwise.
#[derive(Debug)]
pub struct WriterSink<W: Write> {
    writer: W,
    buffer: Vec<u8>,
}

impl<W: Write> WriterSink<W> {
    /// Writes to a writer.
    pub fn new(writer: W) -> Self {
        Self {
            writer,
            buffer: Vec::new(),
        }
    }

    /// Writes what is gathered and returns the writer.
    ///
    /// # Errors
    ///
    /// Those of the writes that it takes.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.writer)
    }

    fn empty(&mut self) -> io::Result<()> {
        self.writer.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write> Write for WriterSink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.empty()?;
        }
        if bytes.len() >= BUFFER_BYTES {
            self.writer.write_all(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.empty()?;
        self.writer.flush()
    }
}

impl<W: Write> Sink for WriterSink<W> {
    fn expect(&mut self, size_bytes: u64) {
        self.buffer
            .reserve_exact(size_bytes.min(BUFFER_BYTES as u64) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the calls that a file would get, and keeps the bytes.
    #[derive(Debug, Default)]
    struct Recorder {
        bytes: io::Cursor<Vec<u8>>,
        writes: usize,
        seeks: usize,
    }

    impl Write for Recorder {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            self.bytes.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Recorder {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.seeks += 1;
            self.bytes.seek(to)
        }
    }

    impl Medium for Recorder {
        fn set_length(&mut self, length: u64) -> io::Result<()> {
            self.bytes.get_mut().resize(length as usize, 0);
            Ok(())
        }

        fn copy_file(&mut self, file: &mut File, length: u64) -> io::Result<u64> {
            self.writes += 1;
            io::copy(&mut file.take(length), &mut self.bytes)
        }
    }

    #[test]
    fn small_writes_are_gathered() {
        let mut sink = FileSink::new(Recorder::default());
        for _ in 0..1000 {
            sink.write_all(b"abcdefgh").unwrap();
            sink.write_zeros(504).unwrap();
        }
        let recorder = sink.finish().unwrap();
        assert_eq!(
            (recorder.writes, recorder.bytes.get_ref().len()),
            (512_000_usize.div_ceil(BUFFER_BYTES), 512_000)
        );
    }

    #[test]
    fn long_zeros_become_holes_and_the_last_one_is_real() {
        let mut sink = FileSink::new(Recorder::default());
        sink.write_all(b"a").unwrap();
        sink.write_zeros(HOLE_BYTES).unwrap();
        sink.write_all(b"b").unwrap();
        sink.write_zeros(HOLE_BYTES).unwrap();
        let recorder = sink.finish().unwrap();
        assert_eq!((recorder.writes, recorder.seeks), (2, 2));
        let mut expected = vec![0; 2 * HOLE_BYTES as usize + 2];
        expected[0] = b'a';
        expected[HOLE_BYTES as usize + 1] = b'b';
        assert!(recorder.bytes.get_ref() == &expected);
    }

    #[test]
    fn a_device_gets_its_zeros_written() {
        let mut sink = FileSink::without_holes(Recorder::default());
        sink.write_zeros(3 * BUFFER_BYTES as u64).unwrap();
        let recorder = sink.finish().unwrap();
        assert_eq!(
            (recorder.seeks, recorder.bytes.get_ref().len()),
            (0, 3 * BUFFER_BYTES)
        );
    }
}
