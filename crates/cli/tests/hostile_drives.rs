//! What is no drive, or only half of one: every command that reads drives ends soon, with an
//! error that says what is wrong.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use christen_testkit::{TempDir, tools};
use support::{christen_in, fail_somehow, member, names, put, run, succeed, with_description};

/// Commands that read `DRIVE`.
const READERS: [&str; 8] = [
    "drive show DRIVE",
    "drive show DRIVE --json",
    "drive show DRIVE --path openstack/latest/meta_data.json",
    "drive explain DRIVE",
    "drive extract DRIVE new",
    "drive diff DRIVE good",
    "drive diff good DRIVE",
    "drive verify DRIVE --json",
];

/// What one of them asks for.
const DOCUMENT: &str = "openstack/latest/meta_data.json";

/// A directory with a drive called `good`.
fn with_drive(format: &str) -> TempDir {
    let directory = with_description("uuid: b65cee2f-8c69-4aeb-be2f-f79742548fc2\nname: web\n");
    let build = format!("drive build instance.yaml --no-sync --format {format} -o good");
    succeed(&mut christen_in(&directory, &build));
    directory
}

/// Every reader must fail on this, with one of these statuses by the kind of command, and
/// write nothing.
#[track_caller]
fn is_refused(directory: &Path, drive: &str, status: i32, error: &str) {
    let before = names(directory);
    for reader in READERS {
        let mut command = christen_in(directory, &reader.replace("DRIVE", drive));
        // 1 is an answer of diff's.
        let status = if reader.starts_with("drive diff") {
            2
        } else {
            status
        };
        let ended = fail_somehow(&mut command, status);
        assert_eq!(ended.stderr, error, "{reader}");
        assert_eq!(names(directory), before, "{reader}");
    }
}

#[test]
fn what_is_no_drive_is_refused() {
    let directory = with_drive("iso9660");
    put(&directory, "empty", "");
    put(&directory, "one", "x");
    put(&directory, "text", "no drive\n".repeat(10_000));
    put(&directory, "zeros", vec![0; 100_000]);
    put(&directory, "noise", noise(100_000));
    for name in ["empty", "one", "text", "zeros", "noise"] {
        is_refused(
            &directory,
            name,
            1,
            &format!(
                "error: cannot read the drive `{name}`\n  the drive is not one that can be read\n  \
                 it is neither ISO 9660 nor FAT\n"
            ),
        );
    }
    is_refused(
        &directory,
        "nowhere",
        2,
        "error: cannot open `nowhere`\n  No such file or directory (os error 2)\n",
    );
}

#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() {
    let directory = with_drive("iso9660");
    fs::create_dir(directory.join("directory")).expect("writable");
    tools::run(Command::new("mkfifo").arg(directory.join("pipe")));
    for name in ["directory", "pipe", "/dev/zero", "/dev/null"] {
        is_refused(
            &directory,
            name,
            2,
            &format!(
                "error: cannot open `{name}`\n  it is neither a file nor a block device\n\
                 hint: a drive is read here and there, so a pipe must be saved to a file first\n"
            ),
        );
    }
}

/// Bytes without a pattern, the same on every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let bytes = std::iter::repeat_with(|| {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    bytes.take(length).collect()
}

#[test]
fn half_a_drive_ends_every_reader_in_good_order() {
    for format in ["iso9660", "vfat"] {
        let directory = with_drive(format);
        let whole = fs::read(directory.join("good")).expect("it was written");
        let show = format!("drive show good --path {DOCUMENT}");
        let document = succeed(&mut christen_in(&directory, &show));
        let expected = |reader: &str| match reader.contains("--path") {
            true => document.text(),
            false => DOCUMENT,
        };
        // ISO 9660 ends with 300 KiB of padding, which nobody misses.
        for length in [
            1, 512, 2048, 20_000, 33_000, 36_000, 45_000, 60_000, 100_000,
        ] {
            let Some(half) = whole.get(..length) else {
                continue;
            };
            put(&directory, "half", half);
            for reader in READERS {
                let mut command = christen_in(&directory, &reader.replace("DRIVE", "half"));
                let ended = run(&mut command);
                let at = format!("{format} of {length} bytes: {reader}\n{}", ended.stderr);
                if ended.status == 0 && reader.starts_with("drive show") {
                    // What was asked for is all there: something else is missing.
                    assert!(ended.text().contains(expected(reader)), "{at}");
                    continue;
                }
                // Never 3, which would mean that something was changed.
                assert!((1..=2).contains(&ended.status), "{at}");
                assert!(ended.stderr.starts_with("error: "), "{at}");
                assert!(!directory.join("new").exists(), "{at}");
            }
        }
    }
}

#[test]
fn verify_tells_a_damaged_drive_from_a_sound_one() {
    for (format, place) in [("iso9660", 16 * 2048 + 1), ("vfat", 510)] {
        let directory = with_drive(format);
        let ended = succeed(&mut christen_in(&directory, "drive verify good --strict"));
        assert_eq!(ended.stderr, "", "{format}");
        assert!(
            ended.text().ends_with("0 errors, 0 warnings, 0 notes\n"),
            "{format}: {}",
            ended.text()
        );
        let drive = File::options()
            .write(true)
            .open(directory.join("good"))
            .expect("it is ours");
        drive.write_all_at(&[0xff], place).expect("it is ours");
        drop(drive);
        let ended = run(&mut christen_in(&directory, "drive verify good --strict"));
        assert_eq!(ended.status, 1, "{format}: {}", ended.text());
        assert!(ended.stderr.starts_with("error: "), "{format}");
    }
}

#[test]
fn a_mode_that_lets_others_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;

    let directory = with_drive("iso9660");
    let drive = directory.join("good");
    fs::set_permissions(&drive, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let ended = succeed(&mut christen_in(&directory, "drive verify good --json"));
    let findings = support::items(member(&ended.json(), "findings")).to_vec();
    let codes: Vec<_> = findings
        .iter()
        .map(|finding| member(finding, "code").as_str().expect("a text"))
        .collect();
    assert_eq!(codes, ["image-mode"]);

    // The findings are data and go to standard output, failed or not.
    let ended = run(&mut christen_in(
        &directory,
        "drive verify good --strict --json",
    ));
    assert_eq!(ended.status, 1);
    assert_eq!(ended.stderr, "error: `good` is not as it should be\n");
    assert_eq!(support::items(member(&ended.json(), "findings")), findings);
}
