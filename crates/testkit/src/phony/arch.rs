//! Arch Linux as its cloud image.

use super::PhonyTree;

/// Arch Linux: rolling, systemd-networkd, `/lib` and `/sbin` one with `/usr`, GRUB.
pub fn arch() -> PhonyTree {
    PhonyTree::new()
        .directories(&["/boot", "/dev", "/home", "/proc", "/run", "/sys", "/usr/bin", "/usr/lib", "/var/log"])
        .directory("/root", 0o750, 0, 0)
        .directory("/tmp", 0o1777, 0, 0)
        .link("/bin", "usr/bin")
        .link("/sbin", "usr/bin")
        .link("/lib", "usr/lib")
        .link("/lib64", "usr/lib")
        .link("/usr/sbin", "bin")
        .link("/etc/os-release", "../usr/lib/os-release")
        .file(
            "/usr/lib/os-release",
            "NAME=\"Arch Linux\"\nPRETTY_NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\nANSI_COLOR=\"38;2;23;147;209\"\nLOGO=archlinux-logo\n",
        )
        .file("/etc/arch-release", "")
        .program("/usr/bin/bash")
        .link("/usr/bin/sh", "bash")
        .program("/usr/lib/systemd/systemd")
        .link("/usr/bin/init", "../lib/systemd/systemd")
        .file(
            "/etc/passwd",
            "root:x:0:0::/root:/usr/bin/bash\nbin:x:1:1::/:/usr/bin/nologin\nnobody:x:65534:65534:Kernel Overflow User:/:/usr/bin/nologin\n",
        )
        .file_of("/etc/shadow", "root:!*:19950::::::\nbin:!*:19950::::::\nnobody:!*:19950::::::\n", 0o600, 0, 0)
        .file("/etc/group", "root:x:0:root\nbin:x:1:daemon\nwheel:x:998:\nusers:x:984:\nnobody:x:65534:\n")
        .file_of("/etc/gshadow", "root:::root\nbin:!*::daemon\nwheel:!*::\nusers:!*::\nnobody:!*::\n", 0o600, 0, 0)
        .file("/etc/login.defs", "UID_MIN\t1000\nUID_MAX\t60000\nENCRYPT_METHOD YESCRYPT\nHOME_MODE\t0700\nUSERGROUPS_ENAB yes\n")
        .file("/etc/pam.d/system-auth", "password   required                    pam_unix.so          try_first_pass nullok shadow\n")
        .file("/etc/shells", "/bin/sh\n/bin/bash\n/usr/bin/bash\n")
        .file("/etc/hosts", "# See hosts(5) for details.\n")
        .file("/etc/fstab", "# <file system> <dir> <type> <options> <dump> <pass>\nUUID=4b0c9f3f-7d6d-4a2b-8df9-6b8a9f1d2e3c / btrfs rw,noatime,compress=zstd 0 0\n")
        .file("/etc/machine-id", "uninitialized\n")
        .file("/usr/share/zoneinfo/UTC", "TZif2")
        .file("/usr/share/zoneinfo/Europe/Berlin", "TZif2")
        .link("/etc/localtime", "/usr/share/zoneinfo/UTC")
        .file("/etc/locale.conf", "LANG=C.UTF-8\n")
        .file("/etc/locale.gen", "#de_DE.UTF-8 UTF-8\n#en_US.UTF-8 UTF-8\n")
        .directories(&["/etc/systemd/network"])
        .program("/usr/lib/systemd/systemd-networkd")
        .file("/usr/lib/systemd/system/systemd-networkd.service", "[Install]\nWantedBy=multi-user.target\n")
        .link("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "/usr/lib/systemd/system/systemd-networkd.service")
        .link("/etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf")
        .program("/usr/bin/sshd")
        .file("/usr/lib/systemd/system/sshd.service", "[Install]\nWantedBy=multi-user.target\n")
        .link("/etc/systemd/system/multi-user.target.wants/sshd.service", "/usr/lib/systemd/system/sshd.service")
        .file("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile\t.ssh/authorized_keys\nSubsystem\tsftp\t/usr/lib/ssh/sftp-server\n")
        .file("/etc/ssh/sshd_config.d/99-archlinux.conf", "KbdInteractiveAuthentication no\nUsePAM yes\nPrintMotd no\n")
        .program("/usr/bin/cloud-init")
        .file(
            "/etc/cloud/cloud.cfg",
            "users:\n  - default\ndisable_root: true\nsystem_info:\n  distro: arch\n  default_user:\n    name: arch\n    lock_passwd: True\n    groups: [wheel, users]\n    shell: /bin/bash\n",
        )
        .file("/usr/lib/cloud-init/ds-identify", "#!/bin/sh\n")
        .file("/usr/lib/systemd/system/cloud-init-main.service", "[Install]\nWantedBy=cloud-init.target\n")
        .file("/usr/lib/systemd/system/cloud-init-local.service", "[Install]\nWantedBy=cloud-init.target\n")
        .link("/etc/systemd/system/cloud-init.target.wants/cloud-init-main.service", "/usr/lib/systemd/system/cloud-init-main.service")
        .link("/etc/systemd/system/cloud-init.target.wants/cloud-init-local.service", "/usr/lib/systemd/system/cloud-init-local.service")
        .file("/usr/lib/python3.13/site-packages/cloud_init-25.1.1.dist-info/METADATA", "Metadata-Version: 2.4\nName: cloud-init\nVersion: 25.1.1\n")
        .program("/usr/bin/sudo")
        .file_of("/etc/sudoers", "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n", 0o440, 0, 0)
        .directory("/etc/sudoers.d", 0o750, 0, 0)
        .directories(&["/etc/ca-certificates/trust-source/anchors"])
        .program("/usr/bin/update-ca-trust")
        .file("/boot/vmlinuz-linux", "kernel")
        .file("/boot/initramfs-linux.img", "initramfs")
        .file("/boot/grub/grub.cfg", "set default=0\n")
        .file("/var/lib/pacman/local/bash-5.2.037-1/desc", "%NAME%\nbash\n\n%VERSION%\n5.2.037-1\n")
        .file("/var/lib/pacman/local/cloud-init-25.1.1-1/desc", "%NAME%\ncloud-init\n\n%VERSION%\n25.1.1-1\n")
        .file("/var/lib/pacman/local/ALPM_DB_VERSION", "9\n")
}
