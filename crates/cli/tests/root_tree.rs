//! An identity put into a root tree in a directory of this host, by the real binary.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use christen_instance::Value;
use christen_testkit::{TempDir, phony, tools};
use christen_vfs::{FileId, FileSystem, Kind};
use support::{christen, christen_in, fail_somehow, member, run, succeed};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8eE0PG2fKYQ2pcrUFMN9zqB5XqVX0VHm3dqkHxyzab mika@example";

/// A directory with a description and a root tree, whose owners are moved by `shift`.
fn with_tree(shift: u32) -> Option<TempDir> {
    // Only root may give a tree its owners.
    if fs::metadata("/proc/self").ok()?.uid() != 0 {
        return None;
    }
    let description = format!(
        "name: web-01\nguest:\n  root_password: Unspeakable1\n  users:\n  - name: deploy\n    \
         ssh_authorized_keys: {KEY}\n"
    );
    let directory = support::with_description(&description);
    let mut tree = phony::debian_12().file("/etc/fstab", "").into_fs();
    let root = tree.root();
    fs::create_dir(directory.join("rootfs")).unwrap();
    write(&mut tree, root, &directory.join("rootfs"), shift);
    Some(directory)
}

fn write(tree: &mut dyn FileSystem, file: FileId, to: &Path, shift: u32) {
    let found = tree.attributes(file).unwrap();
    match found.kind {
        Kind::Directory => {
            let _ = fs::create_dir(to);
            for entry in tree.entries(file).unwrap() {
                let name = std::ffi::OsStr::from_bytes(&entry.name);
                write(tree, entry.file, &to.join(name), shift);
            }
        }
        Kind::SymbolicLink => {
            let target = tree.read_link(file).unwrap();
            symlink(std::ffi::OsStr::from_bytes(&target), to).unwrap();
        }
        Kind::File => {
            let mut content = vec![0; found.size as usize];
            tree.read_at(file, &mut content, 0).unwrap();
            fs::write(to, content).unwrap();
        }
        _ => return,
    }
    lchown(to, Some(found.uid + shift), Some(found.gid + shift)).unwrap();
    if found.kind != Kind::SymbolicLink {
        fs::set_permissions(to, fs::Permissions::from_mode(found.permissions.into())).unwrap();
    }
}

/// All that there is at a path: mode, owner, content or target, and when it was changed.
type Listing = BTreeMap<PathBuf, (u32, u32, u32, Vec<u8>, i64)>;

fn listing(root: &Path) -> Listing {
    let mut listing = Listing::new();
    let mut left = vec![root.to_owned()];
    while let Some(at) = left.pop() {
        let found = fs::symlink_metadata(&at).unwrap();
        let content = if found.is_dir() {
            left.extend(fs::read_dir(&at).unwrap().map(|it| it.unwrap().path()));
            Vec::new()
        } else if found.is_symlink() {
            fs::read_link(&at).unwrap().as_os_str().as_bytes().to_vec()
        } else {
            fs::read(&at).unwrap()
        };
        let value = (
            found.mode(),
            found.uid(),
            found.gid(),
            content,
            found.mtime(),
        );
        listing.insert(at, value);
    }
    listing
}

/// The program where every user may reach it, which the directory of a build need not be.
fn program_for_all() -> (TempDir, PathBuf) {
    let directory = TempDir::new();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = directory.path().join("christen");
    fs::copy(christen().get_program(), &program).unwrap();
    (directory, program)
}

fn only_tree_is_left(directory: &TempDir) {
    assert_eq!(support::names(directory), ["instance.yaml", "rootfs"]);
}

#[test]
fn an_identity_is_put_into_a_tree_and_a_second_run_changes_nothing() {
    let Some(directory) = with_tree(0) else {
        return;
    };
    let root = directory.join("rootfs");
    let before = listing(&root);
    let plan = succeed(&mut christen_in(
        &directory,
        "plan --root rootfs instance.yaml",
    ));
    assert!(plan.text().contains("/home/deploy/.ssh/authorized_keys"));
    assert!(!plan.text().contains("Unspeakable1"));
    succeed(&mut christen_in(
        &directory,
        "inject --root rootfs instance.yaml --dry-run",
    ));
    assert_eq!(listing(&root), before);
    let missing = run(&mut christen_in(
        &directory,
        "verify --root rootfs instance.yaml",
    ));
    assert_eq!(missing.status, 1);
    assert!(missing.text().contains("it is not there (the kernel)"));

    let inject = "inject --root rootfs instance.yaml";
    let first = succeed(&mut christen_in(&directory, inject));
    let text = first.text();
    assert!(
        text.contains("+ /home/deploy/.ssh/authorized_keys"),
        "{text}"
    );
    assert!(text.contains("verified by the kernel"), "{text}");
    assert!(!text.contains("not verified"), "{text}");
    assert!(!text.contains("Unspeakable1") && !first.stderr.contains("Unspeakable1"));
    only_tree_is_left(&directory);
    let keys = fs::read_to_string(root.join("home/deploy/.ssh/authorized_keys")).unwrap();
    assert!(keys.ends_with(&format!("{KEY}\n")), "{keys}");
    let home = fs::metadata(root.join("home/deploy")).unwrap();
    assert_eq!((home.uid(), home.gid()), (1000, 1000));
    let shadow = fs::metadata(root.join("etc/shadow")).unwrap();
    let (mode, uid, gid, ..) = before[&root.join("etc/shadow")];
    assert_eq!(
        (shadow.mode(), shadow.uid(), shadow.gid()),
        (mode, uid, gid)
    );
    assert_eq!(
        fs::read_to_string(root.join("etc/hostname")).unwrap(),
        "web-01\n"
    );

    let after = listing(&root);
    let second = succeed(&mut christen_in(&directory, &format!("{inject} --json")));
    assert_eq!(*member(&second.json(), "changed"), Value::Bool(false));
    assert_eq!(*member(&second.json(), "verified"), Value::Bool(true));
    assert_eq!(listing(&root), after);
    succeed(&mut christen_in(
        &directory,
        "verify --root rootfs instance.yaml",
    ));
    succeed(&mut christen_in(&directory, "recover --root rootfs"));
}

#[test]
fn owners_are_those_of_the_map() {
    let Some(directory) = with_tree(100_000) else {
        return;
    };
    let root = directory.join("rootfs");
    let before = listing(&root);
    // The map ends before the new account.
    let short = "inject --root rootfs --id-map 0:100000:1000 instance.yaml";
    let failed = fail_somehow(&mut christen_in(&directory, short), 1);
    assert!(
        failed.stderr.contains("the guest's user 1000"),
        "{}",
        failed.stderr
    );
    assert_eq!(listing(&root), before);
    only_tree_is_left(&directory);

    let inject = "inject --root rootfs --id-map 0:100000:65536 instance.yaml";
    let text = succeed(&mut christen_in(&directory, inject));
    assert!(!text.text().contains("not verified"), "{}", text.text());
    for (path, (_, uid, gid, ..)) in listing(&root) {
        assert!(uid >= 100_000 && gid >= 100_000, "{path:?} is {uid}:{gid}");
    }
    let home = fs::metadata(root.join("home/deploy/.ssh/authorized_keys")).unwrap();
    assert_eq!((home.uid(), home.gid()), (101_000, 101_000));
    let second = succeed(&mut christen_in(&directory, &format!("{inject} --json")));
    assert_eq!(*member(&second.json(), "changed"), Value::Bool(false));
}

#[test]
fn without_the_right_to_it_nothing_is_changed() {
    let Some(setpriv) = tools::require("setpriv") else {
        return;
    };
    let Some(directory) = with_tree(0) else {
        return;
    };
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let root = directory.join("rootfs");
    // Everything is the caller's own, so that it may be read.
    for path in listing(&root).keys() {
        lchown(path, Some(12_345), Some(12_345)).unwrap();
    }
    chown(directory.path(), Some(12_345), Some(12_345)).unwrap();
    let before = listing(&root);
    let (_program_directory, program) = program_for_all();
    let as_other = |arguments: &[&str]| {
        let mut command = Command::new(&setpriv);
        command
            .args(["--reuid=12345", "--regid=12345", "--clear-groups", "--"])
            .arg(&program)
            .args(arguments)
            .current_dir(directory.path());
        command
    };
    let inject = ["inject", "--root", "rootfs", "instance.yaml"];
    let failed = fail_somehow(&mut as_other(&inject), 1);
    assert!(
        failed.stderr.contains("which the caller may not set"),
        "{}",
        failed.stderr
    );
    assert_eq!(listing(&root), before);
    only_tree_is_left(&directory);

    // With a map that makes the caller the guest's root, what is root's can be put there; the account's home cannot.
    let mapped = [
        "inject",
        "--root",
        "rootfs",
        "--id-map",
        "0:12345:1",
        "instance.yaml",
    ];
    fail_somehow(&mut as_other(&mapped), 1);
    assert_eq!(listing(&root), before);
    support::put(&directory, "instance.yaml", "name: web-02\n");
    succeed(&mut as_other(&mapped));
    assert_eq!(
        fs::read_to_string(root.join("etc/hostname")).unwrap(),
        "web-02\n"
    );
    let found = fs::metadata(root.join("etc/hostname")).unwrap();
    assert_eq!((found.uid(), found.gid()), (12_345, 12_345));
}

/// As `lxc-usernsexec` does it: the kernel knows the map, and christen is told none.
#[test]
fn a_user_namespace_needs_no_map() {
    let Some(unshare) = tools::require("unshare") else {
        return;
    };
    let Some(nsenter) = tools::require("nsenter") else {
        return;
    };
    let Some(directory) = with_tree(100_000) else {
        return;
    };
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let instance = directory.join("instance.yaml");
    fs::set_permissions(instance, fs::Permissions::from_mode(0o644)).unwrap();
    chown(directory.path(), Some(100_000), Some(100_000)).unwrap();
    let root = directory.join("rootfs");
    let (_program_directory, program) = program_for_all();
    let inject = |count: u32, end: &dyn Fn(&mut Command)| {
        let mut holder = Command::new(&unshare)
            .args(["--user", "sleep", "60"])
            .spawn()
            .unwrap();
        let process = PathBuf::from(format!("/proc/{}", holder.id()));
        // It is in a namespace of its own as soon as that can be mapped.
        let own = fs::read_link("/proc/self/ns/user").unwrap();
        while fs::read_link(process.join("ns/user")).unwrap() == own {
            std::thread::yield_now();
        }
        for map in ["uid_map", "gid_map"] {
            fs::write(process.join(map), format!("0 100000 {count}")).unwrap();
        }
        let mut command = Command::new(&nsenter);
        command
            .args(["-t", &holder.id().to_string(), "-U", "-S", "0", "-G", "0"])
            .arg(&program)
            .args(["inject", "--root", "rootfs", "instance.yaml"])
            .current_dir(directory.path());
        end(&mut command);
        holder.kill().unwrap();
        holder.wait().unwrap();
    };
    let before = listing(&root);
    inject(500, &|command| {
        let failed = fail_somehow(command, 1);
        let said = "which the caller may not set";
        assert!(failed.stderr.contains(said), "{}", failed.stderr);
    });
    assert_eq!(listing(&root), before);
    only_tree_is_left(&directory);
    inject(65_536, &|command| {
        succeed(command);
    });
    let home = fs::metadata(root.join("home/deploy")).unwrap();
    assert_eq!((home.uid(), home.gid()), (101_000, 101_000));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let directory = support::with_description("name: web-01\n");
    fs::create_dir(directory.join("rootfs")).unwrap();
    for (arguments, message) in [
        (
            "inject --root rootfs a.img instance.yaml",
            "`--root` stands for the image",
        ),
        (
            "inject --root rootfs instance.yaml --output b",
            "`--root` and `--output`",
        ),
        (
            "inject --root rootfs instance.yaml --like nova",
            "`--root` and `--like nova`",
        ),
        (
            "inject --root rootfs instance.yaml --format raw",
            "cannot be used with",
        ),
        (
            "plan --root rootfs instance.yaml --partition 1",
            "cannot be used with",
        ),
        ("plan a.img instance.yaml --id-map 0:1:2", "--root"),
        (
            "plan --root rootfs --id-map 0:1:0 instance.yaml",
            "at least one number",
        ),
        ("inject a.img", "INSTANCE"),
        ("recover", "IMAGE"),
        ("recover a.img --root rootfs", "cannot be used with"),
    ] {
        let failed = fail_somehow(&mut christen_in(&directory, arguments), 2);
        assert!(failed.stderr.contains(message), "{}", failed.stderr);
    }
    let failed = fail_somehow(
        &mut christen_in(&directory, "inject --root none instance.yaml"),
        1,
    );
    assert!(
        failed.stderr.contains("cannot open `none`"),
        "{}",
        failed.stderr
    );
}

/// How often a process is killed.
const ROUNDS: u32 = 20;

/// Kills the process wherever it is; afterwards the tree is the old one or the new one.
#[test]
fn a_killed_run_leaves_the_old_tree_or_the_new_one() {
    let Some(directory) = with_tree(0) else {
        return;
    };
    // Nothing random, so that every run comes to the same tree.
    support::put(
        &directory,
        "instance.yaml",
        format!(
            "name: web-01\nguest:\n  users:\n  - name: deploy\n    ssh_authorized_keys: {KEY}\n"
        ),
    );
    let copy = |name: &str| {
        let copied = Command::new("cp")
            .args(["-a", "rootfs", name])
            .current_dir(directory.path())
            .status()
            .unwrap();
        assert!(copied.success());
        directory.join(name)
    };
    let relative = |root: &Path| -> BTreeMap<_, _> {
        let strip = |path: PathBuf| path.strip_prefix(root).unwrap().to_owned();
        listing(root)
            .into_iter()
            .map(|(path, it)| (strip(path), it))
            .collect()
    };
    let inject = |name: &str| {
        let time = "--time 2030-01-01T00:00:00Z";
        christen_in(
            &directory,
            &format!("inject --root {name} instance.yaml {time}"),
        )
    };
    let old = relative(&directory.join("rootfs"));
    let whole = copy("whole");
    let begun = Instant::now();
    succeed(&mut inject("whole"));
    let took = begun.elapsed();
    let new = relative(&whole);
    assert_ne!(old, new);
    let (mut undone, mut ends) = (0, [0, 0]);
    for round in 0..ROUNDS {
        let root = copy("killed");
        let mut child = inject("killed")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if round + 1 < ROUNDS {
            std::thread::sleep(took * round / (ROUNDS - 6));
            child.kill().unwrap();
        }
        child.wait().unwrap();
        let told = succeed(&mut christen_in(&directory, "recover --root killed --json"));
        if *member(&told.json(), "recovered") == Value::from("undone") {
            undone += 1;
        }
        let found = relative(&root);
        assert!(found == old || found == new, "round {round}");
        ends[usize::from(found == new)] += 1;
        assert!(!directory.join(".killed.christen-undo").exists());
        fs::remove_dir_all(root).unwrap();
    }
    // The first is killed at once, and the last not at all.
    assert!(
        ends[0] > 0 && ends[1] > 0,
        "old and new: {ends:?}, undone: {undone}"
    );
}
