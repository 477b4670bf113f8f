//! How a guest starts: the loader, the kernels, the first process.

use super::files::Files;
use super::text::{lines, shown_short};

/// How a guest starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Boot {
    /// The loaders whose configuration is there.
    pub loaders: Vec<&'static str>,
    /// The kernels in `/boot`, sorted by path.
    pub kernels: Vec<Kernel>,
}

/// A kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Its file.
    pub path: String,
    /// The version in its name, or the words that stand for one: `6.1.0-28-amd64`, `linux`.
    pub version: String,
}

impl Boot {
    pub(super) fn read(files: &mut Files<'_>) -> Self {
        const LOADERS: [(&str, &[&str]); 4] = [
            (
                "grub",
                &[
                    "/boot/grub2/grub.cfg",
                    "/boot/grub/grub.cfg",
                    "/boot/grub/menu.lst",
                ],
            ),
            (
                "systemd-boot",
                &[
                    "/boot/loader/loader.conf",
                    "/boot/efi/loader/loader.conf",
                    "/efi/loader/loader.conf",
                    "/boot/efi/EFI/systemd",
                    "/efi/EFI/systemd",
                    "/boot/EFI/systemd",
                ],
            ),
            (
                "extlinux",
                &[
                    "/boot/extlinux.conf",
                    "/boot/extlinux/extlinux.conf",
                    "/boot/syslinux/syslinux.cfg",
                ],
            ),
            ("limine", &["/boot/limine.conf", "/boot/limine/limine.conf"]),
        ];
        const KERNELS: [&str; 6] = [
            "vmlinuz-", "vmlinux-", "Image-", "bzImage-", "kernel-", "linux-",
        ];
        let loaders = LOADERS
            .iter()
            .filter(|(_, paths)| files.has_any(paths))
            .map(|(name, _)| *name)
            .collect();
        let kernels = files
            .names("/boot")
            .iter()
            .filter_map(|name| {
                let version = KERNELS.iter().find_map(|it| name.strip_prefix(it))?;
                Some(Kernel {
                    path: format!("/boot/{}", shown_short(name.as_bytes())),
                    version: shown_short(version.as_bytes()),
                })
            })
            .take(100)
            .collect();
        Self { loaders, kernels }
    }
}

/// What runs as the first process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// systemd.
    Systemd,
    /// OpenRC, with its own first process, BusyBox's or System V's.
    OpenRc,
    /// System V init with its runlevels.
    SysV,
    /// BusyBox's init alone.
    BusyBox,
    /// Something else.
    Other,
}

impl Init {
    /// Returns the name, as messages and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::OpenRc => "openrc",
            Self::SysV => "sysv",
            Self::BusyBox => "busybox",
            Self::Other => "other",
        }
    }

    /// Looks at what Linux starts: the first of these that is there (Linux `init/main.c`, `kernel_init`).
    pub(super) fn read(files: &mut Files<'_>) -> Option<Self> {
        let path = ["/sbin/init", "/etc/init", "/bin/init"]
            .into_iter()
            .find(|path| files.has(path))?;
        let real = files.real(path)?;
        let name = real.name().unwrap_or_default();
        let starts_openrc = files.read("/etc/inittab").is_some_and(|text| {
            lines(&text).any(|line| {
                !line.starts_with(b"#") && line.windows(6).any(|part| part == b"openrc")
            })
        });
        Some(match name {
            b"systemd" => Self::Systemd,
            b"openrc-init" => Self::OpenRc,
            _ if starts_openrc => Self::OpenRc,
            b"busybox" | b"busybox.static" => Self::BusyBox,
            // The program of System V has no other name.
            b"init" | b"sysvinit" if files.is_file("/etc/inittab") => Self::SysV,
            _ => Self::Other,
        })
    }
}
