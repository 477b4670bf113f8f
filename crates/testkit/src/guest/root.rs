//! Kernel and first root of a guest that needs no more than busybox and a few programs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cpio;
use super::recipe::{self, RELEASE};

/// What a guest is made of, all from Debian's packages.
#[derive(Debug)]
pub(super) struct FirstRoot {
    /// Under which name it is kept.
    pub(super) name: &'static str,
    /// What it does: a script for busybox.
    pub(super) init: &'static str,
    /// The packages, separated by commas.
    pub(super) packages: &'static str,
    /// Modules of the kernel, in the order in which they must be loaded.
    pub(super) modules: &'static [&'static str],
    /// Programs and what they are linked to, from the extracted packages.
    pub(super) files: &'static [&'static str],
}

impl FirstRoot {
    /// Returns the directory that holds `vmlinuz` and `initrd`, made when it is not in the cache.
    pub(super) fn artefact(&self) -> io::Result<PathBuf> {
        recipe::cached(
            self.name,
            &[
                RELEASE,
                self.packages,
                self.init,
                &self.modules.join(","),
                &self.files.join(","),
            ],
            |directory| self.make(directory),
        )
    }

    fn make(&self, directory: &Path) -> io::Result<()> {
        let archive = directory.join("packages.tar");
        let tree = directory.join("packages");
        recipe::run(
            Command::new("mmdebstrap")
                .arg("--variant=extract")
                .arg(format!("--include={}", self.packages))
                .arg(RELEASE)
                .arg(&archive),
        )?;
        fs::create_dir(&tree)?;
        recipe::run(
            Command::new("tar")
                .args(["--no-same-owner", "--exclude=./dev", "-C"])
                .arg(&tree)
                .arg("-xf")
                .arg(&archive),
        )?;
        let kernel = only_child(&tree.join("boot"), "vmlinuz-")?;
        fs::copy(&kernel, directory.join("vmlinuz"))?;
        fs::write(directory.join("initrd"), self.archive(&tree)?)?;
        fs::remove_file(&archive)?;
        fs::remove_dir_all(&tree)
    }

    /// The first root as a cpio archive.
    fn archive(&self, tree: &Path) -> io::Result<Vec<u8>> {
        let modules = only_child(&tree.join("lib/modules"), "")?.join("kernel");
        let mut archive = Vec::new();
        for directory in [
            "bin",
            "dev",
            "lib",
            "lib/x86_64-linux-gnu",
            "lib64",
            "mnt",
            "modules",
            "proc",
            "sbin",
            "sys",
        ] {
            cpio::append(&mut archive, directory, 0o040_755, b"");
        }
        for file in self.files {
            // Debian moves directories under /usr one package at a time.
            let mut source = [tree.join(file), tree.join("usr").join(file)]
                .into_iter()
                .find(|candidate| candidate.symlink_metadata().is_ok())
                .ok_or_else(|| io::Error::other(format!("no package holds `{file}`")))?;
            // A link to an absolute path (the loader is one) would lead out of the tree.
            if let Ok(target) = fs::read_link(&source)
                && target.is_absolute()
            {
                source = tree.join(target.strip_prefix("/").unwrap_or(&target));
            }
            cpio::append(&mut archive, file, 0o100_755, &fs::read(source)?);
        }
        let mut order = String::new();
        for module in self.modules {
            let source = modules.join(format!("{module}.ko"));
            // One that is built into this kernel has no file.
            if source.exists() {
                let name = module.rsplit('/').next().unwrap_or(module);
                order.push_str(name);
                order.push('\n');
                cpio::append(
                    &mut archive,
                    &format!("modules/{name}"),
                    0o100_644,
                    &fs::read(source)?,
                );
            }
        }
        cpio::append(&mut archive, "modules/order", 0o100_644, order.as_bytes());
        cpio::append(&mut archive, "init", 0o100_755, self.init.as_bytes());
        cpio::finish(&mut archive);
        Ok(archive)
    }
}

/// The one entry of a directory whose name begins with `prefix`.
fn only_child(directory: &Path, prefix: &str) -> io::Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            found.push(entry.path());
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(path), true) => Ok(path),
        _ => Err(io::Error::other(format!(
            "{} does not hold one `{prefix}*`",
            directory.display()
        ))),
    }
}
