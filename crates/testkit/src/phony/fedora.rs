//! Fedora 41 as its cloud image.

use super::PhonyTree;

/// Fedora 41: NetworkManager with keyfiles, SELinux enforcing, `systemd-boot`-less GRUB with loader entries, home below `/home`
/// as a subvolume of btrfs.
pub fn fedora_41() -> PhonyTree {
    PhonyTree::new()
        .directories(&["/boot", "/dev", "/home", "/proc", "/run", "/sys", "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/sbin", "/var/log"])
        .directory("/root", 0o550, 0, 0)
        .directory("/tmp", 0o1777, 0, 0)
        .link("/bin", "usr/bin")
        .link("/sbin", "usr/sbin")
        .link("/lib", "usr/lib")
        .link("/lib64", "usr/lib64")
        .link("/etc/os-release", "../usr/lib/os-release")
        .file(
            "/usr/lib/os-release",
            "NAME=\"Fedora Linux\"\nVERSION=\"41 (Cloud Edition)\"\nRELEASE_TYPE=stable\nID=fedora\nVERSION_ID=41\nVERSION_CODENAME=\"\"\n\
             PLATFORM_ID=\"platform:f41\"\nPRETTY_NAME=\"Fedora Linux 41 (Cloud Edition)\"\nVARIANT=\"Cloud Edition\"\nVARIANT_ID=cloud\n",
        )
        .link("/etc/system-release", "fedora-release")
        .link("/etc/redhat-release", "fedora-release")
        .file("/etc/fedora-release", "Fedora release 41 (Forty One)\n")
        .program("/usr/bin/bash")
        .link("/usr/bin/sh", "bash")
        .program("/usr/lib/systemd/systemd")
        .link("/usr/sbin/init", "../lib/systemd/systemd")
        .file(
            "/etc/passwd",
            "root:x:0:0:Super User:/root:/bin/bash\nbin:x:1:1:bin:/bin:/usr/sbin/nologin\n\
             nobody:x:65534:65534:Kernel Overflow User:/:/usr/sbin/nologin\nsshd:x:74:74:Privilege-separated SSH:/usr/share/empty.sshd:/usr/sbin/nologin\n",
        )
        .file_of("/etc/shadow", "root:!locked::0:99999:7:::\nbin:*:19932:0:99999:7:::\nnobody:*:19932:0:99999:7:::\nsshd:!*:19932::::::\n", 0o000, 0, 0)
        .file("/etc/group", "root:x:0:\nbin:x:1:\nadm:x:4:\nwheel:x:10:\nsystemd-journal:x:190:\nnobody:x:65534:\nsshd:x:74:\n")
        .file_of("/etc/gshadow", "root:::\nbin:::\nadm:::\nwheel:::\nsystemd-journal:!*::\nnobody:::\nsshd:!*::\n", 0o000, 0, 0)
        .file("/etc/login.defs", "UID_MIN                  1000\nUID_MAX                 60000\nGID_MIN                  1000\nGID_MAX                 60000\nHOME_MODE\t0700\nENCRYPT_METHOD YESCRYPT\nUSERGROUPS_ENAB yes\n")
        .file("/etc/pam.d/system-auth", "password    sufficient    pam_unix.so yescrypt shadow nullok use_authtok\n")
        .file("/etc/shells", "/bin/sh\n/bin/bash\n/usr/bin/sh\n/usr/bin/bash\n")
        .file("/etc/hosts", "127.0.0.1   localhost localhost.localdomain localhost4 localhost4.localdomain4\n::1         localhost localhost.localdomain localhost6 localhost6.localdomain6\n")
        .file(
            "/etc/fstab",
            "UUID=0a5f1d3e-6d0d-4c8b-9d2e-3c1f3b6a9e51 / btrfs compress=zstd:1,subvol=root 0 0\n\
             UUID=5c2f8f5a-2b77-46a9-8b9f-9e1a2d7a0f63 /boot ext4 defaults 1 2\n\
             UUID=0a5f1d3e-6d0d-4c8b-9d2e-3c1f3b6a9e51 /home btrfs compress=zstd:1,subvol=home 0 0\n\
             UUID=0a5f1d3e-6d0d-4c8b-9d2e-3c1f3b6a9e51 /var btrfs compress=zstd:1,subvol=var 0 0\n\
             UUID=7B77-95E7 /boot/efi vfat defaults,umask=0077,shortname=winnt 0 2\n",
        )
        .file("/etc/machine-id", "uninitialized\n")
        .file("/usr/share/zoneinfo/UTC", "TZif2")
        .file("/usr/share/zoneinfo/Europe/Berlin", "TZif2")
        .link("/etc/localtime", "../usr/share/zoneinfo/UTC")
        .file("/etc/locale.conf", "LANG=\"C.UTF-8\"\n")
        .program("/usr/bin/NetworkManager")
        .link("/usr/sbin/NetworkManager", "../bin/NetworkManager")
        .file("/etc/NetworkManager/NetworkManager.conf", "[main]\n")
        .directory("/etc/NetworkManager/system-connections", 0o700, 0, 0)
        .file("/usr/lib/systemd/system/NetworkManager.service", "[Install]\nWantedBy=multi-user.target\n")
        .link("/etc/systemd/system/multi-user.target.wants/NetworkManager.service", "/usr/lib/systemd/system/NetworkManager.service")
        .link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
        .program("/usr/sbin/sshd")
        .file("/usr/lib/systemd/system/sshd.service", "[Install]\nWantedBy=multi-user.target\n")
        .link("/etc/systemd/system/multi-user.target.wants/sshd.service", "/usr/lib/systemd/system/sshd.service")
        .file_of("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile\t.ssh/authorized_keys\nSubsystem\tsftp\t/usr/libexec/openssh/sftp-server\n", 0o600, 0, 0)
        .file_of("/etc/ssh/sshd_config.d/50-redhat.conf", "SyslogFacility AUTHPRIV\nGSSAPIAuthentication yes\nUsePAM yes\n", 0o600, 0, 0)
        .program("/usr/bin/cloud-init")
        .file(
            "/etc/cloud/cloud.cfg",
            "users:\n  - default\ndisable_root: true\nssh_pwauth: false\nmount_default_fields: [~, ~, 'auto', 'defaults,nofail', '0', '2']\n\
             system_info:\n  distro: fedora\n  default_user:\n    name: fedora\n    lock_passwd: True\n    groups: [wheel, adm, systemd-journal]\n    shell: /bin/bash\n",
        )
        .file("/usr/libexec/cloud-init/ds-identify", "#!/bin/sh\n")
        .file("/usr/lib/systemd/system/cloud-init.service", "[Install]\nWantedBy=cloud-init.target\n")
        .file("/usr/lib/systemd/system/cloud-init-local.service", "[Install]\nWantedBy=cloud-init.target\n")
        .link("/etc/systemd/system/cloud-init.target.wants/cloud-init.service", "/usr/lib/systemd/system/cloud-init.service")
        .link("/etc/systemd/system/cloud-init.target.wants/cloud-init-local.service", "/usr/lib/systemd/system/cloud-init-local.service")
        .file("/usr/lib/python3.13/site-packages/cloud_init-24.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: cloud-init\nVersion: 24.2\nSummary: Cloud instance initialisation magic\n")
        .program("/usr/bin/sudo")
        .file_of("/etc/sudoers", "Defaults\tenv_reset\nroot\tALL=(ALL) \tALL\n%wheel\tALL=(ALL)\tALL\n#includedir /etc/sudoers.d\n", 0o440, 0, 0)
        .directory("/etc/sudoers.d", 0o750, 0, 0)
        .directories(&["/etc/pki/ca-trust/source/anchors", "/etc/pki/ca-trust/extracted"])
        .program("/usr/bin/update-ca-trust")
        .file("/etc/selinux/config", "# This file controls the state of SELinux on the system.\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")
        .file(
            "/etc/selinux/targeted/contexts/files/file_contexts",
            "/.*\tsystem_u:object_r:default_t:s0\n/etc(/.*)?\tsystem_u:object_r:etc_t:s0\n/etc/shadow.*\t--\tsystem_u:object_r:shadow_t:s0\n\
             /root(/.*)?\tsystem_u:object_r:admin_home_t:s0\n/root/\\.ssh(/.*)?\tsystem_u:object_r:ssh_home_t:s0\n\
             /etc/NetworkManager/system-connections(/.*)?\tsystem_u:object_r:NetworkManager_etc_rw_t:s0\n",
        )
        .attribute("/etc", "security.selinux", b"system_u:object_r:etc_t:s0\0")
        .directories(&["/boot/loader/entries", "/boot/efi"])
        .file("/boot/vmlinuz-6.11.4-301.fc41.x86_64", "kernel")
        .file("/boot/grub2/grub.cfg", "load_env\n")
        .file("/boot/loader/entries/0-6.11.4-301.fc41.x86_64.conf", "title Fedora Linux\nversion 6.11.4-301.fc41.x86_64\n")
        .file("/usr/lib/sysimage/rpm/rpmdb.sqlite", "SQLite format 3\0")
        .link("/var/lib/rpm", "../../usr/lib/sysimage/rpm")
}
