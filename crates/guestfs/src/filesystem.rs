//! The trait, a command or two for each operation.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use christen_block::BlockDevice;
use christen_vfs::{
    Attributes, Entry, Error, FileId, FileSystem, Kind, Limits, NewFile, NewKind, Statistics,
    Times, Timestamp,
};

use crate::error::Error as Appliance;
use crate::export::Export;
use crate::files::Files;
use crate::process::Guestfish;
use crate::quote::{argument, program};

/// What one `pread` may ask for; the appliance's messages hold 4 MiB.
const READ_BYTES: usize = 1 << 20;
/// The names of one directory take no more: a quarter of a million of the longest. Each costs a question to the appliance besides.
const LIST_BYTES: u64 = 64 << 20;
/// The attribute is one argument of a program, in base64, and Linux takes arguments of 128 KiB (`MAX_ARG_STRLEN`).
const ATTRIBUTE_BYTES: usize = 64 << 10;
/// Where the appliance has the volume; only its shell sees this.
const SYSROOT: &[u8] = b"/sysroot";
/// Taken away by Linux on each write, and put back here since the trait keeps it.
const CAPABILITY: &[u8] = b"security.capability";

const TYPE_MASK: u32 = 0o170_000;

/// How a volume is opened. Mounting a filesystem for writing replays its journal or log.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Whether the filesystem may be changed.
    pub write: bool,
    /// The subvolume of a btrfs, by its path from the top; `None` for the default one.
    pub subvolume: Option<String>,
    /// Whether the appliance's processor is emulated even where there is a `/dev/kvm`: one that opens may still hang every guest.
    pub emulate: bool,
    /// The moment that changes are stamped with. It is set as the appliance's clock, which then goes on.
    pub now: Timestamp,
}

/// A volume that libguestfs has mounted in its appliance.
#[derive(Debug)]
pub struct GuestFs {
    // Dropped in this order: the appliance must be gone before its disk is.
    guestfish: Guestfish,
    export: Export,
    files: Files,
    options: OpenOptions,
    kind: String,
    root: FileId,
    device: u64,
    block_bytes: u32,
    mounted: bool,
    abandoned: bool,
}

impl GuestFs {
    /// Starts an appliance and mounts `volume`, a device that is one filesystem from its first byte on. Takes ten seconds where the
    /// processor must be emulated.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] with an [`Appliance`](crate::Error) that tells what libguestfs said.
    pub fn open(volume: Arc<dyn BlockDevice>, options: OpenOptions) -> Result<Self, Error> {
        let export = Export::start(volume).map_err(Appliance::Serve)?;
        let mut guestfish = Guestfish::start(options.emulate)?;
        let server = [
            b"server:unix:".as_slice(),
            export.socket().as_os_str().as_encoded_bytes(),
        ]
        .concat();
        let readonly = if options.write { "" } else { " readonly:true" };
        guestfish.run(&format!(
            "add-drive \"\" protocol:nbd {} format:raw{readonly}",
            argument(&server)
        ))?;
        guestfish.launch()?;
        guestfish.run("umask 0")?;
        let kind = guestfish.run("vfs-type /dev/sda")?;
        let mut opened = Self {
            kind: String::from_utf8_lossy(&kind).trim().to_owned(),
            guestfish,
            export,
            files: Files::default(),
            root: FileId::new(0),
            device: 0,
            block_bytes: 4096,
            mounted: false,
            abandoned: false,
            options,
        };
        opened.mount()?;
        let top = opened.stat(b"/")?;
        opened.root = opened.files.note(top.inode, b"/".to_vec());
        opened.device = top.device;
        opened.block_bytes = opened.statistics()?.block_bytes.max(2);
        opened.set_now(opened.options.now);
        Ok(opened)
    }

    /// Returns what libguestfs takes the filesystem for, such as `xfs`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    fn mount(&mut self) -> Result<(), Error> {
        let mut mount_options = String::new();
        if !self.options.write {
            mount_options.push_str("ro");
        }
        if let Some(subvolume) = &self.options.subvolume {
            if subvolume.contains(',') {
                return Err(Error::NotPossible("a subvolume with a comma in its name"));
            }
            if !mount_options.is_empty() {
                mount_options.push(',');
            }
            mount_options.push_str("subvol=");
            mount_options.push_str(subvolume);
        }
        self.guestfish.run(&format!(
            "mount-options {} /dev/sda /",
            argument(mount_options.as_bytes())
        ))?;
        self.mounted = true;
        Ok(())
    }

    fn run(&mut self, command: &str) -> Result<Vec<u8>, Error> {
        if !self.mounted {
            self.mount()?;
        }
        Ok(self.guestfish.run(command)?)
    }

    /// Runs a command that changes something.
    fn change(&mut self, command: &str) -> Result<Vec<u8>, Error> {
        if !self.options.write {
            return Err(Error::ReadOnly);
        }
        if self.abandoned {
            return Err(Error::Abandoned);
        }
        let done = self.run(command);
        if let Err(Error::Io(_) | Error::Corrupt(_)) = done {
            self.abandoned = true;
        }
        done
    }

    /// Runs a program in the appliance on one file. libguestfs's own calls take no value with a NUL (`lsetxattr`) and follow
    /// links where these programs do not (`utimens`).
    fn shell(&mut self, name: &str, arguments: &[&[u8]], path: &[u8]) -> Result<(), Error> {
        let file = [SYSROOT, path].concat();
        let arguments = [arguments, &[&file[..]]].concat();
        for line in program(name, &arguments) {
            self.change(&line)?;
        }
        Ok(())
    }

    fn stat(&mut self, path: &[u8]) -> Result<Stat, Error> {
        let answer = self.run(&format!("lstatns {}", argument(path)))?;
        Stat::parse(&answer).ok_or_else(|| {
            Appliance::Answer {
                command: "lstatns".to_owned(),
            }
            .into()
        })
    }

    fn stat_file(&mut self, file: FileId) -> Result<Stat, Error> {
        let path = self.files.path(file)?.to_vec();
        self.stat(&path)
    }

    fn expect(&mut self, file: FileId, kind: u32, otherwise: Error) -> Result<Vec<u8>, Error> {
        let path = self.files.path(file)?.to_vec();
        if self.stat(&path)?.mode & TYPE_MASK == kind {
            Ok(path)
        } else {
            Err(otherwise)
        }
    }

    /// Finds an entry whose name has been looked at.
    fn find(&mut self, directory: FileId, name: &[u8]) -> Result<Option<FileId>, Error> {
        let path = self.files.entry(directory, name)?;
        match self.stat(&path) {
            Ok(stat) if stat.device != self.device => {
                Err(Error::NotPossible("going into another subvolume"))
            }
            Ok(stat) => Ok(Some(self.files.note(stat.inode, path))),
            Err(Error::NotFound | Error::NameTooLong) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The path of an entry that is not there yet.
    fn free(&mut self, directory: FileId, name: &[u8]) -> Result<Vec<u8>, Error> {
        self.expect(directory, 0o040_000, Error::NotDirectory)?;
        check_name(name, self.limits().name_bytes)?;
        if self.find(directory, name)?.is_some() {
            return Err(Error::Exists);
        }
        self.files.entry(directory, name)
    }

    /// Puts content into a file of the host that guestfish can read.
    fn spool(&mut self, content: &mut dyn io::Read) -> Result<(Vec<u8>, u64), Error> {
        let path = self.export.directory().join("content");
        let mut file = fs::File::create(&path).map_err(Appliance::Serve)?;
        let size = io::copy(content, &mut file).map_err(Error::Content)?;
        Ok((path.into_os_string().into_encoded_bytes(), size))
    }

    /// Does what writes to a file, and gives back the capability that Linux takes away.
    fn write(&mut self, file: FileId, command: &str) -> Result<(), Error> {
        let capability = self.attribute(file, CAPABILITY)?;
        self.change(command)?;
        match capability {
            Some(value) => self.set_attribute(file, CAPABILITY, &value),
            None => Ok(()),
        }
    }
}

impl FileSystem for GuestFs {
    fn root(&self) -> FileId {
        self.root
    }

    fn limits(&self) -> Limits {
        let block = self.block_bytes as usize;
        let (target_bytes, links, attribute_bytes, time_range) = match self.kind.as_str() {
            "xfs" => (
                1023,
                i32::MAX as u32,
                ATTRIBUTE_BYTES,
                (-(1 << 31), 16_299_260_424),
            ),
            // An attribute stands in one node of the tree, and those have 4 KiB at least.
            "btrfs" => (4095, 65_535, 3900, (i64::MIN, i64::MAX)),
            // ext4 keeps the target of a link in one block, and attributes with their names in another.
            _ => (
                (block - 1).min(4095),
                65_000,
                block - 64,
                (-(1 << 31), 15_032_385_535),
            ),
        };
        Limits {
            name_bytes: 255,
            target_bytes,
            // The appliance's calls have signed offsets, and Linux takes none in the last page.
            file_bytes: i64::MAX as u64 & !0xffff,
            links,
            attribute_bytes,
            owners: !matches!(self.kind.as_str(), "vfat" | "ntfs" | "exfat"),
            time_step: 1,
            time_range,
        }
    }

    fn statistics(&mut self) -> Result<Statistics, Error> {
        let answer = self.run("statvfs /")?;
        let fields = Fields(&answer);
        let field = |name: &str| {
            fields.number(name).ok_or_else(|| {
                Error::from(Appliance::Answer {
                    command: "statvfs".to_owned(),
                })
            })
        };
        Ok(Statistics {
            block_bytes: u32::try_from(field("frsize")?).unwrap_or(u32::MAX),
            blocks: field("blocks")?,
            free_blocks: field("bfree")?,
            available_blocks: field("bavail")?,
            files: field("files")?,
            free_files: field("ffree")?,
        })
    }

    fn set_now(&mut self, now: Timestamp) {
        self.options.now = now;
        let date = format!("date -s {}", date(now.seconds, now.nanoseconds));
        // A clock that cannot be set is the appliance's affair; the times that matter are set by name.
        let _ = self.guestfish.run(&format!("debug sh \"{date}\""));
    }

    fn lookup(&mut self, directory: FileId, name: &[u8]) -> Result<Option<FileId>, Error> {
        self.expect(directory, 0o040_000, Error::NotDirectory)?;
        if check_name(name, usize::MAX).is_err() {
            return Ok(None);
        }
        self.find(directory, name)
    }

    fn list(
        &mut self,
        directory: FileId,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let path = self.expect(directory, 0o040_000, Error::NotDirectory)?;
        let list = self.export.directory().join("list");
        self.run(&format!(
            "ls0 {} {}",
            argument(&path),
            argument(list.as_os_str().as_encoded_bytes())
        ))?;
        if fs::metadata(&list).map_err(Appliance::Serve)?.len() > LIST_BYTES {
            return Err(Appliance::Answer {
                command: "ls0".to_owned(),
            }
            .into());
        }
        let names = fs::read(&list).map_err(Appliance::Serve)?;
        for name in names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
        {
            let Some(file) = self.find(directory, name)? else {
                continue;
            };
            let entry = Entry {
                name: name.to_vec(),
                file,
            };
            if visit(entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn attributes(&mut self, file: FileId) -> Result<Attributes, Error> {
        Ok(self.stat_file(file)?.attributes())
    }

    fn read_link(&mut self, file: FileId) -> Result<Vec<u8>, Error> {
        let path = self.expect(file, 0o120_000, Error::NotLink)?;
        let mut target = self.run(&format!("readlink {}", argument(&path)))?;
        // guestfish ends a text with a line break of its own.
        target.pop();
        Ok(target)
    }

    fn read_at(&mut self, file: FileId, buffer: &mut [u8], offset: u64) -> Result<usize, Error> {
        let path = self.expect(file, 0o100_000, Error::NotFile)?;
        if offset >= self.stat(&path)?.size {
            return Ok(0);
        }
        let mut done = 0;
        for part in buffer.chunks_mut(READ_BYTES) {
            let bytes = self.run(&format!(
                "pread {} {} {}",
                argument(&path),
                part.len(),
                offset.saturating_add(done as u64)
            ))?;
            let Some(space) = part.get_mut(..bytes.len()) else {
                return Err(Appliance::Answer {
                    command: "pread".to_owned(),
                }
                .into());
            };
            space.copy_from_slice(&bytes);
            done += bytes.len();
            if bytes.len() < part.len() {
                break;
            }
        }
        Ok(done)
    }

    fn write_at(&mut self, file: FileId, data: &[u8], offset: u64) -> Result<(), Error> {
        let path = self.expect(file, 0o100_000, Error::NotFile)?;
        if data.is_empty() {
            return Ok(());
        }
        let end = offset.checked_add(data.len() as u64);
        if end.is_none_or(|end| end > self.limits().file_bytes) {
            return Err(Error::FileTooLarge);
        }
        let (local, _) = self.spool(&mut &data[..])?;
        self.write(
            file,
            &format!(
                "upload-offset {} {} {offset}",
                argument(&local),
                argument(&path)
            ),
        )
    }

    fn set_size(&mut self, file: FileId, size: u64) -> Result<(), Error> {
        let path = self.expect(file, 0o100_000, Error::NotFile)?;
        if size > self.limits().file_bytes {
            return Err(Error::FileTooLarge);
        }
        self.write(file, &format!("truncate-size {} {size}", argument(&path)))
    }

    fn replace(&mut self, file: FileId, content: &mut dyn io::Read) -> Result<u64, Error> {
        let path = self.expect(file, 0o100_000, Error::NotFile)?;
        let (local, size) = self.spool(content)?;
        self.write(
            file,
            &format!("upload {} {}", argument(&local), argument(&path)),
        )?;
        Ok(size)
    }

    fn create(
        &mut self,
        directory: FileId,
        name: &[u8],
        new: &NewFile<'_>,
    ) -> Result<FileId, Error> {
        let path = self.free(directory, name)?;
        let quoted = argument(&path);
        let permissions = u32::from(new.permissions & 0o7777);
        let node = |kind: u32, major: u32, minor: u32| {
            format!("mknod 0{:o} {major} {minor} {quoted}", kind | permissions)
        };
        let command = match new.kind {
            NewKind::File => node(0o100_000, 0, 0),
            NewKind::Directory => format!("mkdir-mode {quoted} 0{permissions:o}"),
            NewKind::SymbolicLink(target) => {
                let longest = self.limits().target_bytes;
                if target.is_empty() || target.len() > longest || target.contains(&0) {
                    return Err(Error::InvalidTarget);
                }
                format!("ln-s {} {quoted}", argument(target))
            }
            NewKind::Special(kind) => match kind {
                Kind::CharacterDevice { major, minor } => node(0o020_000, major, minor),
                Kind::BlockDevice { major, minor } => node(0o060_000, major, minor),
                Kind::Fifo => node(0o010_000, 0, 0),
                Kind::Socket => node(0o140_000, 0, 0),
                _ => return Err(Error::NotPossible("a special file that is none")),
            },
        };
        self.change(&command)?;
        let made = self.stat(&path)?;
        let file = self.files.note(made.inode, path.clone());
        let inherited = self.stat_file(directory)?;
        let gid = if inherited.mode & 0o2000 == 0 {
            new.gid
        } else {
            inherited.gid
        };
        if (made.uid, made.gid) != (new.uid, gid) {
            self.shell(
                "chown -h",
                &[format!("{}:{gid}", new.uid).as_bytes()],
                &path,
            )?;
        }
        // mkdir leaves out set-user-ID and set-group-ID, and a change of owner takes them; what a default access list and an
        // inherited set-group-ID bit have made of the rest stays.
        let mode = made.mode & 0o7777 | permissions & 0o6000;
        if !matches!(new.kind, NewKind::SymbolicLink(_)) && permissions & 0o6000 != 0 {
            self.change(&format!("chmod 0{mode:o} {quoted}"))?;
        }
        Ok(file)
    }

    fn link(&mut self, file: FileId, directory: FileId, name: &[u8]) -> Result<(), Error> {
        let to = self.free(directory, name)?;
        let from = self.files.path(file)?.to_vec();
        if self.stat(&from)?.mode & TYPE_MASK == 0o040_000 {
            return Err(Error::IsDirectory);
        }
        self.change(&format!("ln {} {}", argument(&from), argument(&to)))?;
        self.files.note(file.number(), to);
        Ok(())
    }

    fn rename(
        &mut self,
        from: FileId,
        name: &[u8],
        to: FileId,
        new_name: &[u8],
    ) -> Result<(), Error> {
        self.expect(from, 0o040_000, Error::NotDirectory)?;
        self.expect(to, 0o040_000, Error::NotDirectory)?;
        let longest = self.limits().name_bytes;
        check_name(new_name, longest)?;
        let old = self.files.entry(from, name)?;
        if check_name(name, longest).is_err() {
            return Err(Error::NotFound);
        }
        let Some(file) = self.find(from, name)? else {
            return Err(Error::NotFound);
        };
        let new = self.files.entry(to, new_name)?;
        let directory = self.stat(&old)?.mode & TYPE_MASK == 0o040_000;
        if directory && new.starts_with(&[&old[..], b"/"].concat()) {
            return Err(Error::IntoItself);
        }
        if old.starts_with(&[&new[..], b"/"].concat()) {
            return Err(Error::NotEmpty);
        }
        if self.find(to, new_name)? == Some(file) {
            return Ok(());
        }
        self.change(&format!("rename {} {}", argument(&old), argument(&new)))?;
        self.files.moved(&old, &new);
        Ok(())
    }

    fn remove(&mut self, directory: FileId, name: &[u8]) -> Result<(), Error> {
        let Some(file) = self.lookup(directory, name)? else {
            return Err(Error::NotFound);
        };
        let path = self.files.entry(directory, name)?;
        let command = if self.stat_file(file)?.mode & TYPE_MASK == 0o040_000 {
            "rmdir"
        } else {
            "rm"
        };
        self.change(&format!("{command} {}", argument(&path)))?;
        self.files.forget(&path);
        Ok(())
    }

    fn set_permissions(&mut self, file: FileId, permissions: u16) -> Result<(), Error> {
        let path = self.files.path(file)?.to_vec();
        if self.stat(&path)?.mode & TYPE_MASK == 0o120_000 {
            return Err(Error::NotPossible("the permission bits of a symbolic link"));
        }
        self.change(&format!(
            "chmod 0{:o} {}",
            permissions & 0o7777,
            argument(&path)
        ))
        .map(drop)
    }

    fn set_owner(&mut self, file: FileId, uid: u32, gid: u32) -> Result<(), Error> {
        if !self.limits().owners {
            return Err(Error::NotPossible("an owner"));
        }
        let path = self.files.path(file)?.to_vec();
        self.shell("chown -h", &[format!("{uid}:{gid}").as_bytes()], &path)
    }

    fn set_times(&mut self, file: FileId, times: Times) -> Result<(), Error> {
        let path = self.files.path(file)?.to_vec();
        let (first, last) = self.limits().time_range;
        for (option, time) in [("-a", times.accessed), ("-m", times.modified)] {
            let Some(time) = time else { continue };
            let seconds = time.seconds.clamp(first, last);
            let nanoseconds = if seconds <= first || seconds >= last {
                0
            } else {
                time.nanoseconds
            };
            let date = date(seconds, nanoseconds);
            self.shell(
                "touch -c -h",
                &[option.as_bytes(), b"-d", date.as_bytes()],
                &path,
            )?;
        }
        Ok(())
    }

    fn attribute_names(&mut self, file: FileId) -> Result<Vec<Vec<u8>>, Error> {
        let path = self.files.path(file)?.to_vec();
        let answer = self.run(&format!("lgetxattrs {}", argument(&path)))?;
        let mut names: Vec<Vec<u8>> = answer
            .split(|byte| *byte == b'\n')
            // Values are escaped, so that no line of theirs looks like this.
            .filter_map(|line| line.strip_prefix(b"  attrname: "))
            .map(<[u8]>::to_vec)
            .collect();
        names.sort();
        Ok(names)
    }

    fn attribute(&mut self, file: FileId, name: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let path = self.files.path(file)?.to_vec();
        if name.is_empty() || name.contains(&0) {
            return Ok(None);
        }
        let asked = self.run(&format!("lgetxattr {} {}", argument(&path), argument(name)));
        match asked {
            Ok(value) => Ok(Some(value)),
            Err(Error::NotFound | Error::NotPossible(_) | Error::InvalidAttribute) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_attribute(&mut self, file: FileId, name: &[u8], value: &[u8]) -> Result<(), Error> {
        let path = self.files.path(file)?.to_vec();
        if name.contains(&0) || [&b"user."[..], b"trusted.", b"security."].contains(&name) {
            return Err(Error::InvalidName);
        }
        if name.len() > 255 {
            return Err(Error::NameTooLong);
        }
        let kind = self.stat(&path)?.mode & TYPE_MASK;
        let list = match name {
            b"system.posix_acl_access" => true,
            b"system.posix_acl_default" if kind != 0o040_000 && kind != 0o120_000 => {
                return Err(Error::InvalidAttribute);
            }
            b"system.posix_acl_default" => true,
            _ => false,
        };
        // What the kernel says to these, "not permitted" and "not supported", it says to other things too.
        let possible = match name.split(|byte| *byte == b'.').next() {
            Some(b"user") => matches!(kind, 0o040_000 | 0o100_000),
            Some(b"trusted" | b"security") => true,
            _ => list && kind != 0o120_000,
        };
        if !possible {
            return Err(Error::NotPossible("this extended attribute"));
        }
        if value.len() > self.limits().attribute_bytes {
            return Err(Error::NoAttributeSpace);
        }
        // A list without entries is its version and nothing else.
        if list && (value.is_empty() || value == [2, 0, 0, 0]) {
            return match self.remove_attribute(file, name) {
                Err(Error::NotFound) => Ok(()),
                done => done,
            };
        }
        let encoded = [&b"0s"[..], BASE64_STANDARD.encode(value).as_bytes()].concat();
        let mut arguments = vec![&b"-n"[..], name];
        if !value.is_empty() {
            arguments.extend([b"-v", &encoded[..]]);
        }
        match self.shell("setfattr -h", &arguments, &path) {
            Err(Error::NoSpace) => Err(Error::NoAttributeSpace),
            // The kernel's answer to a version that it does not know.
            Err(Error::NotPossible(_)) if list => Err(Error::InvalidAttribute),
            done => done,
        }
    }

    fn remove_attribute(&mut self, file: FileId, name: &[u8]) -> Result<(), Error> {
        if self.attribute(file, name)?.is_none() {
            return Err(Error::NotFound);
        }
        let path = self.files.path(file)?.to_vec();
        self.change(&format!(
            "lremovexattr {} {}",
            argument(name),
            argument(&path)
        ))
        .map(drop)
    }

    fn finish(&mut self) -> Result<(), Error> {
        if self.abandoned {
            return Err(Error::Abandoned);
        }
        if self.mounted {
            // Nothing of a mounted filesystem is whole on its device; the next operation mounts it again.
            self.guestfish.run("umount /")?;
            self.mounted = false;
        }
        Ok(())
    }
}

/// The form in which coreutils take a moment: a fraction behind a negative number counts downwards.
fn date(seconds: i64, nanoseconds: u32) -> String {
    if seconds < 0 && nanoseconds > 0 {
        let whole = -(seconds + 1);
        format!("@-{whole}.{:09}", 1_000_000_000 - nanoseconds)
    } else {
        format!("@{seconds}.{nanoseconds:09}")
    }
}

fn check_name(name: &[u8], longest: usize) -> Result<(), Error> {
    if matches!(name, b"" | b"." | b"..") || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
        return Err(Error::InvalidName);
    }
    if name.len() > longest {
        return Err(Error::NameTooLong);
    }
    Ok(())
}

/// An answer of `name: number` lines.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        let text = std::str::from_utf8(self.0).ok()?;
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))?
            .parse()
            .ok()
    }
}

/// What `lstatns` tells of a file.
struct Stat {
    device: u64,
    inode: u64,
    mode: u32,
    links: u32,
    uid: u32,
    gid: u32,
    rdev: u64,
    size: u64,
    blocks: u64,
    times: [Timestamp; 3],
}

impl Stat {
    fn parse(answer: &[u8]) -> Option<Self> {
        let fields = Fields(answer);
        let mut times = [Timestamp::default(); 3];
        for (time, name) in times.iter_mut().zip(["atime", "mtime", "ctime"]) {
            time.seconds = fields.number(&format!("st_{name}_sec"))?;
            time.nanoseconds = fields.number(&format!("st_{name}_nsec"))?;
        }
        Some(Self {
            device: fields.number("st_dev")?,
            inode: fields.number("st_ino")?,
            mode: fields.number("st_mode")?,
            links: fields.number("st_nlink")?,
            uid: fields.number::<i64>("st_uid")? as u32,
            gid: fields.number::<i64>("st_gid")? as u32,
            rdev: fields.number("st_rdev")?,
            size: fields.number("st_size")?,
            blocks: fields.number("st_blocks")?,
            times,
        })
    }

    fn attributes(&self) -> Attributes {
        // glibc's `makedev`: major and minor are interleaved (`sys/sysmacros.h`).
        let major = (self.rdev >> 8 & 0xfff | self.rdev >> 32 & 0xffff_f000) as u32;
        let minor = (self.rdev & 0xff | self.rdev >> 12 & 0xffff_ff00) as u32;
        let [accessed, modified, changed] = self.times;
        Attributes {
            kind: match self.mode & TYPE_MASK {
                0o040_000 => Kind::Directory,
                0o120_000 => Kind::SymbolicLink,
                0o020_000 => Kind::CharacterDevice { major, minor },
                0o060_000 => Kind::BlockDevice { major, minor },
                0o010_000 => Kind::Fifo,
                0o140_000 => Kind::Socket,
                _ => Kind::File,
            },
            permissions: (self.mode & 0o7777) as u16,
            uid: self.uid,
            gid: self.gid,
            links: self.links,
            size: self.size,
            allocated: self.blocks.saturating_mul(512),
            accessed,
            modified,
            changed,
            created: None,
        }
    }
}
