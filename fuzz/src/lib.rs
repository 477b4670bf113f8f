//! What the fuzz targets share: how a drive is read, and how damage is repaired.

pub mod ext;
pub mod guest_files;
pub mod repair;

use christen_configdrive::Drive;
use christen_configdrive::verify::{VerifyOptions, verify};
use christen_instance::inputs::FileSource;
use std::io;

/// Reads no more than this of a file on a hostile drive.
const FILE_LIMIT_BYTES: u64 = 1 << 20;

/// Does all that is done with a drive of somebody else's making.
pub fn read_drive(image: &[u8]) {
    let Ok(drive) = Drive::open(image) else {
        return;
    };
    for view in drive.views() {
        let Ok(entries) = drive.entries(*view) else {
            continue;
        };
        for entry in entries.iter().filter(|entry| entry.is_file()).take(64) {
            // An error is a fine answer; a panic or a hang is not.
            let _ = drive.read_file(entry, FILE_LIMIT_BYTES);
        }
    }
    let options = VerifyOptions {
        dialect: None,
        image_mode: None,
    };
    let _ = verify(&drive, &options);
}

/// A host without files: a description under test names none that exist.
#[derive(Debug)]
pub struct NoFiles;

impl FileSource for NoFiles {
    fn read(&self, _path: &str, _limit_bytes: u64) -> io::Result<Vec<u8>> {
        Err(io::Error::from(io::ErrorKind::NotFound))
    }
}
