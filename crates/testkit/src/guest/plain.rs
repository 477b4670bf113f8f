//! The plain guest: Debian with systemd, sshd and ifupdown, as its installer makes them, and without cloud-init. What it becomes it becomes by
//! what was put into its disk.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::qemu::{Machine, escape};
use super::recipe::{self, RELEASE};

const PROBE: &str = include_str!("plain.sh");
const UNIT: &str = include_str!("plain.service");

const PACKAGES: &str = "systemd-sysv,dbus,openssh-server,openssh-client,ifupdown,isc-dhcp-client,iproute2,sudo,lvm2,\
                        linux-image-cloud-amd64,tzdata";

/// Run in the tree by `mmdebstrap`.
const CUSTOMIZE: [&str; 5] = [
    r#"chroot "$1" systemctl enable christen-probe.service"#,
    r#"printf 'auto lo\niface lo inet loopback\n\nsource /etc/network/interfaces.d/*\n' > "$1/etc/network/interfaces""#,
    // No chore of Debian's competes with the boot for an emulated processor.
    r#"chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer e2scrub_reap.service"#,
    r#"printf 'template\n' > "$1/etc/hostname""#,
    // A first root that was made on the machine itself would have found out that its root is a logical volume.
    r#"printf 'dm-mod\n' >> "$1/etc/initramfs-tools/modules" && chroot "$1" update-initramfs -u"#,
];

/// The size of its filesystem in bytes: twice what the packages take.
pub const ROOT_BYTES: u64 = 1024 << 20;

/// A quiet boot takes under a minute; a busy machine stretches that several times.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// What the guest is made of. Nothing of it is to be written to.
#[derive(Debug, Clone)]
pub struct PlainGuest(PathBuf);

impl PlainGuest {
    /// Returns the guest, making it if no earlier run has.
    ///
    /// # Errors
    ///
    /// Fails when the guest cannot be made.
    pub fn get() -> io::Result<Self> {
        let ingredients = [RELEASE, PACKAGES, PROBE, UNIT, &CUSTOMIZE.concat()];
        recipe::cached("plain", &ingredients, make).map(Self)
    }

    /// Returns its root filesystem: `ext4`, or `ext3` as an old image has it.
    pub fn root(&self, kind: &str) -> PathBuf {
        self.0.join(format!("root.{kind}"))
    }

    /// Returns a directory with what is in its `/boot`.
    pub fn boot_files(&self) -> PathBuf {
        self.0.join("boot")
    }

    /// Boots a disk, and returns what the guest tells of itself, by name.
    ///
    /// # Errors
    ///
    /// Fails when the guest has not told its state within ten minutes; the message then shows the end of its console.
    pub fn boot(
        &self,
        disk: &Path,
        format: &str,
        root: &str,
        macs: &[&str],
    ) -> io::Result<BTreeMap<String, String>> {
        let mut machine = Machine {
            kernel: self.0.join("vmlinuz"),
            initrd: self.0.join("initrd"),
            command_line: format!("root={root} ro console=ttyS0 quiet panic=-1"),
            cpus: 2,
            memory_mib: 768,
            arguments: Vec::new(),
        };
        // The guest's writes are kept from the disk, which is looked at again.
        machine.argument(
            "-drive",
            format!(
                "if=virtio,format={format},snapshot=on,file={}",
                escape(disk)
            ),
        );
        machine.argument("-device", "virtio-rng-pci");
        for (index, mac) in macs.iter().enumerate() {
            machine.argument("-netdev", format!("user,id=net{index},restrict=on"));
            machine.argument(
                "-device",
                format!("virtio-net-pci,netdev=net{index},mac={mac},romfile="),
            );
        }
        let outcome = machine.run(TIME_LIMIT)?;
        let report = String::from_utf8_lossy(&outcome.report);
        let told: BTreeMap<_, _> = report
            .lines()
            .filter_map(|line| {
                let (name, text) = line.trim_end().split_once(' ')?;
                let text = BASE64_STANDARD.decode(text).ok()?;
                Some((name.to_owned(), String::from_utf8_lossy(&text).into_owned()))
            })
            .collect();
        if told.contains_key("end") {
            return Ok(told);
        }
        Err(io::Error::other(format!(
            "the guest did not tell all; the end of its console:\n{}",
            outcome.console_tail()
        )))
    }
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
            "--customize-hook=upload {} /usr/local/lib/christen-probe",
            probe.display()
        ));
    for hook in CUSTOMIZE {
        command.arg(format!("--customize-hook={hook}"));
    }
    recipe::run(command.arg(RELEASE).arg(&archive))?;

    fs::create_dir(&tree)?;
    for kind in ["ext3", "ext4"] {
        fs::File::create(directory.join(format!("root.{kind}")))?.set_len(ROOT_BYTES)?;
    }
    // Owners and modes without root: fakeroot keeps them in mind between the programs.
    recipe::run(
        Command::new("fakeroot")
            .args(["sh", "-ec"])
            .arg(
                "tar -C \"$1\" --numeric-owner --exclude=./dev/* -xpf \"$2\"
                 PATH=$PATH:/usr/sbin:/sbin
                 for kind in ext3 ext4; do
                     mke2fs -q -F -t $kind -L christen-root -E lazy_itable_init=0 -d \"$1\" \"$3/root.$kind\"
                 done",
            )
            .arg("sh")
            .arg(&tree)
            .arg(&archive)
            .arg(directory),
    )?;
    let boot = directory.join("boot");
    fs::create_dir(&boot)?;
    for (prefix, name) in [("vmlinuz-", "vmlinuz"), ("initrd.img-", "initrd")] {
        let source = fs::read_dir(tree.join("boot"))?
            .filter_map(Result::ok)
            .find(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .ok_or_else(|| io::Error::other(format!("the guest has no /boot/{prefix}*")))?;
        fs::copy(source.path(), directory.join(name))?;
        fs::copy(source.path(), boot.join(source.file_name()))?;
    }
    for file in [archive, unit, probe] {
        fs::remove_file(file)?;
    }
    fs::remove_dir_all(tree)
}
