//! `christen-mkisofs`: the program that takes the place of genisoimage, mkisofs and
//! xorrisofs under those that make drives with them (`docs/drop-in.md`).

mod help;
mod image;
mod options;
mod parse;
mod request;
mod source;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use christen_configdrive::iso9660::{self, SECTOR_BYTES, View};

use crate::failure::{Failure, Outcome};
use crate::{image_time, output};
pub(crate) use image::Iso;
use parse::Command;
use request::{Personality, Request};

/// Runs the command line of this process, under whatever name it was started.
pub fn main() -> ExitCode {
    let mut arguments = env::args_os();
    let program = arguments.next().unwrap_or_default();
    run(personality(&program), arguments).unwrap_or_else(|failure| {
        output::error(&failure.render());
        failure.exit_code()
    })
}

fn run(personality: Personality, arguments: impl Iterator<Item = OsString>) -> Outcome {
    let command = parse::parse(personality, arguments)
        .map_err(|mistake| Failure::usage(mistake.to_string()).hint("`-help` lists the options"))?;
    match command {
        Command::Help => output::error(&help::help()),
        Command::Version => output::data(help::version().as_bytes())?,
        Command::Image(request) => write(&request)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the trees, lays the image out and writes it.
fn write(request: &Request) -> Result<(), Failure> {
    let time = image_time::resolve()?;
    let cannot = |error: &(dyn std::error::Error + 'static)| {
        Failure::unchanged("cannot make the image: nothing was written").because(error)
    };
    let found = source::read(request).map_err(|error| cannot(&error))?;
    for warning in &found.warnings {
        output::warning(&output::visible(&warning.to_string()));
    }
    let (tree, catalog) = image::tree(found, time.newest).map_err(|error| cannot(&error))?;
    let mut options = image::options(request, time.seconds);
    options.boot = image::boot(request, &tree, catalog).map_err(|error| cannot(&error))?;
    let iso = Iso::new(tree, options);
    if request.print_size {
        let size = iso9660::size(&iso.tree, &iso.options).map_err(|error| cannot(&error))?;
        return output::data(format!("{}\n", size / SECTOR_BYTES).as_bytes());
    }
    request.destination.write(&iso)?;
    tell(request, &iso);
    Ok(())
}

/// Says what was written: all on request, and one line to somebody who looks on.
fn tell(request: &Request, iso: &Iso) {
    let report = iso.report.borrow();
    let Some(report) = report.as_ref().filter(|_| !request.quiet) else {
        return;
    };
    if request.verbose {
        for renamed in &report.renamed {
            let view = match renamed.view {
                View::Plain => "plain",
                View::Joliet => "Joliet",
            };
            output::error(&format!(
                "`{}` is `{}` in the {view} tree\n",
                output::visible(&iso.tree.path(renamed.entry)),
                renamed.name
            ));
        }
    }
    if request.verbose || io::stderr().is_terminal() {
        let sectors = report.size_bytes / SECTOR_BYTES;
        output::error(&format!("{sectors} extents written\n"));
    }
}

/// The defaults of xorrisofs for its name, genisoimage's for every other.
fn personality(program: &OsStr) -> Personality {
    let name = Path::new(program).file_name().unwrap_or_default();
    if name.as_encoded_bytes().starts_with(b"xorriso") {
        Personality::Xorrisofs
    } else {
        Personality::Genisoimage
    }
}
