//! What El Torito's structures say, by programs that are not ours.

use std::path::Path;
use std::process::Command;

use super::text;

/// What an image is booted from, without where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BootReading {
    /// Validation entry and default entry.
    pub(crate) isoinfo: Vec<String>,
    /// All entries, the files they are, and whether a boot information table is right.
    pub(crate) xorriso: Vec<String>,
    /// The options that would make it again.
    pub(crate) options: Vec<String>,
}

pub(crate) fn read_boot(image: &Path) -> BootReading {
    let xorriso = |form: &str| {
        text(
            Command::new("xorriso")
                .args(["-report_about", "SORRY", "-indev"])
                .arg(image)
                .args(["-report_el_torito", form]),
        )
    };
    let description = text(Command::new("isoinfo").args(["-d", "-i"]).arg(image));
    let isoinfo = description
        .lines()
        .skip_while(|line| !line.starts_with("Eltorito validation header"))
        .filter(|line| !line.contains("Bootoff"));
    BootReading {
        isoinfo: isoinfo.map(str::to_owned).collect(),
        xorriso: xorriso("plain").lines().map(without_place).collect(),
        options: xorriso("as_mkisofs")
            .lines()
            .filter(|line| !line.starts_with("--modification-date"))
            .map(str::to_owned)
            .collect(),
    }
}

/// Drops the sector of the catalog, and of an image.
fn without_place(line: &str) -> String {
    let mut fields: Vec<_> = line.split_whitespace().collect();
    match line {
        _ if line.starts_with("El Torito catalog ") => {
            fields.remove(4);
        }
        _ if line.starts_with("El Torito boot img ") => {
            fields.pop();
        }
        _ => {}
    }
    fields.join(" ")
}

/// Returns the first sector of each boot image by the catalog, and checks the boot record.
pub(crate) fn boot_sectors(image: &[u8]) -> Vec<u32> {
    let number = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().expect("four bytes"));
    let record = 17 * 2048;
    assert_eq!(&image[record..record + 7], b"\0CD001\x01");
    assert_eq!(
        &image[record + 7..record + 39],
        b"EL TORITO SPECIFICATION\0\0\0\0\0\0\0\0\0"
    );
    let catalog = number(record + 71) as usize * 2048;
    // The default entry is the second one; each alternative is behind a header of its own.
    (catalog + 32..catalog + 2048)
        .step_by(64)
        .map(|entry| number(entry + 8))
        .take_while(|sector| *sector != 0)
        .collect()
}
