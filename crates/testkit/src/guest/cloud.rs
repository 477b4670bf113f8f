//! The cloud guest: Debian with systemd and cloud-init, as its cloud images are made.
//!
//! A unit that runs when cloud-init has ended tells over the second serial port what the
//! guest has become. The image is never written to: QEMU keeps a guest's writes to itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

use super::qemu::{Machine, escape};
use super::recipe::{self, RELEASE};

const PROBE: &str = include_str!("probe.py");
const UNIT: &str = include_str!("probe.service");

/// What Debian's own cloud images hold of what concerns us; netplan is what they configure
/// networks with since release 12.
const PACKAGES: &str = "systemd-sysv,dbus,cloud-init,openssh-server,netplan.io,iproute2,\
                        linux-image-cloud-amd64,sudo,locales,net-tools,ca-certificates,tzdata,\
                        python3-yaml";

/// Run in the tree by `mmdebstrap`. No time-out of `cloud-init` looks for a service on the
/// network: a guest without our drive must end soon, too.
const CUSTOMIZE: [&str; 7] = [
    // cloud-init's default, and another: setting one that was never made fails.
    r#"printf 'en_US.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\n' > "$1/etc/locale.gen" && chroot "$1" locale-gen"#,
    r#"chroot "$1" systemctl enable systemd-networkd.service christen-probe.service"#,
    r#"printf 'datasource_list: [ConfigDrive, NoCloud, None]\n' > "$1/etc/cloud/cloud.cfg.d/95-christen.cfg""#,
    // Host names come from the drive, and resolve without a network: so do Debian's generic
    // images (debian-cloud-images, `cloud.cfg.d/01_debian_cloud.cfg/GENERIC`).
    r#"rm -f "$1/etc/hostname""#,
    r#"printf 'manage_etc_hosts: true\n' > "$1/etc/cloud/cloud.cfg.d/01_debian_cloud.cfg""#,
    // No chore of Debian's competes with the boot for an emulated processor.
    r#"chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer man-db.timer e2scrub_reap.service"#,
    r#"printf '/dev/vda / ext4 defaults 0 1\n' > "$1/etc/fstab""#,
];

/// The image's virtual size: twice what the packages take.
const IMAGE_BYTES: u64 = 1536 << 20;

/// A quiet boot takes under a minute; a busy machine stretches that several times.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// How a drive is attached to the cloud guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudDrive {
    /// A CD-ROM on the IDE bus, as OpenStack's ISO drives are.
    IdeCdrom(PathBuf),
    /// A virtio disk, as OpenStack's VFAT drives are.
    VirtioDisk(PathBuf),
}

/// What the guest said of itself.
#[derive(Debug, Clone)]
pub struct CloudReport {
    /// All that it said; the members are those of `probe.py`.
    pub value: Value,
    /// From the machine's start to its power-off.
    pub elapsed: Duration,
}

impl CloudReport {
    /// The text of a file that the report holds with its content.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        let text = self.value["files"][path]["base64"].as_str()?;
        BASE64_STANDARD.decode(text).ok()
    }

    /// Everything that `cloud-init status --long` printed.
    pub fn status(&self) -> &str {
        self.value["status"]["output"].as_str().unwrap_or_default()
    }
}

/// Boots the cloud guest with a drive and one NIC for each MAC address.
///
/// # Errors
///
/// Fails when the guest cannot be made or has not told its state within ten minutes; the
/// message then shows the end of its console.
pub fn boot(drive: &CloudDrive, macs: &[&str]) -> io::Result<CloudReport> {
    let artefact = artefact()?;
    let mut machine = Machine {
        kernel: artefact.join("vmlinuz"),
        initrd: artefact.join("initrd"),
        command_line: "root=/dev/vda ro console=ttyS0 quiet panic=-1 net.ifnames=0 \
                       systemd.show_status=true"
            .to_owned(),
        cpus: 2,
        memory_mib: 768,
        arguments: Vec::new(),
    };
    machine.argument(
        "-drive",
        format!(
            "if=virtio,format=raw,snapshot=on,file={}",
            escape(&artefact.join("root.ext4"))
        ),
    );
    match drive {
        CloudDrive::IdeCdrom(path) => machine.argument(
            "-drive",
            format!(
                "if=ide,media=cdrom,readonly=on,format=raw,file={}",
                escape(path)
            ),
        ),
        CloudDrive::VirtioDisk(path) => machine.argument(
            "-drive",
            format!("if=virtio,readonly=on,format=raw,file={}", escape(path)),
        ),
    }
    // Key generation waits for randomness otherwise.
    machine.argument("-device", "virtio-rng-pci");
    for (index, mac) in macs.iter().enumerate() {
        machine.argument("-netdev", format!("user,id=net{index},restrict=on"));
        machine.argument(
            "-device",
            format!("virtio-net-pci,netdev=net{index},mac={mac},romfile="),
        );
    }
    let outcome = machine.run(TIME_LIMIT)?;
    let value = serde_json::from_slice(&outcome.report).map_err(|error| {
        io::Error::other(format!(
            "the guest gave no report ({error}); the end of its console:\n{}",
            outcome.console_tail()
        ))
    })?;
    Ok(CloudReport {
        value,
        elapsed: outcome.elapsed,
    })
}

/// Returns the guest's root filesystem, an ext4 image, making it if no earlier run has. It is not to be written to.
///
/// # Errors
///
/// Fails when the guest cannot be made.
pub fn root() -> io::Result<PathBuf> {
    Ok(artefact()?.join("root.ext4"))
}

fn artefact() -> io::Result<PathBuf> {
    recipe::cached(
        "cloud",
        &[RELEASE, PACKAGES, PROBE, UNIT, &CUSTOMIZE.concat()],
        make,
    )
}

fn make(directory: &Path) -> io::Result<()> {
    let archive = directory.join("root.tar");
    let tree = directory.join("root");
    let (unit, probe) = (directory.join("unit"), directory.join("probe"));
    fs::write(&unit, UNIT)?;
    fs::write(&probe, PROBE)?;
    let mut command = Command::new("mmdebstrap");
    command
        .arg("--variant=minbase")
        .arg(format!("--include={PACKAGES}"))
        .arg(format!(
            "--customize-hook=upload {} /etc/systemd/system/christen-probe.service",
            unit.display()
        ))
        .arg(format!(
            "--customize-hook=upload {} /usr/local/lib/christen-probe.py",
            probe.display()
        ));
    for hook in CUSTOMIZE {
        command.arg(format!("--customize-hook={hook}"));
    }
    recipe::run(command.arg(RELEASE).arg(&archive))?;

    // Owners and modes without root: fakeroot keeps them in mind between the two programs.
    let image = directory.join("root.ext4");
    fs::create_dir(&tree)?;
    fs::File::create(&image)?.set_len(IMAGE_BYTES)?;
    recipe::run(
        Command::new("fakeroot")
            .args(["sh", "-ec"])
            .arg(
                "tar -C \"$1\" --numeric-owner --exclude=./dev/* -xpf \"$2\"
                 PATH=$PATH:/usr/sbin:/sbin
                 mke2fs -q -F -t ext4 -E lazy_itable_init=0 -d \"$1\" \"$3\"",
            )
            .arg("sh")
            .arg(&tree)
            .arg(&archive)
            .arg(&image),
    )?;
    for (prefix, name) in [("vmlinuz-", "vmlinuz"), ("initrd.img-", "initrd")] {
        let source = fs::read_dir(tree.join("boot"))?
            .filter_map(Result::ok)
            .find(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .ok_or_else(|| io::Error::other(format!("the guest has no /boot/{prefix}*")))?;
        fs::copy(source.path(), directory.join(name))?;
    }
    for file in [archive, unit, probe] {
        fs::remove_file(file)?;
    }
    fs::remove_dir_all(tree)
}
