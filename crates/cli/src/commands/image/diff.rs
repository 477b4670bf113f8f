//! `christen diff`: the files of two images.

use std::process::ExitCode;

use christen_vfs::tree::{Aspects, Tree, TreeOptions, differences};

use crate::args::image::ImageDiffArguments;
use crate::failure::{Failure, Outcome};
use crate::image::touched::CONTENT_BYTES;
use crate::image::{difference, open};
use crate::output;
use crate::progress::Busy;

/// Ends with 0 when nothing differs and with 1 when something does, as diff(1); trouble is 2.
pub(crate) fn run(arguments: &ImageDiffArguments) -> Outcome {
    let mut second = arguments.first.clone();
    second.part.image.image.clone_from(&arguments.second);
    let busy = Busy::new("comparing");
    let read = |image| -> Result<Tree, Failure> {
        let mut volume = open::volume(image)?;
        let root = volume.fs.root();
        let options = TreeOptions {
            content_bytes: CONTENT_BYTES,
        };
        Tree::read(&mut *volume.fs, root, &options).map_err(|error| {
            Failure::unchanged(format!("cannot read {}", volume.name)).because(&error)
        })
    };
    let first = read(&arguments.first).map_err(Failure::apart_from_an_answer)?;
    let second = read(&second).map_err(Failure::apart_from_an_answer)?;
    let aspects = Aspects {
        modified: arguments.times,
        changed: arguments.times,
        created: arguments.times,
        ..Aspects::WITHOUT_TIMES
    };
    let differences = differences(&first, &second, &aspects);
    drop(busy);
    if arguments.json {
        output::json(&difference::value(&differences))?;
    } else {
        output::data(difference::text(&differences).as_bytes())?;
    }
    Ok(ExitCode::from(u8::from(!differences.is_empty())))
}
