//! The filesystem: whether it is in order, and has room.

use super::case::Case;
use super::{Rule, Severity};
use crate::guest::fstab::Spec;

/// Room that every identity needs besides its files, in bytes: accounts, keys, network, documents, and directories made for them.
const IDENTITY_BYTES: u64 = 512 << 10;

/// Files and directories that every identity may make.
const IDENTITY_FILES: u64 = 64;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "filesystem-unclean",
        severities: &[Severity::Error],
        about: "a filesystem was not unmounted, or its journal holds what was never written back",
        consequence: "nothing is written to it as it is",
        check: unclean,
    },
    Rule {
        name: "filesystem-errors",
        severities: &[Severity::Error],
        about: "a filesystem notes errors in itself",
        consequence: "it is damaged; what is written may be lost, and the guest may mount it for reading only",
        check: errors,
    },
    Rule {
        name: "no-room",
        severities: &[Severity::Error, Severity::Warning],
        about: "too few free blocks or inodes for the identity with its files (an error if there is an instance)",
        consequence: "an injection fails, and so does cloud-init when it writes its state",
        check: no_room,
    },
    Rule {
        name: "fstab-broken",
        severities: &[Severity::Warning],
        about: "a line of `/etc/fstab` is no entry",
        consequence: "mount(8) leaves it out: what it was to mount is missing",
        check: fstab_broken,
    },
    Rule {
        name: "fstab-device-name",
        severities: &[Severity::Note],
        about: "`/etc/fstab` mounts the disk of the image by a name that the kernel gives in the order in which it finds disks (`/dev/sda1`, `/dev/vda1`)",
        consequence: "with another disk controller or one more disk the name is another disk's, and the boot stops",
        check: fstab_device_name,
    },
];

fn unclean(case: &mut Case<'_, '_>) {
    if case.facts.clean == Some(false) {
        case.find(
            Severity::Error,
            "the filesystem was not unmounted in order",
            "boot the image and shut it down cleanly, or replay its journal",
        );
    }
}

fn errors(case: &mut Case<'_, '_>) {
    if case.facts.has_errors == Some(true) {
        case.find(
            Severity::Error,
            "the filesystem notes errors in itself",
            "check it with the filesystem's own program (`e2fsck -f`)",
        );
    }
}

fn no_room(case: &mut Case<'_, '_>) {
    let unit = u64::from(case.statistics.block_bytes).max(1);
    let mut bytes = IDENTITY_BYTES;
    let mut files = IDENTITY_FILES;
    if let Some(instance) = case.instance {
        let sizes = instance
            .files
            .iter()
            .map(|it| it.content.expose().len())
            .chain(
                instance
                    .guest
                    .files
                    .iter()
                    .map(|it| it.content.expose().len()),
            )
            .chain(instance.user_data.iter().map(|it| it.expose().len()));
        for size in sizes {
            bytes = bytes.saturating_add((size as u64).div_ceil(unit).saturating_mul(unit));
            // Each may need directories of its own.
            files = files.saturating_add(4);
        }
    }
    let severity = match case.instance {
        Some(_) => Severity::Error,
        None => Severity::Warning,
    };
    let free = case.statistics.free_blocks.saturating_mul(unit);
    if free < bytes {
        case.find(
            severity,
            format!("the filesystem has {free} free bytes, and the identity may need {bytes}"),
            "make the image larger, or remove files from it",
        );
    }
    let free = case.statistics.free_files;
    if case.statistics.files != 0 && free < files {
        case.find(
            severity,
            format!("the filesystem has {free} free inodes, and the identity may need {files}"),
            "remove files from the image, or make its filesystem with more inodes",
        );
    }
}

fn fstab_broken(case: &mut Case<'_, '_>) {
    for it in &case.guest.fstab.broken {
        case.find(
            Severity::Warning,
            format!("`/etc/fstab`, line {}: {}", it.line, it.rule),
            "correct the line, or remove it",
        );
    }
}

fn fstab_device_name(case: &mut Case<'_, '_>) {
    for it in &case.guest.fstab.entries {
        let Spec::Device(path) = &it.spec else {
            continue;
        };
        let text = path.to_string();
        let is_of_order = ["/dev/sd", "/dev/hd", "/dev/vd", "/dev/xvd", "/dev/nvme"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if let (true, Some(place)) = (is_of_order, &it.mount_point) {
            case.find(
                Severity::Note,
                format!(
                    "`/etc/fstab`, line {}: `{place}` is mounted from `{text}`",
                    it.line
                ),
                "name the filesystem by its `UUID=`",
            );
        }
    }
}
