//! `christen cat`: the content of a file.

use std::process::ExitCode;

use christen_vfs::walk::{LastLink, resolve};
use christen_vfs::{Error, Kind};

use crate::args::image::CatArguments;
use crate::failure::Outcome;
use crate::image::open;
use crate::output;

/// Bytes that are read at once.
const PORTION_BYTES: usize = 256 << 10;

pub(crate) fn run(arguments: &CatArguments) -> Outcome {
    let mut volume = open::volume(&arguments.image)?;
    let path = &arguments.path;
    let opened = resolve(&mut *volume.fs, path, LastLink::Followed).and_then(|file| {
        match volume.fs.attributes(file)?.kind {
            Kind::File => Ok(file),
            Kind::Directory => Err(Error::IsDirectory),
            _ => Err(Error::NotFile),
        }
    });
    let file = opened.map_err(|error| volume.cannot_read(path, &error))?;
    let mut buffer = vec![0; PORTION_BYTES];
    let mut offset = 0;
    loop {
        let count = volume
            .fs
            .read_at(file, &mut buffer, offset)
            .map_err(|error| volume.cannot_read(path, &error))?;
        if count == 0 {
            output::data(&[])?;
            return Ok(ExitCode::SUCCESS);
        }
        // A hole of many terabytes is not read for nobody.
        if !output::portion(&buffer[..count])? {
            return Ok(ExitCode::SUCCESS);
        }
        offset += count as u64;
    }
}
