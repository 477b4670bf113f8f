//! A host in memory that writes down what is done to it, loses what was not synced, and fails when it is told to.
//!
//! What the tests of the commit put under [`christen_block`]'s overlay in place of the host's files.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use christen_block::commit::RedoPlace;
use christen_block::commit::recover::{Recovered, recover};
use christen_block::host::{HostDirectory, HostFile, Identity, Kind, NewFile};

/// What is written whole or not at all, in bytes.
pub const SECTOR: usize = 512;
/// The name of the redo file.
pub const REDO: &str = ".image.christen-redo";
/// The name of the image.
pub const IMAGE: &str = "image";
/// The name of the image's data file.
pub const DATA: &str = "data";

/// A page of a hole.
const PAGE: [u8; 4096] = [0; 4096];

/// Something that a loss of power may undo.
#[derive(Debug, Clone)]
enum Step {
    Write(usize, u64, Vec<u8>),
    Length(usize, u64),
    Sync(usize),
    Link(OsString, usize),
    Unlink(OsString),
    SyncDirectory,
}

/// What is on the disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    files: Vec<Vec<u8>>,
    names: BTreeMap<OsString, usize>,
}

impl Disk {
    /// Makes a disk with these files, all of them synced.
    pub fn with(files: &[(&str, Vec<u8>)]) -> Self {
        Self {
            files: files.iter().map(|(_, bytes)| bytes.clone()).collect(),
            names: (0..files.len())
                .map(|index| (files[index].0.into(), index))
                .collect(),
        }
    }

    /// Returns what a file holds; `None` if there is no such file.
    pub fn file(&self, name: &str) -> Option<&Vec<u8>> {
        Some(&self.files[*self.names.get(OsStr::new(name))?])
    }

    /// Puts a file there, as somebody else would.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.push(bytes);
        self.names.insert(name.into(), self.files.len() - 1);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Write(file, offset, data) => {
                let bytes = &mut self.files[*file];
                let end = *offset as usize + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset as usize..end].copy_from_slice(data);
            }
            Step::Length(file, length) => self.files[*file].resize(*length as usize, 0),
            Step::Link(name, file) => {
                self.names.insert(name.clone(), *file);
            }
            Step::Unlink(name) => {
                self.names.remove(name);
            }
            Step::Sync(_) | Step::SyncDirectory => {}
        }
    }
}

#[derive(Debug)]
struct Inner {
    now: Disk,
    first: Disk,
    steps: Vec<Step>,
    operations: u64,
    fail_at: Option<u64>,
    failure: io::ErrorKind,
}

/// The host.
#[derive(Clone)]
pub struct Host(Arc<Mutex<Inner>>);

impl fmt::Debug for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Host")
    }
}

/// One of its files, open.
#[derive(Debug)]
pub struct File {
    host: Host,
    index: usize,
}

/// A small generator: the same seed, the same losses.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// Returns a number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index as u64 + 1) as usize);
        }
    }
}

impl Host {
    /// Makes a host with this disk.
    pub fn new(disk: Disk) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            first: disk.clone(),
            now: disk,
            steps: Vec::new(),
            operations: 0,
            fail_at: None,
            failure: io::ErrorKind::Other,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Fails the operation of that number, counted from 0, once.
    pub fn fail(&self, at: u64, failure: io::ErrorKind) {
        let mut inner = self.lock();
        inner.operations = 0;
        inner.fail_at = Some(at);
        inner.failure = failure;
    }

    /// Returns how many operations there were since [`fail`](Self::fail).
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Returns whether the failure has happened.
    pub fn has_failed(&self) -> bool {
        self.lock().fail_at.is_none()
    }

    /// Returns what would be on the disk if everything were synced.
    pub fn disk(&self) -> Disk {
        self.lock().now.clone()
    }

    /// Returns how many writes, changes of length, of names, and syncs there were: the places to cut.
    pub fn steps(&self) -> usize {
        self.lock().steps.len()
    }

    fn begin(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.lock();
        let operation = inner.operations;
        inner.operations += 1;
        if inner.fail_at == Some(operation) {
            inner.fail_at = None;
            return Err(inner.failure.into());
        }
        Ok(inner)
    }

    fn step(&self, step: Step) -> io::Result<()> {
        let mut inner = self.begin()?;
        inner.now.step(&step);
        inner.steps.push(step);
        Ok(())
    }

    /// Returns the disk as it may be after a loss of power before the step of that number. With a `random`, each sector written
    /// since the last sync of its file, each length and each name is there or not, and in any order.
    pub fn cut(&self, at: usize, random: Option<&mut Random>) -> Disk {
        let inner = self.lock();
        let mut disk = inner.first.clone();
        while disk.files.len() < inner.now.files.len() {
            disk.files.push(Vec::new());
        }
        let done = &inner.steps[..at];
        let Some(random) = random else {
            done.iter().for_each(|step| disk.step(step));
            return disk;
        };
        let last_sync = |wanted: &dyn Fn(&Step) -> bool| {
            done.iter().rposition(wanted).map_or(0, |index| index + 1)
        };
        let directory = last_sync(&|step| matches!(step, Step::SyncDirectory));
        let mut loose = Vec::new();
        let mut names = Vec::new();
        for (index, step) in done.iter().enumerate() {
            match step {
                Step::Write(file, ..) | Step::Length(file, _) => {
                    let synced = last_sync(&|step| matches!(step, Step::Sync(one) if one == file));
                    if index < synced {
                        disk.step(step);
                    } else {
                        loose.push(step);
                    }
                }
                _ if index < directory => disk.step(step),
                _ => names.push(step),
            }
        }
        // Names change in the order that the filesystem's journal has them.
        let kept = random.below(names.len() as u64 + 1) as usize;
        names[..kept].iter().for_each(|step| disk.step(step));
        let mut pieces = Vec::new();
        for step in loose {
            if let Step::Write(file, offset, data) = step {
                let mut start = 0;
                while start < data.len() {
                    let place = *offset as usize + start;
                    let end = data.len().min(start + SECTOR - place % SECTOR);
                    pieces.push(Step::Write(*file, place as u64, data[start..end].to_vec()));
                    start = end;
                }
            } else {
                pieces.push(step.clone());
            }
        }
        random.shuffle(&mut pieces);
        let share = random.below(5);
        for piece in &pieces {
            let kept = random.below(4) < share;
            // A sector that was written behind an end which was lost is not to be seen.
            let within = match piece {
                Step::Write(file, offset, data) => {
                    *offset as usize + data.len() <= disk.files[*file].len()
                }
                _ => true,
            };
            if kept && within {
                disk.step(piece);
            }
        }
        disk
    }

    /// Opens a file.
    pub fn file(&self, name: &str) -> Option<Arc<File>> {
        let index = *self.lock().now.names.get(OsStr::new(name))?;
        Some(Arc::new(File {
            host: self.clone(),
            index,
        }))
    }

    /// Returns where redo files are to be made.
    pub fn place(&self) -> RedoPlace {
        RedoPlace {
            directory: Arc::new(self.clone()),
            name: REDO.into(),
            path: REDO.into(),
        }
    }

    /// Runs a recovery as a later process would.
    ///
    /// # Errors
    ///
    /// The recovery's.
    ///
    /// # Panics
    ///
    /// Panics when there is no image.
    pub fn recover(&self) -> christen_block::Result<Recovered> {
        let image: Arc<dyn HostFile> = self.file(IMAGE).unwrap();
        let mut other = |path: &Path| -> christen_block::Result<Arc<dyn HostFile>> {
            Ok(self.file(path.to_str().unwrap()).unwrap())
        };
        recover(&self.place(), &image, &mut other, &mut |_| {})
    }
}

impl HostFile for File {
    fn identity(&self) -> Identity {
        Identity {
            kind: Kind::Regular,
            device: 1,
            inode: self.index as u64 + 10,
            owner: 0,
            mode: 0o600,
            links: 1,
        }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.host.begin()?.now.files[self.index].len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let inner = self.host.begin()?;
        let bytes = &inner.now.files[self.index];
        let start = bytes.len().min(offset as usize);
        let count = buffer.len().min(bytes.len() - start);
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.host
            .step(Step::Write(self.index, offset, data.to_vec()))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.host.step(Step::Length(self.index, length))
    }

    fn sync(&self) -> io::Result<()> {
        self.host.step(Step::Sync(self.index))
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<(u64, u64)>> {
        let inner = self.host.begin()?;
        let bytes = &inner.now.files[self.index];
        // By whole pages first: images are mostly holes.
        let mut at = bytes.len().min(offset as usize);
        while bytes.len() - at >= PAGE.len() && bytes[at..at + PAGE.len()] == PAGE {
            at += PAGE.len();
        }
        let data = (at as u64..bytes.len() as u64).find(|at| bytes[*at as usize] != 0);
        Ok(data.map(|start| (start, bytes.len() as u64)))
    }

    fn reserve(&self, _: u64, _: u64) -> io::Result<()> {
        self.host.begin().map(drop)
    }

    fn available(&self) -> io::Result<Option<u64>> {
        self.host.begin().map(|_| None)
    }
}

impl NewFile for File {
    fn link(&self, name: &OsStr) -> io::Result<()> {
        if self.host.lock().now.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.host.step(Step::Link(name.into(), self.index))
    }

    fn as_file(self: Arc<Self>) -> Arc<dyn HostFile> {
        self
    }
}

impl HostDirectory for Host {
    fn create(&self, _: Option<u32>) -> io::Result<Arc<dyn NewFile>> {
        let mut inner = self.begin()?;
        inner.now.files.push(Vec::new());
        let index = inner.now.files.len() - 1;
        drop(inner);
        let host = self.clone();
        Ok(Arc::new(File { host, index }))
    }

    fn open(&self, name: &OsStr) -> io::Result<Arc<dyn HostFile>> {
        drop(self.begin()?);
        let file = self.file(name.to_str().unwrap());
        Ok(file.ok_or(io::ErrorKind::NotFound)?)
    }

    fn unlink(&self, name: &OsStr) -> io::Result<()> {
        if !self.lock().now.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.step(Step::Unlink(name.into()))
    }

    fn sync(&self) -> io::Result<()> {
        self.step(Step::SyncDirectory)
    }
}
