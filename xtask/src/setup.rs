//! Installs what tests and guests are made with.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use christen_testkit::{cloud_init, python, tools};

use crate::command::{Failure, run, text};

/// A tool and the Debian package that holds it.
const TOOLS: [(&str, &str); 48] = [
    ("blkid", "util-linux"),
    ("bsdtar", "libarchive-tools"),
    ("btrfs", "btrfs-progs"),
    ("c++", "g++"),
    ("cc", "gcc"),
    ("cloud-localds", "cloud-image-utils"),
    ("cryptsetup", "cryptsetup-bin"),
    ("fakeroot", "fakeroot"),
    ("fdisk", "fdisk"),
    ("fsck.vfat", "dosfstools"),
    ("genisoimage", "genisoimage"),
    ("getfattr", "attr"),
    ("gpgv", "gpgv"),
    ("guestfish", "libguestfs-tools"),
    ("isoinfo", "genisoimage"),
    ("losetup", "mount"),
    ("lvm", "lvm2"),
    ("matchpathcon", "selinux-utils"),
    ("mcopy", "mtools"),
    ("mke2fs", "e2fsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("mkfs.exfat", "exfatprogs"),
    ("mkfs.f2fs", "f2fs-tools"),
    ("mkfs.ntfs", "ntfs-3g"),
    ("mkfs.vfat", "dosfstools"),
    ("mkfs.xfs", "xfsprogs"),
    ("mksquashfs", "squashfs-tools"),
    ("mkswap", "util-linux"),
    ("mmd", "mtools"),
    ("mmdebstrap", "mmdebstrap"),
    ("mtype", "mtools"),
    ("nbdkit", "nbdkit"),
    ("openssl", "openssl"),
    ("partx", "util-linux"),
    ("pvcreate", "lvm2"),
    ("python3", "python3"),
    ("qemu-img", "qemu-utils"),
    ("qemu-nbd", "qemu-utils"),
    ("qemu-storage-daemon", "qemu-system-common"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("setfacl", "acl"),
    ("sfdisk", "fdisk"),
    ("sgdisk", "gdisk"),
    ("strace", "strace"),
    ("supermin", "supermin"),
    ("time", "time"),
    ("unshare", "util-linux"),
    ("xorriso", "xorriso"),
];

/// What `selinux-policy-default` makes when it is installed.
const SELINUX_POLICY: &str = "/etc/selinux/default/contexts/files/file_contexts";

/// What the virtual environment holds: the references, and what cloud-init imports.
const PYTHON_PACKAGES: [&str; 9] = [
    "nova==34.0.0",
    "oslo.config==10.7.0",
    "jsonschema==4.26.0",
    "PyYAML==6.0.3",
    "Jinja2==3.1.6",
    "configobj==5.0.9",
    "jsonpatch==1.47",
    "oauthlib==3.3.1",
    "requests==2.34.2",
];

/// Installs everything; quick when all is there.
pub(crate) fn all() -> Result<(), Failure> {
    packages()?;
    environment()?;
    cloud_init_module()
}

/// Lets the virtual environment import cloud-init too, from where it was unpacked.
fn cloud_init_module() -> Result<(), Failure> {
    let Some(newest) = cloud_init::require().pop() else {
        return Ok(());
    };
    for entry in fs::read_dir(python::environment().join("lib"))? {
        let modules = entry?.path().join("site-packages");
        if modules.is_dir() {
            fs::write(
                modules.join("christen-cloud-init.pth"),
                format!("{}\n", newest.packages().display()),
            )?;
        }
    }
    Ok(())
}

fn packages() -> Result<(), Failure> {
    let mut missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(tool, _)| tools::find(tool).is_none())
        .map(|(_, package)| *package)
        .collect();
    // The module without which Debian's python3 makes no virtual environment.
    if !python::environment().exists() && !python_has_venv() {
        missing.extend(["python3-venv"]);
    }
    // A policy is no tool, and the judge of labels needs one.
    if !Path::new(SELINUX_POLICY).exists() {
        missing.push("selinux-policy-default");
    }
    // libguestfs makes its appliance from the kernel of the machine, and a container has none.
    if !has_kernel() {
        missing.push("linux-image-cloud-amd64");
    }
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    if tools::find("apt-get").is_none() {
        return Err(Failure::Usage(format!(
            "this is no Debian machine; install what Debian calls {}",
            missing.join(" ")
        )));
    }
    if !is_root() {
        return Err(Failure::Usage(format!(
            "some tools are missing; install them with\n  sudo apt-get update && sudo {}",
            text(&apt_install(&missing))
        )));
    }
    println!("setup: installing {}", missing.join(" "));
    run(&mut quietly(Command::new("apt-get").args(["update"])))?;
    if run(&mut quietly(&mut apt_install(&missing))).is_ok() {
        return Ok(());
    }
    // qemu-utils may have come from a backport; the emulator of the release and it then
    // exclude each other. From the backports if they are configured, else both from the release.
    let release = release()?;
    println!("setup: trying again with packages of {release}-backports");
    let mut backports = apt_install(&missing);
    backports.args(["-t", &format!("{release}-backports")]);
    if run(&mut quietly(&mut backports)).is_ok() {
        return Ok(());
    }
    println!("setup: trying again with qemu-utils of {release}");
    let mut downgrade = apt_install(&missing);
    downgrade.args(["--allow-downgrades", &format!("qemu-utils/{release}")]);
    run(&mut quietly(&mut downgrade))
}

fn apt_install(packages: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    command
}

/// The same command, asking nothing and showing only what goes wrong.
fn quietly(command: &mut Command) -> Command {
    let mut quiet = Command::new(command.get_program());
    quiet
        .args(command.get_args())
        .arg("-qq")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    quiet
}

fn has_kernel() -> bool {
    fs::read_dir("/boot").is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"vmlinuz"))
    })
}

fn is_root() -> bool {
    // The owner of a process's own directory in /proc is who runs it.
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// The code name of this Debian, `bookworm`.
fn release() -> Result<String, Failure> {
    fs::read_to_string("/etc/os-release")?
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .ok_or_else(|| Failure::Usage("/etc/os-release names no release".to_owned()))
}

fn python_has_venv() -> bool {
    Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Makes the virtual environment, unless the one there was made by the same list.
fn environment() -> Result<(), Failure> {
    let whole = python::environment();
    let list = PYTHON_PACKAGES.join("\n");
    let marker = |directory: &PathBuf| directory.join("christen-packages.txt");
    if fs::read_to_string(marker(&whole)).is_ok_and(|found| found == list) {
        return Ok(());
    }
    println!("setup: installing {} from PyPI", PYTHON_PACKAGES.join(" "));
    if whole.exists() {
        fs::remove_dir_all(&whole)?;
    }
    // Made in its place, since its programs hold their own path; the marker comes last.
    run(Command::new("python3").args(["-m", "venv"]).arg(&whole))?;
    run(Command::new(whole.join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(PYTHON_PACKAGES))?;
    fs::write(marker(&whole), list)?;
    Ok(())
}
