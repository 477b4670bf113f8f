//! What the kernel writes into an image that we have changed, so that it uses what we left behind.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

use christen_vfs::model::Random;

/// Makes so many files below a new directory `name` of `top`, in directories of their own, with links, appended parts, other names, and every
/// fifth removed again.
///
/// # Errors
///
/// What the kernel says; a full filesystem is one of the things that it may say.
pub fn write_files(top: &Path, name: &str, count: usize) -> io::Result<()> {
    let top = top.join(name);
    fs::create_dir(&top)?;
    let mut random = Random::new(count as u64);
    for number in 0..count {
        let directory = top.join(format!("directory {}", number % 11));
        if number < 11 {
            fs::create_dir(&directory)?;
        }
        let path = directory.join(format!("file {number} {}", "n".repeat(number % 60)));
        let length = match number % 4 {
            0 => 20,
            1 => 700,
            2 => random.index(5000),
            _ => random.index(20_000),
        };
        fs::write(&path, random.bytes(length))?;
        match number % 5 {
            0 => fs::remove_file(&path)?,
            1 => OpenOptions::new()
                .append(true)
                .open(&path)?
                .write_all(&random.bytes(3000))?,
            2 => fs::rename(&path, top.join(format!("moved {number}")))?,
            3 => symlink(&path, top.join(format!("link {number}")))?,
            _ => fs::hard_link(&path, top.join(format!("name {number}")))?,
        }
    }
    Ok(())
}
