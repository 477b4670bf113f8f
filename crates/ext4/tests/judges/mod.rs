//! What the judges of this crate have in common.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs::{File, OpenOptions as FileOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use christen_block::BlockDevice;
use christen_ext4::{Access, Ext4, Journal, OpenOptions};
use christen_testkit::ext::{self, Mounts, Recipe};
use christen_testkit::kernel::{self, HostDirectory, Mount};
use christen_testkit::{TempDir, tools};
use christen_vfs::memory::Memory;
use christen_vfs::tree::{Aspects, Tree, TreeOptions, differences};
use christen_vfs::{FileSystem, GuestPath, Kind, Timestamp};

/// When this variable is set, the judges take all recipes, block sizes and seeds, and minutes.
const FULL: &str = "CHRISTEN_JUDGE_FULL";

/// Larger files are not compared.
pub(crate) const CONTENT_BYTES: u64 = 64 << 20;

/// How many files the kernel writes into an image that we have changed.
const KERNEL_FILES: usize = 300;

/// Whether everything is to be judged.
pub(crate) fn is_full() -> bool {
    std::env::var_os(FULL).is_some()
}

/// Whether the tools are there that make and check images; says so if not.
#[track_caller]
pub(crate) fn require() -> bool {
    tools::require("mke2fs").is_some() && tools::require("e2fsck").is_some()
}

/// Each recipe with the block sizes that are to be judged: all, or another one for each recipe.
pub(crate) fn images() -> impl Iterator<Item = (&'static Recipe, u32)> {
    ext::RECIPES.iter().enumerate().flat_map(|(index, recipe)| {
        ext::BLOCK_BYTES
            .into_iter()
            .enumerate()
            .filter(move |(other, _)| is_full() || index % 3 == *other)
            .map(move |(_, block_bytes)| (recipe, block_bytes))
    })
}

/// An image file as a device.
#[derive(Debug)]
pub(crate) struct FileDevice {
    file: File,
    length: u64,
}

impl FileDevice {
    pub(crate) fn open(path: &Path) -> Self {
        let file = FileOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .expect("opens the image");
        let length = file.metadata().expect("stats the image").len();
        Self { file, length }
    }
}

impl BlockDevice for FileDevice {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> christen_block::Result<()> {
        assert!(
            offset + buffer.len() as u64 <= self.length,
            "a read past the end"
        );
        self.file.read_exact_at(buffer, offset).expect("reads");
        Ok(())
    }

    fn write_at(&self, data: &[u8], offset: u64) -> christen_block::Result<()> {
        assert!(
            offset + data.len() as u64 <= self.length,
            "a write past the end"
        );
        self.file.write_all_at(data, offset).expect("writes");
        Ok(())
    }

    fn flush(&self) -> christen_block::Result<()> {
        Ok(())
    }
}

/// Returns how images are opened here.
pub(crate) fn options(access: Access) -> OpenOptions {
    OpenOptions {
        access,
        journal: Journal::Refuse,
        now: Timestamp {
            seconds: 1_600_000_000,
            nanoseconds: 0,
        },
        generation_seed: 1,
    }
}

/// Opens an image for writing.
#[track_caller]
pub(crate) fn open(image: &Path, context: &str) -> Ext4 {
    open_as(image, Access::Write, context)
}

#[track_caller]
pub(crate) fn open_as(image: &Path, access: Access, context: &str) -> Ext4 {
    match Ext4::open(Arc::new(FileDevice::open(image)), &options(access)) {
        Ok(fs) => fs,
        Err(error) => panic!("{context}: cannot open: {}", chain(&error)),
    }
}

/// Returns an error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Reads a whole tree.
pub(crate) fn tree(fs: &mut dyn FileSystem) -> Result<Tree, String> {
    let root = fs.root();
    let options = TreeOptions {
        content_bytes: CONTENT_BYTES,
    };
    Tree::read(fs, root, &options).map_err(|error| chain(&error))
}

/// Says in what two trees differ.
pub(crate) fn same(
    what: &str,
    found: &Tree,
    expected: &Tree,
    aspects: &Aspects,
) -> Result<(), String> {
    let all = differences(found, expected, aspects);
    if all.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = all.iter().take(8).map(ToString::to_string).collect();
    Err(format!(
        "{what}: {} differences, its own first:\n    {}",
        all.len(),
        shown.join("\n    ")
    ))
}

/// Asks everybody about an image: e2fsck, ourselves after opening anew, an independent reader, and the kernel, who then writes into a copy.
///
/// # Errors
///
/// Who objects, and to what.
pub(crate) fn judge(image: &Path, recipe: &Recipe, model: &mut Memory) -> Result<(), String> {
    ext::check(image).map_err(|how| format!("e2fsck {how}"))?;
    let expected = tree(model)?;

    let mut fs = Ext4::open(Arc::new(FileDevice::open(image)), &options(Access::Read))
        .map_err(|error| format!("cannot open again: {}", chain(&error)))?;
    same("opened again", &tree(&mut fs)?, &expected, &Aspects::ALL)?;
    judge_by_kernel(image, recipe, model, &expected)?;
    ask_independent_reader(image, &expected)
}

fn judge_by_kernel(
    image: &Path,
    recipe: &Recipe,
    model: &Memory,
    expected: &Tree,
) -> Result<(), String> {
    if recipe.mounts != Mounts::Host || !kernel::require() {
        return Ok(());
    }
    let mount = Mount::read_only(image);
    let seen = {
        let mut top =
            HostDirectory::open(mount.path(), model.limits()).map_err(|error| error.to_string())?;
        tree(&mut top)?
    };
    mount.unmount();

    same("the kernel's mount", &seen, expected, &Aspects::ALL)?;

    let directory = TempDir::new();
    let copy = directory.join("copy");
    ext::copy(image, &copy);
    let mount = Mount::writable(&copy);
    let written = kernel::write_files(mount.path(), "written afterwards", KERNEL_FILES);
    mount.unmount();
    written.map_err(|error| format!("the kernel cannot write: {error}"))?;
    ext::check(&copy).map_err(|how| format!("after the kernel has written, e2fsck {how}"))
}

/// Compares what the `ext4-view` crate reads, which is another author's: kinds, permissions, owners, content, targets.
pub(crate) fn ask_independent_reader(image: &Path, expected: &Tree) -> Result<(), String> {
    let reader = match ext4_view::Ext4::load_from_path(image) {
        Ok(reader) => reader,
        // What it does not know it cannot judge.
        Err(ext4_view::Ext4Error::Incompatible(_)) => return Ok(()),
        Err(error) => return Err(format!("ext4-view cannot open: {error}")),
    };
    for (path, file) in &expected.files {
        let bytes = path.to_bytes();
        let fail = |how: String| format!("ext4-view: `{path}`: {how}");
        let view = ext4_view::Path::new(&bytes);
        let metadata = match reader.symlink_metadata(view) {
            Ok(metadata) => metadata,
            Err(error) if is_its_own_limit(&error) => continue,
            Err(error) => return Err(fail(error.to_string())),
        };
        let found = (
            metadata.is_dir(),
            metadata.is_symlink(),
            metadata.mode() & 0o7777,
            metadata.uid(),
            metadata.gid(),
        );
        let expected = (
            file.kind == Kind::Directory,
            file.kind == Kind::SymbolicLink,
            file.permissions,
            file.uid,
            file.gid,
        );
        if found != expected {
            return Err(fail(format!("{found:?}, not {expected:?}")));
        }
        match (file.kind, file.content) {
            (Kind::File, Some(hash)) => {
                let content = match reader.read(view) {
                    Ok(content) => content,
                    Err(error) if is_its_own_limit(&error) => continue,
                    Err(error) => return Err(fail(error.to_string())),
                };
                if christen_vfs::tree::ContentHash::of(&content) != hash {
                    return Err(fail("other content".to_owned()));
                }
            }
            (Kind::SymbolicLink, _) => {
                let target = reader
                    .read_link(view)
                    .map_err(|error| fail(error.to_string()))?;
                if Some(target.as_path().as_ref()) != file.target.as_deref() {
                    return Err(fail(format!("leads to {target:?}")));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether ext4-view 1.0.0 says of something that every kernel reads that it is corrupt: a time before 1970 (`src/timestamp.rs`), a hole
/// of a block map, which it takes for block 0, and an inode of 128 bytes with a checksum.
fn is_its_own_limit(error: &ext4_view::Ext4Error) -> bool {
    let text = error.to_string();
    [
        "invalid timestamp",
        "from block 0 ",
        "is truncated: size=128",
    ]
    .iter()
    .any(|limit| text.contains(limit))
}

/// Takes a path of a test.
pub(crate) fn path(text: &str) -> GuestPath {
    GuestPath::new(text).expect("a path of a test")
}
