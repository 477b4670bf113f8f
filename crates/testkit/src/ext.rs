//! Images of ext2, ext3 and ext4 by recipe, made by mke2fs and judged by e2fsck.
//!
//! A recipe lists every feature, so that the image is the same whatever `mke2fs.conf` the machine has, and so that one release
//! of e2fsprogs makes what the others make by default.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use crate::tools;

/// The block sizes that mke2fs chooses by itself, in bytes.
pub const BLOCK_BYTES: [u32; 3] = [1024, 2048, 4096];

/// Common to all that mke2fs makes by default (`misc/mke2fs.conf.in`, `base_features`, 1.43 to 1.47).
macro_rules! base {
    ($($more:literal),* $(,)?) => {
        &["sparse_super", "large_file", "filetype", "resize_inode", "dir_index", "ext_attr", $($more),*]
    };
}

/// What `mke2fs -t ext4` of release 1.43 to 1.46 adds, and `$more`.
macro_rules! ext4 {
    ($($more:literal),* $(,)?) => {
        base!(
            "has_journal", "extent", "huge_file", "flex_bg", "metadata_csum", "64bit", "dir_nlink", "extra_isize", $($more),*
        )
    };
}

/// How an image is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// A name for messages.
    pub name: &'static str,
    /// Every feature, by mke2fs's names.
    pub features: &'static [&'static str],
    /// The size of an inode in bytes.
    pub inode_bytes: u32,
    /// More arguments for mke2fs.
    pub arguments: &'static [&'static str],
    /// Who may mount it.
    pub mounts: Mounts,
}

/// Who may mount an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mounts {
    /// The kernel of this machine.
    Host,
    /// A guest alone: mounting it has hung or harmed kernels like this machine's.
    Guest,
}

const fn host(
    name: &'static str,
    features: &'static [&'static str],
    inode_bytes: u32,
    arguments: &'static [&'static str],
) -> Recipe {
    Recipe {
        name,
        features,
        inode_bytes,
        arguments,
        mounts: Mounts::Host,
    }
}

/// What mke2fs makes by default, release by release, and what cloud images and installers carry: all of it is to be written.
pub const RECIPES: &[Recipe] = &[
    host("ext2", base!(), 256, &[]),
    host("ext2-small-inodes", base!(), 128, &[]),
    host("ext2-bare", &["filetype"], 128, &[]),
    host("ext2-oldest", &[], 128, &["-r", "0"]),
    host("ext3", base!("has_journal"), 256, &[]),
    host("ext3-small-inodes", base!("has_journal"), 128, &[]),
    host("ext4-1.43", ext4!(), 256, &[]),
    host(
        "ext4-1.47",
        ext4!("metadata_csum_seed", "orphan_file"),
        256,
        &[],
    ),
    host("ext4-small-inodes", ext4!(), 128, &[]),
    host("ext4-large-inodes", ext4!(), 512, &[]),
    host(
        "ext4-uninit_bg",
        base!(
            "has_journal",
            "extent",
            "huge_file",
            "flex_bg",
            "uninit_bg",
            "dir_nlink",
            "extra_isize"
        ),
        256,
        &[],
    ),
    host(
        "ext4-32-bit",
        base!(
            "has_journal",
            "extent",
            "huge_file",
            "flex_bg",
            "metadata_csum",
            "dir_nlink",
            "extra_isize"
        ),
        256,
        &[],
    ),
    host(
        "ext4-no-journal",
        base!(
            "extent",
            "huge_file",
            "flex_bg",
            "metadata_csum",
            "64bit",
            "dir_nlink",
            "extra_isize"
        ),
        256,
        &[],
    ),
    host(
        "ext4-meta_bg",
        &[
            "sparse_super",
            "large_file",
            "filetype",
            "dir_index",
            "ext_attr",
            "has_journal",
            "extent",
            "huge_file",
            "meta_bg",
            "metadata_csum",
            "64bit",
            "dir_nlink",
            "extra_isize",
        ],
        256,
        // Small groups, so that there are several groups of descriptors.
        &["-g", "1024"],
    ),
    host(
        "ext4-sparse_super2",
        &[
            "sparse_super2",
            "large_file",
            "filetype",
            "dir_index",
            "ext_attr",
            "has_journal",
            "extent",
            "flex_bg",
            "metadata_csum",
            "64bit",
            "dir_nlink",
            "extra_isize",
        ],
        256,
        &["-E", "num_backup_sb=2"],
    ),
    host("ext4-stable_inodes", ext4!("stable_inodes"), 256, &[]),
    host("ext4-small-groups", ext4!(), 256, &["-g", "2048"]),
    Recipe {
        mounts: Mounts::Guest,
        ..host("ext4-inline_data", ext4!("inline_data"), 256, &[])
    },
    Recipe {
        mounts: Mounts::Guest,
        ..host(
            "ext4-inline_data-large-inodes",
            ext4!("inline_data", "metadata_csum_seed", "orphan_file"),
            512,
            &[],
        )
    },
    host("ext4-large_dir", ext4!("large_dir"), 256, &[]),
    host("ext4-ea_inode", ext4!("ea_inode"), 256, &[]),
    Recipe {
        mounts: Mounts::Guest,
        ..host("ext4-quota", ext4!("quota"), 256, &[])
    },
    Recipe {
        mounts: Mounts::Guest,
        ..host("ext4-project", ext4!("quota", "project"), 256, &[])
    },
    Recipe {
        mounts: Mounts::Guest,
        ..host("ext4-mmp", ext4!("mmp"), 256, &[])
    },
];

/// What is written or refused by name.
pub const LATER_RECIPES: &[Recipe] = &[
    host("ext4-bigalloc", ext4!("bigalloc"), 256, &["-C", "16384"]),
    Recipe {
        mounts: Mounts::Guest,
        ..host("ext4-casefold", ext4!("casefold"), 256, &[])
    },
    Recipe {
        mounts: Mounts::Guest,
        ..host("ext4-encrypt", ext4!("encrypt"), 256, &[])
    },
    Recipe {
        mounts: Mounts::Guest,
        ..host("ext4-verity", ext4!("verity"), 256, &[])
    },
];

impl Recipe {
    /// Finds a recipe by its name.
    ///
    /// # Panics
    ///
    /// Panics when there is none.
    #[track_caller]
    pub fn named(name: &str) -> &'static Self {
        match RECIPES
            .iter()
            .chain(LATER_RECIPES)
            .find(|recipe| recipe.name == name)
        {
            Some(recipe) => recipe,
            None => panic!("there is no recipe `{name}`"),
        }
    }

    /// Whether the filesystem has a feature.
    pub fn has(&self, feature: &str) -> bool {
        self.features.contains(&feature)
    }

    /// Makes an image of so many MiB; the file is new and sparse. UUID and hash seed are always the same.
    ///
    /// # Panics
    ///
    /// Panics when mke2fs fails.
    #[track_caller]
    pub fn make(&self, image: &Path, block_bytes: u32, mebibytes: u64) {
        self.make_with(image, block_bytes, mebibytes << 20, &[]);
    }

    /// As [`make`](Self::make), with more arguments (`-d DIRECTORY`, `-N INODES`) and a size in bytes.
    ///
    /// # Panics
    ///
    /// Panics when mke2fs fails.
    #[track_caller]
    pub fn make_with(&self, image: &Path, block_bytes: u32, bytes: u64, more: &[&str]) {
        File::create(image)
            .and_then(|file| file.set_len(bytes))
            .expect("makes a sparse file");
        let mke2fs = tools::find("mke2fs").expect("the caller has required mke2fs");
        let features = ["none"]
            .iter()
            .chain(self.features)
            .copied()
            .collect::<Vec<_>>()
            .join(",");
        let mut command = Command::new(mke2fs);
        command
            .args(["-q", "-F", "-O", &features])
            .args(["-b", &block_bytes.to_string()])
            .args(["-I", &self.inode_bytes.to_string()])
            .args(["-U", "6f1b6a3c-9b9a-4a7e-8d0f-0d5f1f0f2a11"])
            .args(["-e", "remount-ro"])
            .args(self.arguments);
        let mut extended = "hash_seed=2c0cf2a5-3a4e-4b3c-9c1e-6f9d5d7b8e21,nodiscard".to_owned();
        // mke2fs takes the last -E alone.
        let mut rest = more.iter().peekable();
        for pair in self.arguments.windows(2) {
            if pair[0] == "-E" {
                extended = format!("{extended},{}", pair[1]);
            }
        }
        while let Some(argument) = rest.next() {
            match (*argument, rest.peek()) {
                ("-E", Some(value)) => {
                    extended = format!("{extended},{value}");
                    rest.next();
                }
                _ => {
                    command.arg(argument);
                }
            }
        }
        command.args(["-E", &extended]).arg(image);
        tools::run(&mut command);
    }
}

/// Runs `e2fsck -fn` and returns what it says unless it finds nothing to say.
///
/// # Errors
///
/// What e2fsck printed, when its status is not 0.
///
/// # Panics
///
/// Panics when it cannot be started.
#[track_caller]
pub fn check(image: &Path) -> Result<(), String> {
    let e2fsck = tools::find("e2fsck").expect("the caller has required e2fsck");
    let output = Command::new(e2fsck)
        .args(["-f", "-n"])
        .arg(image)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("e2fsck starts");
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let shown: Vec<_> = text.lines().take(30).collect();
    Err(format!("{}:\n{}", output.status, shown.join("\n")))
}

/// Fails the test unless `e2fsck -fn` finds nothing.
///
/// # Panics
///
/// Panics when it does, with `context`; the image is kept beside where it was if `CHRISTEN_KEEP` names a directory.
#[track_caller]
pub fn assert_clean(image: &Path, context: &str) {
    if let Err(how) = check(image) {
        keep(image);
        panic!("{context}: e2fsck {how}");
    }
}

/// Copies an image that shows a failure to the directory that `CHRISTEN_KEEP` names, if it does.
pub fn keep(image: &Path) {
    if let Some(directory) = std::env::var_os("CHRISTEN_KEEP") {
        let kept = Path::new(&directory).join("failed.img");
        // To keep it is a favour; the failure is what matters.
        let done = fs::copy(image, &kept);
        let _ = writeln!(io::stderr(), "kept {}: {done:?}", kept.display());
    }
}

/// Copies an image without writing its holes.
///
/// # Panics
///
/// Panics when it cannot be copied.
#[track_caller]
pub fn copy(from: &Path, to: &Path) {
    tools::run(
        Command::new("cp")
            .args(["--sparse=always", "--reflink=auto"])
            .arg(from)
            .arg(to),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TempDir;

    #[test]
    fn every_recipe_makes_what_it_says() {
        let (Some(_), Some(_), Some(dumpe2fs)) = (
            tools::require("mke2fs"),
            tools::require("e2fsck"),
            tools::require("dumpe2fs"),
        ) else {
            return;
        };
        let directory = TempDir::new();
        let image = directory.join("image");
        for recipe in RECIPES.iter().chain(LATER_RECIPES) {
            let block_bytes = 4096;
            recipe.make(&image, block_bytes, 64);
            let said = tools::output(&dumpe2fs, ["-h", &image.display().to_string()]);
            let said = String::from_utf8_lossy(&said);
            let mut features: Vec<_> = said
                .lines()
                .find_map(|line| line.strip_prefix("Filesystem features:"))
                .unwrap_or_default()
                .split_whitespace()
                .filter(|feature| *feature != "(none)")
                .collect();
            let mut expected = recipe.features.to_vec();
            features.sort_unstable();
            expected.sort_unstable();
            assert_eq!(features, expected, "{}", recipe.name);
            assert_clean(&image, recipe.name);
            fs::remove_file(&image).expect("removes");
        }
    }
}
