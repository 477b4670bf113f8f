//! `cargo xtask bench drive`: the figures, and the README's copy of them.

use std::fs;
use std::process::{Command, Stdio};

use crate::command::{Failure, cargo, root, text};
use crate::setup;

/// The README's figures stand between these.
const BEGIN: &str = "<!-- figures: `cargo xtask bench drive --readme` -->\n";
const END: &str = "<!-- end of figures -->\n";

/// `cargo xtask bench drive [--readme]`
pub(crate) fn bench(arguments: &[String]) -> Result<(), Failure> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let readme = match arguments[..] {
        ["drive"] => false,
        ["drive", "--readme"] => true,
        _ => {
            return Err(Failure::Usage(
                "bench takes `drive`, and `--readme` to write the figures there".to_owned(),
            ));
        }
    };
    setup::all()?;
    let mut figures = measure("library")?;
    figures += &measure("process")?;
    figures += &circumstances()?;
    if readme {
        write_readme(&figures)?;
    }
    Ok(())
}

fn measure(bench: &str) -> Result<String, Failure> {
    let mut command = cargo(&[
        "bench",
        "--quiet",
        "--package",
        "christen-cli",
        "--bench",
        bench,
    ]);
    let output = command.stderr(Stdio::inherit()).output()?;
    let figures = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{figures}");
    if output.status.success() {
        Ok(figures)
    } else {
        Err(Failure::Command(format!("`{}` failed", text(&command))))
    }
}

/// Commit, machine and versions: without them a figure says nothing.
fn circumstances() -> Result<String, Failure> {
    let first_line = |program: &str, arguments: &[&str]| -> Result<String, Failure> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(root())
            .output()?;
        let both = [output.stdout, output.stderr].concat();
        let both = String::from_utf8_lossy(&both).into_owned();
        Ok(both.lines().next().unwrap_or_default().trim().to_owned())
    };
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("an unnamed processor", |(_, model)| model.trim());
    let load = fs::read_to_string("/proc/loadavg")?;
    let text = format!(
        "Measured at commit {} by `cargo xtask bench drive` on {} cores of {model}, {}, load {} at the \
         end; {}; {}; {}.\n",
        first_line("git", &["rev-parse", "--short", "HEAD"])?,
        std::thread::available_parallelism()?,
        first_line("uname", &["-sr"])?,
        load.split(' ').next().unwrap_or("unknown"),
        first_line("rustc", &["--version"])?,
        first_line("genisoimage", &["--version"])?,
        first_line("xorriso", &["--version"])?,
    );
    println!("{text}");
    Ok(text)
}

fn write_readme(figures: &str) -> Result<(), Failure> {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path)?;
    let (before, rest) = readme.split_once(BEGIN).ok_or_else(no_marks)?;
    let (_, after) = rest.split_once(END).ok_or_else(no_marks)?;
    fs::write(path, format!("{before}{BEGIN}\n{figures}\n{END}{after}"))?;
    Ok(())
}

fn no_marks() -> Failure {
    Failure::Usage("README.md has no place for the figures".to_owned())
}
