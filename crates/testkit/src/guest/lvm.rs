//! The guest with LVM2 and a device mapper, which the kernel of this machine may not have: it makes volume groups of every kind,
//! and activates those that others have written to.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::qemu::{Machine, escape};
use super::root::FirstRoot;
use crate::TempDir;

/// What the guest is made of.
const ROOT: FirstRoot = FirstRoot {
    name: "lvm",
    init: include_str!("lvm_init.sh"),
    packages: "linux-image-cloud-amd64,busybox-static,lvm2",
    modules: &[
        "drivers/virtio/virtio_ring",
        "drivers/virtio/virtio",
        "drivers/virtio/virtio_pci_legacy_dev",
        "drivers/virtio/virtio_pci_modern_dev",
        "drivers/virtio/virtio_pci",
        "drivers/block/virtio_blk",
        "drivers/scsi/scsi_common",
        "drivers/scsi/scsi_mod",
        "drivers/scsi/sd_mod",
        "drivers/scsi/virtio_scsi",
        "crypto/crc32c_generic",
        "lib/libcrc32c",
        "drivers/md/dm-mod",
        "drivers/md/dm-bufio",
        "drivers/md/dm-snapshot",
        "drivers/md/dm-log",
        "drivers/md/dm-region-hash",
        "drivers/md/dm-mirror",
        "drivers/md/persistent-data/dm-persistent-data",
        "drivers/md/dm-bio-prison",
        "drivers/md/dm-thin-pool",
        "drivers/md/dm-cache",
        "drivers/md/dm-cache-smq",
        "lib/raid6/raid6_pq",
        "crypto/xor",
        "crypto/async_tx/async_tx",
        "crypto/async_tx/async_memcpy",
        "crypto/async_tx/async_xor",
        "crypto/async_tx/async_pq",
        "crypto/async_tx/async_raid6_recov",
        "drivers/md/md-mod",
        "drivers/md/raid1",
        "drivers/md/raid10",
        "drivers/md/raid456",
        "drivers/md/dm-raid",
    ],
    files: &[
        "bin/busybox",
        "sbin/lvm",
        "lib64/ld-linux-x86-64.so.2",
        "lib/x86_64-linux-gnu/libaio.so.1",
        "lib/x86_64-linux-gnu/libblkid.so.1",
        "lib/x86_64-linux-gnu/libbsd.so.0",
        "lib/x86_64-linux-gnu/libc.so.6",
        "lib/x86_64-linux-gnu/libcap.so.2",
        "lib/x86_64-linux-gnu/libdevmapper-event.so.1.02.1",
        "lib/x86_64-linux-gnu/libdevmapper.so.1.02.1",
        "lib/x86_64-linux-gnu/libedit.so.2",
        "lib/x86_64-linux-gnu/libgcrypt.so.20",
        "lib/x86_64-linux-gnu/libgpg-error.so.0",
        "lib/x86_64-linux-gnu/liblz4.so.1",
        "lib/x86_64-linux-gnu/liblzma.so.5",
        "lib/x86_64-linux-gnu/libm.so.6",
        "lib/x86_64-linux-gnu/libmd.so.0",
        "lib/x86_64-linux-gnu/libpcre2-8.so.0",
        "lib/x86_64-linux-gnu/libselinux.so.1",
        "lib/x86_64-linux-gnu/libsystemd.so.0",
        "lib/x86_64-linux-gnu/libtinfo.so.6",
        "lib/x86_64-linux-gnu/libudev.so.1",
        "lib/x86_64-linux-gnu/libzstd.so.1",
    ],
};

/// What a script may say.
const SCRATCH_BYTES: u64 = 1 << 20;

/// Ten minutes tell a hung guest from a loaded machine.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// Boots the guest with these images as the disks `/dev/sda` and on, which it may write, runs a shell script in it, and returns what the
/// script said. `lvm` is there, and what busybox has.
///
/// # Errors
///
/// Fails when the guest cannot be made or does not do its work within ten minutes, and when the script fails; the message shows
/// what it said.
pub fn run_with_lvm(images: &[PathBuf], script: &str) -> io::Result<String> {
    let artefact = ROOT.artefact()?;
    let directory = TempDir::new();
    let scratch = directory.join("scratch");
    File::create(&scratch)?.set_len(SCRATCH_BYTES)?;
    let script_disk = directory.join("script");
    let mut padded = script.as_bytes().to_vec();
    padded.resize(padded.len().next_multiple_of(4096), 0);
    fs::write(&script_disk, padded)?;
    let mut machine = Machine {
        kernel: artefact.join("vmlinuz"),
        initrd: artefact.join("initrd"),
        command_line: format!(
            "console=ttyS0 quiet panic=-1 christen.drives={}",
            images.len()
        ),
        cpus: 1,
        memory_mib: 512,
        arguments: Vec::new(),
    };
    for disk in [&scratch, &script_disk] {
        machine.argument(
            "-drive",
            format!("if=virtio,format=raw,cache=unsafe,file={}", escape(disk)),
        );
    }
    machine.argument("-device", "virtio-scsi-pci,id=bus");
    for (target, image) in images.iter().enumerate() {
        machine.argument(
            "-drive",
            format!(
                "if=none,format=raw,cache=unsafe,id=drive{target},file={}",
                escape(image)
            ),
        );
        machine.argument(
            "-device",
            format!("scsi-hd,bus=bus.0,channel=0,scsi-id={target},lun=0,drive=drive{target}"),
        );
    }
    let outcome = machine.run(TIME_LIMIT)?;
    let report = fs::read(&scratch)?;
    match parse(&report) {
        Some((0, said)) if outcome.report.trim_ascii() == b"done" => Ok(said),
        Some((status, said)) => Err(io::Error::other(format!(
            "the script ended with {status}:\n{said}"
        ))),
        None => Err(io::Error::other(format!(
            "the guest gave no whole report after {:.1} s; the end of its console:\n{}",
            outcome.elapsed.as_secs_f64(),
            outcome.console_tail()
        ))),
    }
}

/// Reads the scratch disk: the status of the script, and what it said.
fn parse(report: &[u8]) -> Option<(i32, String)> {
    let end = report.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = (str::from_utf8(&report[..end]).ok()?, &report[end + 1..]);
    let (status, length) = line.strip_prefix("status ")?.split_once(' ')?;
    let said = rest.get(..length.parse().ok()?)?;
    Some((
        status.parse().ok()?,
        String::from_utf8_lossy(said).into_owned(),
    ))
}
