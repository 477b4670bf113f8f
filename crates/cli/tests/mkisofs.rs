//! `christen-mkisofs` from outside: messages, exit statuses, and what happens to files.

mod mkisofs_support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use christen_testkit::{TempDir, tools};
use mkisofs_support::{contents, fail, judges, mkisofs, put, read, succeed};

fn tree() -> TempDir {
    let directory = TempDir::new();
    put(&directory, "tree/file", "content\n");
    put(&directory, "tree/directory/other", "other\n");
    directory
}

/// Runs a command line in the directory.
fn line(directory: &Path, arguments: &str) -> Command {
    let mut command = mkisofs();
    command
        .args(arguments.split_whitespace())
        .current_dir(directory);
    command
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .expect("readable")
        .map(|entry| {
            let name = entry.expect("readable").file_name();
            name.into_string().expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn usage_errors_have_status_2_and_write_nothing() {
    fn check(arguments: &str, expected: &str) {
        let directory = tree();
        let (status, message) = fail(&mut line(&directory, arguments));
        assert_eq!(status, 2, "{arguments}");
        assert_eq!(
            message,
            format!("error: {expected}\nhint: `-help` lists the options\n")
        );
        assert_eq!(names(&directory), ["tree"]);
    }
    check("-o a.iso", "no path is given to make an image of");
    check("-o a.iso --zork tree", "unknown option `--zork`");
    check(
        "-o a.iso -udf tree",
        "option `-udf` is not supported: no UDF filesystem is written",
    );
    check(
        "-o a.iso -m *.bak tree",
        "option `-m` is not supported: what is to be left out is left out of the paths",
    );
}

#[test]
fn mistakes_in_the_environment_are_usage_errors() {
    for (name, value, expected) in [
        ("SOURCE_DATE_EPOCH", "yesterday", "SOURCE_DATE_EPOCH"),
        (
            "CHRISTEN_OUTPUT_MODE",
            "rw",
            "`CHRISTEN_OUTPUT_MODE` is not a mode in octal",
        ),
        (
            "CHRISTEN_SYNC",
            "maybe",
            "`CHRISTEN_SYNC` is neither `yes` nor `no`",
        ),
    ] {
        let directory = tree();
        let (status, message) = fail(line(&directory, "-o a.iso tree").env(name, value));
        assert_eq!(status, 2, "{name}");
        assert!(message.contains(expected), "{message}");
        assert_eq!(names(&directory), ["tree"]);
    }
}

#[test]
fn what_cannot_be_read_is_an_error_and_nothing_is_written() {
    let directory = tree();
    let check = |arguments: &str, expected: &str| {
        let before = names(&directory);
        let (status, message) = fail(&mut line(&directory, arguments));
        assert_eq!(status, 1, "{arguments}");
        assert!(
            message.starts_with("error: cannot make the image: nothing was written\n"),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
        assert_eq!(names(&directory), before);
    };
    check("-o a.iso nowhere", "cannot read `nowhere`\n");
    check(
        "-o a.iso tree/file tree/file",
        "`tree/file` and `tree/file` have the same place in the image",
    );
    check(
        "-r -graft-points -o a.iso x=tree/file x/y=tree/file",
        "have the same place in the image",
    );
    check(
        "-graft-points -o a.iso ../x=tree/file",
        "graft point `../x=tree/file` is outside of the image",
    );
    fs::create_dir(directory.join("special")).expect("writable");
    let _socket =
        std::os::unix::net::UnixListener::bind(directory.join("special/socket")).expect("writable");
    check(
        "-r -o a.iso special",
        "`special/socket` is neither a file, a directory nor a symbolic link",
    );
    fs::create_dir(directory.join("bytes")).expect("writable");
    let name = OsStr::from_bytes(b"bytes/\xff");
    fs::write(directory.join(name), "").expect("writable");
    check("-r -o a.iso bytes", "is not valid UTF-8");
}

#[test]
fn a_new_image_is_for_its_owner_alone_unless_said() {
    let directory = tree();
    let mode = |name: &str| {
        fs::metadata(directory.join(name))
            .expect("it is there")
            .mode()
            & 0o777
    };
    succeed(&mut line(&directory, "-o new.iso tree"));
    assert_eq!(mode("new.iso"), 0o600);
    succeed(line(&directory, "-o shared.iso tree").env("CHRISTEN_OUTPUT_MODE", "644"));
    assert_eq!(mode("shared.iso"), 0o644);
    assert_eq!(names(&directory), ["new.iso", "shared.iso", "tree"]);
}

#[test]
fn an_existing_file_is_written_in_place() {
    let directory = tree();
    let image = directory.join("a.iso");
    fs::write(&image, vec![7; 2_000_000]).expect("writable");
    fs::set_permissions(&image, fs::Permissions::from_mode(0o640)).expect("its owner");
    let before = fs::metadata(&image).expect("it is there");
    succeed(&mut line(&directory, "-quiet -o a.iso tree"));
    let after = fs::metadata(&image).expect("it is there");
    assert_eq!(
        (before.ino(), before.mode(), before.uid()),
        (after.ino(), after.mode(), after.uid())
    );
    succeed(&mut line(&directory, "-quiet -o b.iso tree"));
    assert_eq!(
        after.len(),
        fs::metadata(directory.join("b.iso"))
            .expect("written")
            .len()
    );

    // Through a link, too.
    symlink("a.iso", directory.join("link.iso")).expect("writable");
    succeed(&mut line(&directory, "-V linked -o link.iso tree"));
    assert!(directory.join("link.iso").is_symlink());
    assert!(fs::read(&image).expect("readable")[32_808..].starts_with(b"linked"));
}

#[test]
fn a_failure_leaves_an_existing_file_as_it_was() {
    let directory = tree();
    fs::write(directory.join("a.iso"), "precious").expect("writable");
    // Found out while the trees are read, and while the image is laid out.
    put(&directory, "many/one", "");
    for arguments in ["-o a.iso nowhere", "-V ü -o a.iso tree"] {
        let (status, _) = fail(&mut line(&directory, arguments));
        assert_eq!(status, 1, "{arguments}");
        assert_eq!(
            fs::read(directory.join("a.iso")).expect("readable"),
            b"precious"
        );
    }
}

#[test]
fn standard_output_takes_the_image() {
    let directory = tree();
    succeed(line(&directory, "-r -V x -o file.iso tree").env("SOURCE_DATE_EPOCH", "1000000000"));
    let file = fs::read(directory.join("file.iso")).expect("readable");
    for arguments in ["-r -V x tree", "-r -V x -o - tree"] {
        let output = succeed(line(&directory, arguments).env("SOURCE_DATE_EPOCH", "1000000000"));
        assert!(output.stdout == file, "{arguments}");
    }
}

/// `/dev/full` takes no byte.
#[test]
fn a_failed_write_is_told() {
    let directory = tree();
    let (status, message) = fail(&mut line(&directory, "-o /dev/full tree"));
    assert_eq!(status, 3);
    assert!(message.contains("cannot write `/dev/full`"), "{message}");
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let output = line(&directory, "tree")
        .stdout(Stdio::from(full))
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(3));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        message.contains("cannot write the image to standard output"),
        "{message}"
    );
    succeed(&mut line(&directory, "-o /dev/null tree"));
}

#[test]
fn the_same_sources_and_time_make_the_same_bytes() {
    let directory = tree();
    // Newer than the time of the image, and different in both runs.
    fs::write(directory.join("tree/new"), "").expect("writable");
    let run =
        || succeed(line(&directory, "-R -J tree").env("SOURCE_DATE_EPOCH", "1000000001")).stdout;
    let first = run();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(86_400);
    fs::File::open(directory.join("tree/new"))
        .and_then(|file| file.set_modified(later))
        .expect("its owner");
    assert!(first == run());
    assert!(first != succeed(&mut line(&directory, "-R -J tree")).stdout);
}

#[test]
fn links_are_kept_left_out_or_followed() {
    if judges().is_none() {
        return;
    }
    let directory = tree();
    symlink("file", directory.join("tree/link")).expect("writable");
    symlink("nowhere", directory.join("tree/broken")).expect("writable");
    symlink("directory", directory.join("tree/to-directory")).expect("writable");
    let image = directory.join("a.iso");

    succeed(&mut line(&directory, "-R -o a.iso tree"));
    let kept = read(&image).rock_ridge;
    for expected in [
        "broken -> nowhere",
        "link -> file",
        "to-directory -> directory",
    ] {
        assert!(kept.iter().any(|line| line.ends_with(expected)), "{kept:?}");
    }

    let output = succeed(&mut line(&directory, "-J -o a.iso tree"));
    assert_eq!(
        read(&image).joliet,
        ["/directory", "/directory/other", "/file"]
    );
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        message.contains("warning: symbolic link `tree/link` is left out"),
        "{message}"
    );

    let output = succeed(&mut line(&directory, "-f -r -o a.iso tree"));
    let followed = contents(&image);
    assert_eq!(followed["link"], b"content\n");
    assert_eq!(followed["to-directory/other"], b"other\n");
    assert_eq!(followed.len(), 4);
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(
        message,
        "warning: symbolic link `tree/broken` is left out: it leads nowhere\n"
    );

    symlink("..", directory.join("tree/directory/up")).expect("writable");
    let (status, message) = fail(&mut line(&directory, "-f -r -o a.iso tree"));
    assert_eq!(status, 1);
    assert!(
        message.contains("`tree/directory/up` leads back to a directory that holds it"),
        "{message}"
    );
}

#[test]
fn several_paths_and_path_lists_are_merged() {
    if judges().is_none() {
        return;
    }
    let directory = tree();
    put(&directory, "second/directory/third", "third\n");
    put(
        &directory,
        "list",
        "listed=tree/file\n\nplace/=second/directory/third\n",
    );
    succeed(&mut line(
        &directory,
        "-r -graft-points -o a.iso tree second grafted/x=tree/file -path-list list",
    ));
    let contents = contents(&directory.join("a.iso"));
    assert_eq!(
        contents.keys().map(String::as_str).collect::<Vec<_>>(),
        [
            "directory/other",
            "directory/third",
            "file",
            "grafted/x",
            "listed",
            "place/third"
        ]
    );
}

#[test]
fn print_size_is_the_size_of_the_image() {
    let directory = tree();
    let output = succeed(&mut line(&directory, "-r -J -print-size tree"));
    let sectors: u64 = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .trim_end()
        .parse()
        .expect("a number");
    assert_eq!(names(&directory), ["tree"]);
    succeed(&mut line(&directory, "-r -J -o a.iso tree"));
    let length = fs::metadata(directory.join("a.iso"))
        .expect("written")
        .len();
    assert_eq!(sectors * 2048, length);
}

#[test]
fn help_and_version_succeed() {
    let directory = TempDir::new();
    let output = succeed(&mut line(&directory, "-version"));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("christen-mkisofs {}\n", env!("CARGO_PKG_VERSION"))
    );
    let output = succeed(&mut line(&directory, "-help"));
    assert!(output.stdout.is_empty());
    let help = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(help.contains("  -V, -volid ID\n"), "{help}");
    assert!(!help.contains("-udf"), "{help}");
}

/// The file is longer than what is gathered before the first write, so the output has
/// been begun when it turns out to be shorter than it was.
#[test]
fn a_file_that_changes_leaves_no_half_image() {
    if tools::require("mkfifo").is_none() {
        return;
    }
    let directory = TempDir::new();
    fs::create_dir(directory.join("tree")).expect("writable");
    let growing = directory.join("tree/b");
    fs::File::create(directory.join("tree/a"))
        .and_then(|file| file.set_len(64 << 20))
        .expect("writable");
    fs::write(&growing, "short").expect("writable");
    // Writing into a pipe stops until somebody reads: by then all lengths are known.
    let pipe = directory.join("pipe");
    tools::run(Command::new("mkfifo").arg(&pipe));
    let child = line(&directory, "-o pipe tree")
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut reader = fs::File::open(&pipe).expect("readable");
    std::io::Read::read_exact(&mut reader, &mut [0; 4096]).expect("the image begins");
    fs::write(&growing, "longer than before").expect("writable");
    std::io::copy(&mut reader, &mut std::io::sink()).expect("readable");
    let output = child.wait_with_output().expect("it ends");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(
        message.contains("the content of `b` is longer than the 5 bytes announced"),
        "{message}"
    );
}

/// 1 GiB in 64 MiB of address space, the program and its libraries included.
#[test]
fn memory_does_not_grow_with_the_files() {
    let directory = TempDir::new();
    fs::create_dir(directory.join("tree")).expect("writable");
    fs::File::create(directory.join("tree/large"))
        .and_then(|file| file.set_len(1 << 30))
        .expect("writable");
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 65536 && exec \"$0\" -r -o /dev/null tree"])
        .arg(env!("CARGO_BIN_EXE_christen-mkisofs"))
        .current_dir(&directory);
    succeed(&mut command);
}

/// A file of sysfs says that it is 4096 bytes long and is not: it stands for a file that
/// becomes shorter while it is read.
#[test]
fn a_file_in_place_is_left_as_it_was_or_empty() {
    let shorter = Path::new("/sys/devices/system/cpu/online");
    if !shorter.is_file() {
        return tools::skip("sysfs is not mounted");
    }
    let directory = TempDir::new();
    put(&directory, "tree/first", "");
    symlink(shorter, directory.join("tree/second")).expect("writable");
    let image = directory.join("a.iso");
    let check = |status: i32, expected: &str, left: &[u8]| {
        fs::write(&image, "precious").expect("writable");
        let (found, message) = fail(&mut line(&directory, "-f -r -o a.iso tree"));
        assert_eq!(found, status, "{message}");
        assert_eq!(
            message,
            format!(
                "error: cannot write `a.iso`: {expected}\n  the content of `second` is shorter \
                 than the 4096 bytes announced\n"
            )
        );
        assert!(fs::read(&image).expect("readable") == left);
    };
    check(1, "it was not touched", b"precious");
    fs::File::options()
        .write(true)
        .open(directory.join("tree/first"))
        .and_then(|file| file.set_len(8 << 20))
        .expect("writable");
    check(3, "it was left empty", b"");

    // A new file is not there at all.
    fs::remove_file(&image).expect("it is there");
    let (status, _) = fail(&mut line(&directory, "-f -r -o a.iso tree"));
    assert_eq!(status, 1);
    assert_eq!(names(&directory), ["tree"]);
}
