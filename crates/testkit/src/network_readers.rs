//! The programs that read a guest's network configuration, run on this machine without a guest.
//!
//! They are Debian's, unpacked into the cache and never installed: an installed one would configure this machine. Each question runs
//! them in namespaces of its own, in which there is no network but the devices that it asks for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guest::recipe;
use crate::tools;

/// What is unpacked: netplan, NetworkManager's `nmcli`, ifupdown, networkd, busybox, and what a script needs. Debian's other busybox
/// knows no addresses.
const PACKAGES: &str = "netplan.io,network-manager,ifupdown,systemd,iproute2,busybox-static,dash,coreutils,mount,procps,udev";

/// ifupdown-ng, which Debian has in the place of ifupdown only: below `/ng`.
const IFUPDOWN_NG: &str = "ifupdown-ng";

/// What is left out of it.
const EXCLUDED: [&str; 4] = [
    "./usr/share/doc",
    "./usr/share/man",
    "./usr/share/locale",
    "./dev",
];

/// Makes the namespaces' own view; the root and the files are its arguments.
const OUTSIDE: &str = "set -e
mount -t proc proc $1/proc
mount -t sysfs -o ro sysfs $1/sys
mount -t tmpfs tmpfs $1/run
mount -t tmpfs tmpfs $1/dev
touch $1/dev/null && mount --bind /dev/null $1/dev/null
mkdir $1/run/files && cp -r $2/. $1/run/files
exec chroot $1 /bin/sh -e /run/files/script";

/// The programs.
#[derive(Debug, Clone)]
pub struct NetworkReaders {
    root: PathBuf,
}

/// Returns the programs; `None`, with `skipped: ...` said, when something is missing.
///
/// # Panics
///
/// Panics when something is missing and `CHRISTEN_REQUIRE_TOOLS` is `1`.
#[track_caller]
pub fn require() -> Option<NetworkReaders> {
    tools::require("mmdebstrap")?;
    tools::require("unshare")?;
    if !rustix::process::geteuid().is_root() {
        tools::skip("namespaces with devices of their own need root");
        return None;
    }
    match fetch() {
        Ok(root) => Some(NetworkReaders { root }),
        Err(error) => {
            tools::skip(&format!(
                "the readers of networks could not be fetched ({error})"
            ));
            None
        }
    }
}

impl NetworkReaders {
    /// Runs a shell script among the programs and returns what it writes to standard output. The files of a directory are in
    /// `/run/files` then.
    ///
    /// # Panics
    ///
    /// Panics when the script does not succeed, and shows all that it wrote.
    #[track_caller]
    pub fn ask(&self, files: &Path, script: &str) -> String {
        if let Err(error) = fs::write(files.join("script"), script) {
            panic!("the script cannot be written: {error}");
        }
        let output = tools::run(
            Command::new("timeout")
                .args(["120", "unshare", "--net", "--mount", "--pid", "--fork"])
                .args(["sh", "-c", OUTSIDE, "sh"])
                .arg(&self.root)
                .arg(files)
                .env("LC_ALL", "C.UTF-8")
                .env("SHELL", "/bin/sh")
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        );
        String::from_utf8_lossy(&output).into_owned()
    }
}

/// Unpacks the packages; returns the root.
fn fetch() -> io::Result<PathBuf> {
    recipe::cached(
        "network-readers",
        &[recipe::RELEASE, PACKAGES, IFUPDOWN_NG, "3"],
        |directory| {
            unpack(PACKAGES, directory, &[])?;
            let ng = directory.join("ng");
            fs::create_dir(&ng)?;
            unpack(IFUPDOWN_NG, &ng, &["./sbin", "./usr/libexec/ifupdown-ng"])?;
            for name in ["proc", "sys", "run", "dev"] {
                fs::create_dir_all(directory.join(name))?;
            }
            // What the packages' scripts would make.
            let shell = directory.join("bin/sh");
            if !shell.exists() {
                std::os::unix::fs::symlink("dash", shell)?;
            }
            // networkd makes its DHCP identifiers of it.
            fs::write(
                directory.join("etc/machine-id"),
                "0123456789abcdef0123456789abcdef\n",
            )?;
            fs::write(
                directory.join("etc/passwd"),
                "root:x:0:0::/:/bin/sh\nsystemd-network:x:998:998::/:/bin/sh\n",
            )?;
            fs::write(
                directory.join("etc/group"),
                "root:x:0:\nsystemd-network:x:998:\n",
            )
        },
    )
}

/// Unpacks packages and what they depend on; of that only `members`, if there are any.
fn unpack(packages: &str, into: &Path, members: &[&str]) -> io::Result<()> {
    let archive = into.join("packages.tar");
    recipe::run(
        Command::new("mmdebstrap")
            .args(["--variant=extract", "--include", packages, recipe::RELEASE])
            .arg(&archive),
    )?;
    let mut tar = Command::new("tar");
    tar.args(["--no-same-owner", "-C"]).arg(into);
    for excluded in EXCLUDED {
        tar.arg(format!("--exclude={excluded}"));
    }
    recipe::run(tar.arg("-xf").arg(&archive).args(members))?;
    fs::remove_file(archive)
}
