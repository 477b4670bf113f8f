//! openSUSE Leap 15.6 and Tumbleweed as their cloud images.

use super::PhonyTree;

/// What both have.
fn common() -> PhonyTree {
    PhonyTree::new()
        .directories(&["/boot", "/dev", "/home", "/proc", "/run", "/sys", "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/sbin", "/var/log"])
        .directory("/root", 0o700, 0, 0)
        .directory("/tmp", 0o1777, 0, 0)
        .link("/etc/os-release", "../usr/lib/os-release")
        .program("/usr/bin/bash")
        .link("/usr/bin/sh", "bash")
        .program("/usr/lib/systemd/systemd")
        .link("/usr/sbin/init", "../lib/systemd/systemd")
        .file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/var/lib/nobody:/bin/bash\nsshd:x:476:476:SSH daemon:/var/lib/sshd:/usr/sbin/nologin\n")
        .file_of("/etc/shadow", "root:!:19950::::::\nnobody:!:19950::::::\nsshd:!:19950::::::\n", 0o640, 0, 15)
        .file("/etc/group", "root:x:0:\nshadow:x:15:\nusers:x:100:\nwheel:x:497:\nnobody:x:65534:\nsshd:x:476:\n")
        .file("/etc/shells", "/bin/bash\n/bin/sh\n")
        .file("/etc/hosts", "127.0.0.1       localhost\n::1             localhost ipv6-localhost ipv6-loopback\n")
        .file("/etc/fstab", "UUID=b1f1e3a2-4f42-4c8f-9a47-0a3d3b8b1c55 / xfs defaults 0 1\nUUID=2A1C-4C2B /boot/efi vfat defaults 0 2\n")
        .file("/etc/machine-id", "")
        .file("/usr/share/zoneinfo/UTC", "TZif2")
        .file("/usr/share/zoneinfo/Europe/Berlin", "TZif2")
        .link("/etc/localtime", "/usr/share/zoneinfo/UTC")
        .file("/etc/locale.conf", "LANG=C.UTF-8\n")
        .program("/usr/sbin/sshd")
        .file("/usr/lib/systemd/system/sshd.service", "[Install]\nWantedBy=multi-user.target\n")
        .link("/etc/systemd/system/multi-user.target.wants/sshd.service", "/usr/lib/systemd/system/sshd.service")
        .program("/usr/bin/cloud-init")
        .file(
            "/etc/cloud/cloud.cfg",
            "users:\n   - default\ndisable_root: false\nmount_default_fields: [~, ~, 'auto', 'defaults,nofail', \"0\", \"2\"]\n\
             datasource_list: [ NoCloud, ConfigDrive, OpenNebula, Azure, OpenStack, Ec2, None ]\n\
             system_info:\n   distro: opensuse\n   default_user:\n     name: opensuse\n     lock_passwd: True\n     shell: /bin/bash\n",
        )
        .file("/usr/lib/cloud-init/ds-identify", "#!/bin/sh\n")
        .file("/usr/lib/systemd/system/cloud-init.service", "[Install]\nWantedBy=cloud-init.target\n")
        .link("/etc/systemd/system/cloud-init.target.wants/cloud-init.service", "/usr/lib/systemd/system/cloud-init.service")
        .directories(&["/etc/pki/trust/anchors"])
        .program("/usr/sbin/update-ca-certificates")
        .program("/usr/bin/sudo")
        .file("/boot/grub2/grub.cfg", "set timeout=1\n")
}

/// openSUSE Leap 15.6: wicked with ifcfg files, `/bin` and `/usr/bin` apart.
pub fn opensuse_leap_15_6() -> PhonyTree {
    common()
        .link("/bin/bash", "/usr/bin/bash")
        .link("/bin/sh", "/usr/bin/sh")
        .link("/sbin/init", "/usr/lib/systemd/systemd")
        .file(
            "/usr/lib/os-release",
            "NAME=\"openSUSE Leap\"\nVERSION=\"15.6\"\nID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.6\"\n\
             PRETTY_NAME=\"openSUSE Leap 15.6\"\nANSI_COLOR=\"0;32\"\n",
        )
        .file("/etc/login.defs", "UID_MIN 1000\nUID_MAX 60000\nENCRYPT_METHOD SHA512\nUSERGROUPS_ENAB no\n")
        .file("/etc/pam.d/common-password-pc", "password required pam_unix.so use_authtok nullok shadow try_first_pass\n")
        .file_of("/etc/ssh/sshd_config", "AuthorizedKeysFile\t.ssh/authorized_keys\nPermitRootLogin yes\nUsePAM yes\n", 0o640, 0, 0)
        .file_of("/etc/sudoers", "Defaults always_set_home\nroot ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n", 0o440, 0, 0)
        .directory("/etc/sudoers.d", 0o750, 0, 0)
        .program("/usr/sbin/wicked")
        .file("/etc/sysconfig/network/config", "NETCONFIG_DNS_POLICY=\"auto\"\n")
        .file("/etc/sysconfig/network/ifcfg-eth0", "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n")
        .file("/usr/lib/systemd/system/wicked.service", "[Install]\nWantedBy=multi-user.target\nAlias=network.service\n")
        .link("/etc/systemd/system/network.service", "/usr/lib/systemd/system/wicked.service")
        .link("/etc/systemd/system/multi-user.target.wants/wicked.service", "/usr/lib/systemd/system/wicked.service")
        .file("/boot/vmlinuz-6.4.0-150600.23.25-default", "kernel")
        .file("/usr/lib/python3.6/site-packages/cloud_init-23.3-py3.6.egg-info/PKG-INFO", "Metadata-Version: 1.1\nName: cloud-init\nVersion: 23.3\n")
        .file("/usr/lib/sysimage/rpm/Packages.db", "ndb")
        .link("/var/lib/rpm", "../../usr/lib/sysimage/rpm")
}

/// openSUSE Tumbleweed: NetworkManager with keyfiles, vendor defaults below `/usr/etc`, SELinux enforcing.
pub fn opensuse_tumbleweed() -> PhonyTree {
    common()
        .link("/bin", "usr/bin")
        .link("/sbin", "usr/sbin")
        .link("/lib", "usr/lib")
        .file(
            "/usr/lib/os-release",
            "NAME=\"openSUSE Tumbleweed\"\nID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\nVERSION_ID=\"20250301\"\n\
             PRETTY_NAME=\"openSUSE Tumbleweed\"\nANSI_COLOR=\"0;32\"\n",
        )
        .file("/usr/etc/login.defs", "UID_MIN 1000\nUID_MAX 60000\nENCRYPT_METHOD YESCRYPT\nUSERGROUPS_ENAB no\n")
        .file("/usr/lib/pam.d/common-password", "password required pam_unix.so use_authtok nullok shadow try_first_pass\n")
        .file_of("/usr/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nInclude /usr/etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile\t.ssh/authorized_keys\nUsePAM yes\n", 0o640, 0, 0)
        .directory("/etc/ssh/sshd_config.d", 0o700, 0, 0)
        .file_of("/usr/etc/sudoers", "Defaults always_set_home\nroot ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n", 0o440, 0, 0)
        .directory("/etc/sudoers.d", 0o750, 0, 0)
        .program("/usr/sbin/NetworkManager")
        .file("/etc/NetworkManager/NetworkManager.conf", "[main]\n")
        .directory("/etc/NetworkManager/system-connections", 0o700, 0, 0)
        .file("/usr/lib/systemd/system/NetworkManager.service", "[Install]\nWantedBy=multi-user.target\nAlias=network.service\n")
        .link("/etc/systemd/system/network.service", "/usr/lib/systemd/system/NetworkManager.service")
        .link("/etc/systemd/system/multi-user.target.wants/NetworkManager.service", "/usr/lib/systemd/system/NetworkManager.service")
        .file("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n")
        .file(
            "/etc/selinux/targeted/contexts/files/file_contexts",
            "/.*\tsystem_u:object_r:default_t:s0\n/etc(/.*)?\tsystem_u:object_r:etc_t:s0\n/etc/shadow.*\t--\tsystem_u:object_r:shadow_t:s0\n",
        )
        .attribute("/etc", "security.selinux", b"system_u:object_r:etc_t:s0\0")
        .file("/boot/vmlinuz-6.13.4-1-default", "kernel")
        .file("/usr/lib/python3.11/site-packages/cloud_init-25.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: cloud-init\nVersion: 25.1\n")
        .file("/usr/lib/sysimage/rpm/Packages.db", "ndb")
}
