//! The same work by `rust-fs-ext4`, which writes through a journal: for comparison only.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use christen_block::BlockDevice as _;
use fs_ext4::Filesystem;
use fs_ext4::block_io::BlockDevice;
use fs_ext4::error::Error;

use crate::counted::{Counted, Counts};
use crate::{ENTRIES, Each, FILES, Outcome, Staged, entry_name, spread};

/// Our device as its own kind.
struct Bridge(Arc<Counted>);

impl BlockDevice for Bridge {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        self.0.read_at(buffer, offset).map_err(refused)
    }

    fn size_bytes(&self) -> u64 {
        self.0.length()
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), Error> {
        self.0.write_at(buffer, offset).map_err(refused)
    }

    fn flush(&self) -> Result<(), Error> {
        self.0.flush().map_err(refused)
    }

    fn is_writable(&self) -> bool {
        true
    }
}

fn refused(_: christen_block::Error) -> Error {
    Error::Corrupt("the device failed")
}

fn mount(staged: &Staged) -> Outcome<Filesystem> {
    let device = Arc::new(Bridge(Arc::clone(&staged.device)));
    Filesystem::mount(device).map_err(told)
}

/// Its errors need not outlive the benchmark.
fn told(error: Error) -> Box<dyn std::error::Error> {
    format!("rust-fs-ext4: {error:?}").into()
}

pub(crate) fn inject(image: &Path) -> Outcome<(Duration, Counts)> {
    let content = [b'x'; 4096];
    let start = Instant::now();
    let staged = Staged::new(image)?;
    let fs = mount(&staged)?;
    for (path, mode) in [("/srv", 0o755), ("/srv/keys", 0o700)] {
        fs.apply_mkdir(path, mode).map_err(told)?;
        fs.apply_chown(path, 1000, 1000).map_err(told)?;
    }
    for (name, bytes, permissions, owner) in FILES {
        let path = format!("/srv/keys/{name}");
        fs.apply_create(&path, 0o600).map_err(told)?;
        fs.apply_replace_file_content(&path, &content[..bytes])
            .map_err(told)?;
        fs.apply_chown(&path, owner, owner).map_err(told)?;
        fs.apply_chmod(&path, permissions).map_err(told)?;
    }
    fs.flush().map_err(told)?;
    let counts = staged.finish()?;
    Ok((start.elapsed(), counts))
}

pub(crate) fn directory(staged: &Staged) -> Outcome<Vec<Each>> {
    let fs = mount(staged)?;
    let device = &staged.device;
    let directory = fs.lookup_path_bytes(b"/many").map_err(told)?;
    Ok(vec![
        Each::measure("look up", device, |number| {
            fs.lookup_at(directory, &spread(number)).map_err(told)?;
            Ok(())
        })?,
        Each::measure("create an empty file", device, |number| {
            fs.apply_create_at(directory, &entry_name(ENTRIES + number), 0o644)
                .map_err(told)?;
            Ok(())
        })?,
        Each::measure("remove", device, |number| {
            fs.apply_unlink_at(directory, &spread(number)).map_err(told)
        })?,
    ])
}
