//! Where `christen drive build` puts a drive, and what is there when it fails.

mod support;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use christen_testkit::{TempDir, tools};
use support::{
    christen, christen_in, fail, fail_somehow, items, member, names, put, run, succeed,
    with_description,
};

const DESCRIPTION: &str = "uuid: b65cee2f-8c69-4aeb-be2f-f79742548fc2\nname: web\n";
/// Arguments with which two runs give the same bytes.
const PINNED: &str = "instance.yaml --time 2026-01-15T12:00:00Z --random-source random --no-sync";

fn workshop() -> TempDir {
    let directory = with_description(DESCRIPTION);
    put(&directory, "random", [7; 512]);
    directory
}

#[test]
fn standard_output_carries_the_same_bytes_as_a_file() {
    for format in ["iso9660", "vfat"] {
        let directory = workshop();
        let build = format!("drive build {PINNED} --format {format}");
        let to_file = succeed(&mut christen_in(&directory, &format!("{build} -o drive")));
        assert_eq!(to_file.text(), "", "what is no data goes to standard error");
        let drive = fs::read(directory.join("drive")).expect("it was written");
        assert_eq!(
            to_file.stderr,
            format!(
                "note: wrote drive ({format}, 28 documents, {} bytes)\n",
                drive.len()
            )
        );

        let to_stdout = succeed(&mut christen_in(&directory, &format!("{build} -o -")));
        assert!(to_stdout.stdout == drive, "{format}");
        assert_eq!(
            to_stdout.stderr,
            format!(
                "note: wrote - ({format}, 28 documents, {} bytes)\n",
                drive.len()
            )
        );

        // A file at a shell's `>` is no pipe, and may be written in another way.
        let redirected = File::create(directory.join("redirected")).expect("writable");
        let status = christen_in(&directory, &format!("{build} -o -"))
            .stdout(redirected)
            .stderr(Stdio::null())
            .status()
            .expect("it starts");
        assert!(status.success());
        let redirected = fs::read(directory.join("redirected")).expect("it was written");
        assert!(redirected == drive, "{format}");
    }
}

#[test]
fn json_tells_what_was_written() {
    let directory = workshop();
    let build = format!("drive build {PINNED} -o drive --json");
    let ended = succeed(&mut christen_in(&directory, &build));
    assert_eq!(ended.stderr, "");
    let told = ended.json();
    assert_eq!(member(&told, "output").as_str(), Some("drive"));
    assert_eq!(member(&told, "format").as_str(), Some("iso9660"));
    let length = fs::metadata(directory.join("drive"))
        .expect("it is there")
        .len();
    assert_eq!(*member(&told, "size_bytes"), (length as i64).into());
    let paths: Vec<_> = items(member(&told, "documents"))
        .iter()
        .map(|document| member(document, "path").as_str().expect("a text"))
        .collect();
    let list = succeed(&mut christen_in(&directory, "render instance.yaml --list"));
    assert_eq!(paths, list.text().lines().collect::<Vec<_>>());

    fail(
        &mut christen_in(&directory, "drive build instance.yaml -o - --json"),
        2,
        "error: `--json` and `--output -` both want standard output\n\
         hint: write the drive to a file, or leave out `--json`\n",
    );
}

#[test]
fn only_the_owner_reads_a_drive() {
    let directory = workshop();
    let drive = put(&directory, "drive", "open to all");
    fs::set_permissions(&drive, fs::Permissions::from_mode(0o666)).expect("it is ours");
    for name in ["drive", "new"] {
        let build = format!("drive build {PINNED} -o {name}");
        succeed(&mut christen_in(&directory, &build));
        let mode = fs::metadata(directory.join(name))
            .expect("it is there")
            .mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
    succeed(&mut christen_in(
        &directory,
        "render instance.yaml --tree tree",
    ));
    let mut pending = vec![directory.join("tree")];
    while let Some(path) = pending.pop() {
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        if metadata.is_dir() {
            pending.extend(names(&path).iter().map(|name| path.join(name)));
        } else {
            assert_eq!(metadata.mode() & 0o7777, 0o600, "{}", path.display());
        }
    }
    let tree = fs::metadata(directory.join("tree")).expect("it is there");
    assert_eq!(tree.mode() & 0o7777, 0o700);
}

/// Builds must fail and leave the directory as it is, name by name and byte by byte.
#[track_caller]
fn leaves_all_as_it_was(directory: &Path, arguments: &str, status: i32, message: &str) {
    let before = names(directory);
    fail(&mut christen_in(directory, arguments), status, message);
    assert_eq!(names(directory), before, "{arguments}");
    let drive = fs::read(directory.join("drive")).expect("it is there");
    assert_eq!(drive, b"an older drive", "{arguments}");
}

#[test]
fn a_failure_leaves_the_target_alone() {
    let directory = workshop();
    put(&directory, "drive", "an older drive");
    put(&directory, "short", [7; 511]);
    put(&directory, "wrong.yaml", "nmae: web\n");
    symlink("drive", directory.join("link")).expect("writable");
    symlink("nowhere", directory.join("dangling")).expect("writable");
    let check = |arguments: &str, status, message: &str| {
        leaves_all_as_it_was(&directory, arguments, status, message);
    };
    let refused = |target: &str, kind: &str| {
        check(
            &format!("drive build {PINNED} -o {target}"),
            1,
            &format!(
                "error: cannot build `{target}`: it is as it was before\n  \
                 `{target}` is {kind}, not a regular file\n\
                 hint: give a new name, or `--output -` and redirect it yourself\n"
            ),
        );
    };
    refused("link", "a symbolic link");
    refused("dangling", "a symbolic link");
    refused(".", "a directory");
    refused("/dev/full", "a character device");
    check(
        &format!("drive build {PINNED} -o nowhere/drive"),
        1,
        "error: cannot build `nowhere/drive`: it is as it was before\n  \
         cannot create a file in `nowhere`\n  No such file or directory (os error 2)\n",
    );
    check(
        &format!("drive build {PINNED} -o drive/drive"),
        1,
        "error: cannot build `drive/drive`: it is as it was before\n  \
         cannot look at `drive/drive`\n  Not a directory (os error 20)\n",
    );
    check(
        "drive build instance.yaml --random-source short -o drive",
        1,
        "error: cannot make the documents\n  \
         cannot draw random bytes for `random_seed`\n  \
         the random source ended: 512 more bytes are needed after byte 0\n",
    );
    check(
        "drive build nowhere.yaml -o drive",
        2,
        "error: cannot read `nowhere.yaml`\n  No such file or directory (os error 2)\n",
    );
    check(
        "drive build instance.yaml --set api.dhcp_domian=x -o drive",
        2,
        "error: the settings cannot be used\n  --set: `[api] dhcp_domian` is not an option; \
         `[api] dhcp_domain` is\n",
    );
    let before = names(&directory);
    fail_somehow(
        &mut christen_in(&directory, "drive build wrong.yaml -o drive"),
        2,
    );
    assert_eq!(names(&directory), before);
}

#[test]
fn a_directory_that_nobody_can_write_to_is_told() {
    // Not even root creates a file there.
    let directory = workshop();
    let mut command = christen_in(&directory, &format!("drive build {PINNED} -o /proc/drive"));
    let message = fail_somehow(&mut command, 1).stderr;
    assert!(
        message.starts_with(
            "error: cannot build `/proc/drive`: it is as it was before\n  \
             cannot create a file in `/proc`\n"
        ),
        "{message}"
    );
}

#[test]
fn a_full_disk_is_told_and_nothing_stays_behind() {
    // The limit on the size of files stands for the disk; with the signal ignored a write
    // beyond it fails as on a full disk. The shell's unit is 512 bytes.
    let Some(shell) = tools::require("sh") else {
        return;
    };
    let directory = workshop();
    put(&directory, "drive", "an older drive");
    let before = names(&directory);
    let script = format!("trap '' XFSZ; ulimit -f 16; exec \"$0\" drive build {PINNED} -o drive");
    let mut command = std::process::Command::new(shell);
    command
        .current_dir(&directory)
        .args(["-c", &script, env!("CARGO_BIN_EXE_christen")]);
    fail(
        &mut command,
        1,
        "error: cannot build `drive`: it is as it was before\n  \
         cannot write the image\n  File too large (os error 27)\n",
    );
    assert_eq!(names(&directory), before);
    let drive = fs::read(directory.join("drive")).expect("it is there");
    assert_eq!(drive, b"an older drive");
}

#[test]
fn a_full_standard_output_is_told() {
    let directory = workshop();
    let check = |arguments: &str, status: i32, message: &str| {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it");
        let output = christen_in(&directory, arguments)
            .stdout(full)
            .stderr(Stdio::piped())
            .spawn()
            .and_then(std::process::Child::wait_with_output)
            .expect("it starts");
        assert_eq!(output.status.code(), Some(status), "{arguments}");
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            message,
            "{arguments}"
        );
    };
    check(
        &format!("drive build {PINNED} -o -"),
        3,
        "error: cannot write all of the drive to standard output\n  \
         cannot write the image\n  No space left on device (os error 28)\n",
    );
    for arguments in [
        "render instance.yaml --list",
        "schema",
        "completions bash",
        "man",
    ] {
        check(
            arguments,
            1,
            "error: cannot write to standard output\n  No space left on device (os error 28)\n",
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_reason_to_complain() {
    let directory = workshop();
    for (arguments, status) in [
        (format!("drive build {PINNED} -o -"), 3),
        (
            format!("render {PINNED} --path openstack/latest/meta_data.json")
                .replace(" --no-sync", ""),
            0,
        ),
        ("schema".to_owned(), 0),
        ("completions zsh".to_owned(), 0),
        ("man".to_owned(), 0),
        ("--help".to_owned(), 0),
    ] {
        let (reader, writer) = std::io::pipe().expect("pipes are to be had");
        drop(reader);
        let mut child = christen_in(&directory, &arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut message = String::new();
        let mut stderr = child.stderr.take().expect("it is a pipe");
        stderr.read_to_string(&mut message).expect("UTF-8");
        assert_eq!(message, "", "{arguments}");
        let ended = child.wait().expect("it is ours");
        assert_eq!(ended.code(), Some(status), "{arguments}");
    }
}

#[test]
fn a_drive_is_no_text_for_a_terminal() {
    // script(1) gives the command a terminal.
    let Some(script) = tools::find("script") else {
        return tools::skip("script is not installed");
    };
    let directory = workshop();
    let mut command = std::process::Command::new(script);
    command
        .current_dir(&directory)
        .args(["-q", "-e", "-c"])
        .arg(format!(
            "'{}' drive build {PINNED} -o -",
            env!("CARGO_BIN_EXE_christen")
        ))
        .arg("/dev/null");
    let ended = run(&mut command);
    assert_eq!(ended.status, 2, "{}", ended.text());
    assert_eq!(
        ended.text().replace("\r\n", "\n"),
        "error: a drive is no text for a terminal\n\
         hint: name a file with `--output FILE`, or redirect standard output\n"
    );
}

#[test]
fn a_tree_is_there_whole_or_not_at_all() {
    let directory = workshop();
    put(&directory, "drive", "an older drive");
    fs::create_dir(directory.join("full")).expect("writable");
    put(&directory, "full/file", "precious");
    for (target, cause) in [
        ("full", "Directory not empty (os error 39)"),
        ("drive", "Not a directory (os error 20)"),
        (".", "Device or resource busy (os error 16)"),
    ] {
        leaves_all_as_it_was(
            &directory,
            &format!("render instance.yaml --tree {target}"),
            1,
            &format!(
                "error: cannot write the tree `{target}`\n  {cause}\n\
                 hint: name a directory that does not exist, or one that is empty\n"
            ),
        );
    }
    assert_eq!(names(&directory.join("full")), ["file"]);
    fs::create_dir(directory.join("empty")).expect("writable");
    for target in ["empty", "new/"] {
        let render = format!("render instance.yaml --tree {target}");
        let ended = succeed(&mut christen_in(&directory, &render));
        assert_eq!((ended.text(), &*ended.stderr), ("", ""));
        assert_eq!(names(&directory.join(target)), ["ec2", "openstack"]);
    }
}

#[test]
fn a_description_may_come_from_a_pipe() {
    let directory = workshop();
    let of_file = succeed(&mut christen_in(
        &directory,
        &format!("drive build {PINNED} -o -"),
    ));
    let description = File::open(directory.join("instance.yaml")).expect("it is there");
    let arguments = format!("drive build {PINNED} -o -").replace("instance.yaml", "-");
    let mut command = christen();
    command
        .current_dir(&directory)
        .args(arguments.split_whitespace())
        .stdin(description);
    assert!(succeed(&mut command).stdout == of_file.stdout);
}
