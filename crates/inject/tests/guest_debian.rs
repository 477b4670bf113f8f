//! What is found in a real Debian tree, held against what Debian's tools say of it.

use std::fs;
use std::process::Command;

use christen_block::image::{Format, Image, OpenOptions as ImageOptions, Purpose, StatedFormat};
use christen_ext4::{Access, Ext4, Journal, OpenOptions};
use christen_inject::guest::{CloudInitState, Init, Inspection, MachineId, ServiceState};
use christen_inject::network::Renderer;
use christen_testkit::guest::{self, cloud};
use christen_testkit::{TempDir, cloud_init, tools};
use christen_vfs::Timestamp;

#[test]
#[ignore = "makes a guest; `cargo xtask guest-check` runs it"]
fn a_real_debian_is_as_its_tools_say() {
    if !guest::require() {
        return;
    }
    let (Some(debugfs), Some(dpkg_query)) =
        (tools::require("debugfs"), tools::require("dpkg-query"))
    else {
        return;
    };
    let path = cloud::root().unwrap();
    let image = Image::open(
        &path,
        &ImageOptions {
            format: StatedFormat::Stated(Format::Raw),
            purpose: Purpose::Read { even_in_use: true },
            allow_backing: Vec::new(),
            redo_directory: None,
        },
    )
    .unwrap();
    let options = OpenOptions {
        access: Access::Read,
        journal: Journal::Refuse,
        now: Timestamp::default(),
        generation_seed: 0,
    };
    let mut fs = Ext4::open(image.disk(), &options).unwrap();
    let found = Inspection::read(&mut fs);
    assert_eq!(found.unread, []);

    // The database of packages, taken out by debugfs and read by dpkg.
    let directory = TempDir::new();
    fs::create_dir_all(directory.path().join("updates")).unwrap();
    fs::create_dir_all(directory.path().join("info")).unwrap();
    let status = directory.path().join("status");
    tools::run(
        Command::new(&debugfs)
            .arg("-R")
            .arg(format!("dump /var/lib/dpkg/status {}", status.display()))
            .arg(&path),
    );
    let listed = tools::run(
        Command::new(dpkg_query)
            .arg(format!("--admindir={}", directory.path().display()))
            .args(["-W", "-f", "${db:Status-Status} ${Package} ${Version}\n"]),
    );
    let theirs: Vec<_> = String::from_utf8(listed)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("installed ").map(str::to_owned))
        .collect();
    let ours: Vec<_> = found
        .packages
        .as_ref()
        .unwrap()
        .installed
        .as_ref()
        .unwrap()
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    assert!(ours.len() > 100);
    assert_eq!(ours, theirs);

    // cloud-init's own code of the same release tells its version.
    let cloud = found.cloud_init.as_ref().unwrap();
    if let Some(theirs) = cloud_init::require().first() {
        let theirs = theirs.version().unwrap();
        let ours = cloud.version.as_deref().unwrap();
        assert!(ours.starts_with(&theirs), "{ours} is not {theirs}");
    }
    assert_eq!(cloud.state, CloudInitState::Enabled);
    assert_eq!(cloud.datasources.names, ["ConfigDrive", "NoCloud", "None"]);
    assert_eq!(cloud.default_user.as_deref(), Some("debian"));

    let text = |file: &str| {
        let out = tools::run(
            Command::new(&debugfs)
                .arg("-R")
                .arg(format!("cat {file}"))
                .arg(&path),
        );
        String::from_utf8(out).unwrap()
    };
    let system = found.system.as_ref().unwrap();
    assert!(text("/usr/lib/os-release").contains(&format!("PRETTY_NAME=\"{}\"", system.name)));
    assert_eq!(found.architecture.unwrap().name(), "x86_64");
    assert_eq!(found.init, Some(Init::Systemd));
    assert_eq!(found.boot.kernels.len(), 1);
    assert_eq!(found.renderer.as_ref().unwrap().renderer, Renderer::Netplan);
    assert_eq!(found.sshd.as_ref().unwrap().state, ServiceState::Enabled);
    let names: Vec<_> = found.users.iter().map(|it| &it.name[..]).collect();
    assert_eq!(names, ["root"]);
    assert_ne!(found.leftovers.machine_id, MachineId::Invalid);
    // debugfs says what the package left in the directory.
    let listed = tools::run(
        Command::new(&debugfs)
            .args(["-R", "ls -p /etc/ssh"])
            .arg(&path),
    );
    let keys = String::from_utf8(listed)
        .unwrap()
        .lines()
        .filter(|line| line.contains("/ssh_host_") && line.contains("_key/"))
        .count();
    assert_eq!(found.leftovers.host_keys.len(), keys);
}
