//! `christen cloud-localds` beside the original: the same arguments, the same result.

mod mkisofs_support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use christen_testkit::{TempDir, tools};
use mkisofs_support::{contents, fail, judges, put, read, seed_files, succeed};

fn ours(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_christen"));
    command
        .arg("cloud-localds")
        .env_remove("SOURCE_DATE_EPOCH")
        .env_remove("CHRISTEN_OUTPUT_MODE")
        .current_dir(directory);
    command
}

fn theirs(directory: &Path) -> Command {
    let mut command = Command::new("cloud-localds");
    command.current_dir(directory);
    command
}

/// Runs both with the same arguments but for `OUTPUT`, each into its own file.
fn both(directory: &Path, arguments: &str) -> [std::path::PathBuf; 2] {
    [(theirs(directory), "theirs"), (ours(directory), "ours")].map(|(mut command, name)| {
        let image = directory.join(name);
        let _ = fs::remove_file(&image);
        let arguments = arguments.replace("OUTPUT", name);
        succeed(command.args(arguments.split_whitespace()));
        image
    })
}

fn sources(programs: &[&str]) -> Option<TempDir> {
    for program in programs {
        tools::require(program)?;
    }
    let directory = TempDir::new();
    seed_files(&directory);
    put(&directory, "vendor-data", "vendor\n");
    put(
        &directory,
        "interfaces",
        "auto lo\niface lo inet loopback\n\n",
    );
    Some(directory)
}

#[test]
fn iso_images_are_the_same() {
    if judges().is_none() {
        return;
    }
    let Some(directory) = sources(&["cloud-localds", "genisoimage"]) else {
        return;
    };
    fs::set_permissions(
        directory.join("user-data"),
        fs::Permissions::from_mode(0o600),
    )
    .expect("its owner");
    for arguments in [
        "OUTPUT user-data",
        "OUTPUT user-data meta-data",
        "-f iso OUTPUT user-data meta-data",
        "OUTPUT user-data --hostname web --dsmode=local",
        "-H web -i interfaces -m net OUTPUT user-data",
        "-N network-config -V vendor-data OUTPUT user-data meta-data",
        "--network network-config --vend vendor-data -- OUTPUT user-data meta-data",
    ] {
        let [theirs, ours] = both(&directory, arguments);
        let (mut their_reading, mut our_reading) = (read(&theirs), read(&ours));
        for reading in [&mut their_reading, &mut our_reading] {
            reading.bsdtar.clear();
            for line in reading.rock_ridge.iter_mut().chain(&mut reading.xorriso) {
                *line = without_owner(line);
            }
        }
        assert_eq!(our_reading, their_reading, "{arguments}");
        assert_eq!(our_reading.label, "cidata");
        assert_eq!(contents(&ours), contents(&theirs), "{arguments}");
    }
}

/// The original's files belong to who ran it, ours to root.
fn without_owner(line: &str) -> String {
    let fields: Vec<_> = line.split(' ').collect();
    let mode = fields
        .iter()
        .position(|field| field.len() == 10 && field.contains("r"))
        .expect("a line has a mode");
    let mut kept = fields.clone();
    kept.drain(mode + 1..mode + 3);
    kept.join(" ")
}

#[test]
fn vfat_images_hold_the_same_files() {
    let Some(directory) = sources(&["cloud-localds", "mkfs.vfat", "mdir", "mcopy", "blkid"]) else {
        return;
    };
    let fsck = tools::find("fsck.vfat").expect("it comes with mkfs.vfat");
    let blkid = tools::find("blkid").expect("it was asked for");
    let images = both(
        &directory,
        "-f vfat -N network-config -V vendor-data OUTPUT user-data meta-data",
    );
    let [their_reading, our_reading] = images.map(|image| {
        tools::run(Command::new(&fsck).arg("-n").arg(&image));
        let label = tools::output(
            &blkid,
            ["-p", "-o", "value", "-s", "LABEL", "-s", "TYPE"]
                .map(std::ffi::OsStr::new)
                .into_iter()
                .chain([image.as_os_str()]),
        );
        let list = tools::run(
            Command::new("mdir")
                .args(["-b", "-i"])
                .arg(&image)
                .arg("::"),
        );
        let files = ["user-data", "meta-data", "network-config", "vendor-data"].map(|name| {
            tools::run(
                Command::new("mcopy")
                    .args(["-n", "-i"])
                    .arg(&image)
                    .args([&format!("::{name}"), "-"]),
            )
        });
        (label, list, files)
    });
    assert_eq!(our_reading, their_reading);
    assert_eq!(our_reading.0, b"cidata\nvfat\n");
}

#[test]
fn archives_hold_the_same_files() {
    let Some(directory) = sources(&["cloud-localds", "tar"]) else {
        return;
    };
    for arguments in [
        "-d tar OUTPUT user-data meta-data",
        "-f tar -V vendor-data OUTPUT user-data",
        "-d tar-seed-local -N network-config OUTPUT user-data meta-data",
        "--disk-format=tar-seed-net OUTPUT user-data meta-data",
    ] {
        let [their_reading, our_reading] = both(&directory, arguments).map(|archive| {
            let listing = tools::output("tar", ["-tvf".as_ref(), archive.as_os_str()]);
            let mut lines: Vec<_> = String::from_utf8(listing)
                .expect("UTF-8")
                .lines()
                .map(|line| {
                    let fields: Vec<_> = line.split_whitespace().collect();
                    format!("{} {} {} {}", fields[0], fields[1], fields[2], fields[5])
                })
                .collect();
            // The original takes a directory's files as they come.
            lines.sort();
            let length = fs::metadata(&archive).expect("it was written").len();
            (lines, contents_of_archive(&archive), length)
        });
        assert_eq!(our_reading, their_reading, "{arguments}");
    }
}

fn contents_of_archive(archive: &Path) -> Vec<u8> {
    let directory = TempDir::new();
    tools::run(
        Command::new("tar")
            .arg("-xf")
            .arg(archive)
            .arg("-C")
            .arg(directory.path()),
    );
    format!("{:?}", mkisofs_support::contents_of_tree(&directory)).into_bytes()
}

#[test]
fn values_in_metadata_arrive_as_they_are() {
    let Some(directory) = sources(&["bsdtar"]) else {
        return;
    };
    put(&directory, "interfaces", "auto \"lo\"\n\tup echo \\n\n");
    succeed(ours(&directory).args(["-H", "a\"b\\c", "-i", "interfaces", "out", "user-data"]));
    let meta_data = &contents(&directory.join("out"))["meta-data"];
    assert_eq!(
        String::from_utf8_lossy(meta_data),
        "{\n\"instance-id\": \"iid-local01\",\n\"local-hostname\": \"a\\\"b\\\\c\",\n\
         \"interfaces\": \"auto \\\"lo\\\"\\n\\tup echo \\\\n\"\n}\n"
    );
}

#[test]
fn standard_input_and_output_and_pipes_work() {
    let Some(directory) = sources(&["bsdtar", "sh"]) else {
        return;
    };
    let mut child = ours(&directory)
        .args(["-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut pipe = child.stdin.take().expect("it is a pipe");
    pipe.write_all(b"from the pipe\n").expect("it reads");
    drop(pipe);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let image = directory.join("copy");
    fs::write(&image, output.stdout).expect("writable");
    assert_eq!(contents(&image)["user-data"], b"from the pipe\n");

    // A process substitution is a pipe with a name.
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "echo named | \"$0\" cloud-localds out /dev/stdin"])
        .arg(env!("CARGO_BIN_EXE_christen"))
        .current_dir(&directory);
    succeed(&mut shell);
    assert_eq!(contents(&directory.join("out"))["user-data"], b"named\n");
}

#[test]
fn mistakes_are_told_and_nothing_is_written() {
    let Some(directory) = sources(&[]) else {
        return;
    };
    let check = |arguments: &str, status: i32, expected: &str| {
        let (found, message) = fail(ours(&directory).args(arguments.split_whitespace()));
        assert_eq!(found, status, "{arguments}");
        assert_eq!(
            message.lines().next(),
            Some(&*format!("error: {expected}")),
            "{arguments}"
        );
        assert!(!directory.join("out").exists(), "{arguments}");
    };
    check("out", 2, "an output and user data must be given");
    check(
        "out user-data meta-data more",
        2,
        "at most an output, user data and metadata can be given",
    );
    check("-z out user-data", 2, "unknown option `-z`");
    check(
        "-H web out user-data meta-data",
        2,
        "metadata excludes `--interfaces`, `--hostname` and `--dsmode`",
    );
    check(
        "-d qcow2 out user-data",
        2,
        "disk format `qcow2` is not supported: raw, tar, tar-seed-local and tar-seed-net are",
    );
    check(
        "-d tar-x out user-data",
        2,
        "disk format `tar-x` is not supported: raw, tar, tar-seed-local and tar-seed-net are",
    );
    check(
        "-d tar -f vfat out user-data",
        2,
        "disk format `tar` and filesystem `vfat` exclude each other",
    );
    check(
        "-f ext4 out user-data",
        2,
        "filesystem `ext4` is not supported: iso9660, vfat and tar are",
    );
    check(
        "out nowhere",
        1,
        "cannot read `nowhere`: nothing was written",
    );
    check(
        "-i nowhere out user-data",
        1,
        "cannot read `nowhere`: nothing was written",
    );
}

#[test]
fn verbose_says_what_was_written_and_help_what_can_be() {
    let Some(directory) = sources(&[]) else {
        return;
    };
    for (arguments, expected) in [
        (
            "-v out user-data",
            "wrote out with filesystem=iso9660 and diskformat=raw\n",
        ),
        (
            "-v -d tar-seed-net out user-data",
            "wrote out with filesystem=tar-seed-net and diskformat=tar-seed-net\n",
        ),
    ] {
        let output = succeed(ours(&directory).args(arguments.split_whitespace()));
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
    }
    let output = succeed(ours(&directory).arg("--help"));
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(help.contains("--vendor-data FILE"), "{help}");
}
