//! Descriptions of which drives are built, and what a reader must find on them.

mod examples;
mod golden;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use christen_testkit::extract::{self, Files};
use christen_testkit::tools;

use crate::vector_support;
pub(crate) use examples::examples;
pub(crate) use golden::golden;

/// The argument list of Nova for its ISO tool, less output, label and tree
/// (`nova/virt/configdrive.py`, `_make_iso9660`).
const NOVA_GENISOIMAGE: [&str; 9] = [
    "-ldots",
    "-allow-lowercase",
    "-allow-multidot",
    "-l",
    "-publisher",
    "OpenStack Nova 34.0.0",
    "-quiet",
    "-J",
    "-r",
];

/// One description in one dialect.
pub(crate) struct Case {
    /// For messages, and for names of files.
    pub(crate) name: String,
    pub(crate) dialect: &'static str,
    description: PathBuf,
    /// Options of the binary that this case needs.
    options: Vec<OsString>,
    /// What holds the files of a recorded case; they go away with it.
    #[expect(dead_code, reason = "only its end matters")]
    stage: Option<vector_support::Case>,
    pub(crate) expected: Expected,
}

/// What cloud-init must find, known from elsewhere than from our drive.
pub(crate) struct Expected {
    pub(crate) uuid: String,
    pub(crate) hostname: String,
    pub(crate) keys: Vec<String>,
    pub(crate) user_data: UserData,
    /// MAC addresses of the NICs that the network configuration must name.
    pub(crate) macs: BTreeSet<String>,
    /// The whole tree, where somebody else has written it down.
    pub(crate) tree: Option<Files>,
}

/// What is known of the user data.
#[derive(Clone)]
pub(crate) enum UserData {
    Bytes(Cow<'static, [u8]>),
    /// Ours to spell: a cloud-config that holds these words.
    CloudConfig(&'static [&'static str]),
}

/// The drives of a case, taken apart.
pub(crate) struct Drives {
    /// What made it, and its tree on disk.
    pub(crate) trees: [(&'static str, PathBuf); 3],
}

impl Case {
    /// The label that the dialect's readers look for.
    fn label(&self) -> &'static str {
        match self.dialect {
            "nocloud" => "cidata",
            _ => "config-2",
        }
    }

    /// Builds our two drives and genisoimage's of the same tree, and takes all apart with
    /// readers that are not ours.
    pub(crate) fn drives(&self, directory: &Path) -> Drives {
        let random = directory.join("random");
        let christen = |words: &[&str], output: &Path, more: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_christen"));
            command.args(words).arg(&self.description).arg(match words {
                ["render"] => "--tree",
                _ => "--output",
            });
            command
                .arg(output)
                .args(["--dialect", self.dialect, "--time", "2026-11-22T12:00:00Z"])
                .arg("--random-source")
                .arg(&random)
                .args(&self.options)
                .args(more);
            tools::run(&mut command);
        };
        let path = |kind: &str| directory.join(format!("{}-{}.{kind}", self.name, self.dialect));

        let (iso, vfat, rendered, peer) =
            (path("iso"), path("vfat"), path("rendered"), path("peer"));
        let build = ["drive", "build"];
        christen(&build, &iso, &["--no-sync", "--format", "iso9660"]);
        christen(&build, &vfat, &["--no-sync", "--format", "vfat"]);
        christen(&["render"], &rendered, &[]);
        tools::run(
            Command::new("genisoimage")
                .arg("-o")
                .arg(&peer)
                .args(NOVA_GENISOIMAGE)
                .args(["-V", self.label()])
                .arg(&rendered),
        );

        let trees = [
            ("our ISO", path("from-iso")),
            ("our VFAT", path("from-vfat")),
            ("genisoimage's ISO", path("from-peer")),
        ];
        extract::iso9660(&iso, &trees[0].1);
        extract::vfat(&vfat, &trees[1].1);
        extract::iso9660(&peer, &trees[2].1);
        // Nova's VFAT is 64 MiB; thirty of them need not stay.
        for image in [iso, vfat, peer] {
            fs::remove_file(image).expect("it was made");
        }
        Drives { trees }
    }
}
