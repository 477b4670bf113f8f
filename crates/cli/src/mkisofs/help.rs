//! What `-help` and `-version` print.

use std::fmt::Write;

use super::options::{Effect, OPTIONS, OptionRow};

/// The first line tells callers that look for genisoimage's own version line
/// (`genisoimage -version`) who answers.
pub(super) fn version() -> String {
    format!("christen-mkisofs {}\n", env!("CARGO_PKG_VERSION"))
}

/// The list of options that do something.
pub(super) fn help() -> String {
    let mut text = "Usage: christen-mkisofs [OPTION]... PATH...\n\
                    Writes an ISO 9660 image of the trees and files at the paths.\n\n"
        .to_owned();
    for row in supported() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}\n        {}", usage(row), row.help);
    }
    text.push_str(
        "\nEnvironment:\n  \
         SOURCE_DATE_EPOCH        the time of the image; no file is newer in it\n  \
         CHRISTEN_OUTPUT_MODE     the mode of a new image, in octal [default: 600]\n  \
         CHRISTEN_SYNC=no         do not wait until the image is on stable storage\n\
         \nExit status: 0 done; 1 failed, no image written; 2 usage; \
         3 failed, the file is left empty.\n",
    );
    text
}

fn supported() -> impl Iterator<Item = &'static OptionRow> {
    OPTIONS
        .iter()
        .filter(|row| !matches!(row.effect, Effect::Refuse(_)))
}

/// All names of an option, and its argument.
fn usage(row: &OptionRow) -> String {
    let mut text = String::new();
    for name in row.names {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push('-');
        text.push_str(name);
    }
    if let Some(argument) = row.argument {
        text.push(' ');
        text.push_str(argument);
    }
    text
}

/// The table of options in `docs/drop-in.md`, in Markdown.
#[cfg(test)]
fn documentation() -> String {
    let mut text = "| option | what it does |\n|---|---|\n".to_owned();
    for row in supported() {
        let _ = writeln!(text, "| `{}` | {} |", usage(row), row.help);
    }
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for row in OPTIONS {
        let Effect::Refuse(reason) = row.effect else {
            continue;
        };
        let names = row.names.iter().map(|name| format!("`-{name}`"));
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, refused)) => refused.extend(names),
            None => reasons.push((reason, names.collect())),
        }
    }
    text.push_str("\n| refused | because |\n|---|---|\n");
    for (reason, names) in reasons {
        let _ = writeln!(text, "| {} | {reason} |", names.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;

    const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/drop-in.md");
    const BEGIN: &str = "<!-- options:";
    const END: &str = "<!-- end of options -->";

    #[test]
    fn the_documentation_lists_the_options() {
        let document = fs::read_to_string(DOCUMENT).expect("it is in the repository");
        let begin = document.find(BEGIN).expect("it has a place for the table");
        let table = begin + document[begin..].find("-->\n").expect("a comment ends") + 4;
        let end = document.find(END).expect("the place has an end");
        let expected = format!("\n{}\n", documentation());
        if env::var_os("CHRISTEN_BLESS").is_some_and(|value| value == "1") {
            let new = format!("{}{expected}{}", &document[..table], &document[end..]);
            fs::write(DOCUMENT, new).expect("the document is writable");
            return;
        }
        assert!(
            document[table..end] == expected,
            "the table in docs/drop-in.md is not that of the program; CHRISTEN_BLESS=1 writes it"
        );
    }
}
