//! Debian 12 as its generic cloud image.

use super::PhonyTree;

/// Debian 12: systemd, netplan with networkd, GRUB, cloud-init of the distribution; `debian` is made at the first boot.
pub fn debian_12() -> PhonyTree {
    PhonyTree::new()
        .directories(&["/boot", "/dev", "/home", "/proc", "/run", "/sys", "/usr/bin", "/usr/lib", "/usr/sbin", "/var/log"])
        .directory("/root", 0o700, 0, 0)
        .directory("/tmp", 0o1777, 0, 0)
        .link("/bin", "usr/bin")
        .link("/sbin", "usr/sbin")
        .link("/lib", "usr/lib")
        .link("/etc/os-release", "../usr/lib/os-release")
        .file(
            "/usr/lib/os-release",
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n\
             VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n",
        )
        .file("/etc/debian_version", "12.8\n")
        .program("/usr/bin/dash")
        .program("/usr/bin/bash")
        .link("/usr/bin/sh", "dash")
        .program("/usr/lib/systemd/systemd")
        .link("/usr/sbin/init", "/lib/systemd/systemd")
        .file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
             systemd-network:x:998:998:systemd Network Management:/:/usr/sbin/nologin\n\
             sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n",
        )
        .file_of(
            "/etc/shadow",
            "root:*:20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\nnobody:*:20000:0:99999:7:::\n\
             systemd-network:!*:20000::::::\nsshd:!:20000::::::\n",
            0o640,
            0,
            42,
        )
        .file(
            "/etc/group",
            "root:x:0:\ndaemon:x:1:\nadm:x:4:\nsudo:x:27:\nshadow:x:42:\nnogroup:x:65534:\nsystemd-network:x:998:\n",
        )
        .file_of(
            "/etc/gshadow",
            "root:*::\ndaemon:*::\nadm:*::\nsudo:*::\nshadow:*::\nnogroup:*::\nsystemd-network:!*::\n",
            0o640,
            0,
            42,
        )
        .file(
            "/etc/login.defs",
            "UID_MIN\t\t\t 1000\nUID_MAX\t\t\t60000\nGID_MIN\t\t\t 1000\nGID_MAX\t\t\t60000\nENCRYPT_METHOD SHA512\nUSERGROUPS_ENAB yes\n",
        )
        .file(
            "/etc/pam.d/common-password",
            "password\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt\npassword\trequisite\tpam_deny.so\n",
        )
        .file("/etc/shells", "# /etc/shells: valid login shells\n/bin/sh\n/bin/bash\n")
        .file("/etc/hostname", "localhost\n")
        .file("/etc/hosts", "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n")
        .file(
            "/etc/fstab",
            "PARTUUID=1e3a3a3c-7f5e-4d0e-9a51-1f1d4c2f8f10 / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1\n\
             PARTUUID=5e0f6b0a-2a6b-4f0a-8b62-33f4b1c4b0d2 /boot/efi vfat defaults 0 0\n",
        )
        .file("/etc/machine-id", "")
        .file("/etc/timezone", "Etc/UTC\n")
        .file("/usr/share/zoneinfo/Etc/UTC", "TZif2")
        .file("/usr/share/zoneinfo/Europe/Berlin", "TZif2")
        .link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
        .file("/etc/default/locale", "LANG=C.UTF-8\n")
        .file("/etc/locale.gen", "# de_DE.UTF-8 UTF-8\n# en_US.UTF-8 UTF-8\n")
        .file("/etc/network/interfaces", "# Include files from /etc/network/interfaces.d:\nsource-directory /etc/network/interfaces.d\n")
        .directories(&["/etc/netplan", "/etc/systemd/network", "/usr/share/netplan"])
        .program("/usr/sbin/netplan")
        .program("/usr/lib/systemd/systemd-networkd")
        .file("/usr/lib/systemd/system/systemd-networkd.service", "[Install]\nWantedBy=multi-user.target\n")
        .link("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "/lib/systemd/system/systemd-networkd.service")
        .link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
        .program("/usr/sbin/sshd")
        .file("/usr/lib/systemd/system/ssh.service", "[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\n")
        .link("/etc/systemd/system/multi-user.target.wants/ssh.service", "/lib/systemd/system/ssh.service")
        .file(
            "/etc/ssh/sshd_config",
            "Include /etc/ssh/sshd_config.d/*.conf\n#PermitRootLogin prohibit-password\nKbdInteractiveAuthentication no\nUsePAM yes\n\
             AcceptEnv LANG LC_*\nSubsystem\tsftp\t/usr/lib/openssh/sftp-server\n",
        )
        .directories(&["/etc/ssh/sshd_config.d"])
        .program("/usr/bin/cloud-init")
        .file(
            "/etc/cloud/cloud.cfg",
            "users:\n   - default\ndisable_root: true\npreserve_hostname: false\n\
             cloud_init_modules:\n - growpart\n - users-groups\n - ssh\n\
             system_info:\n   distro: debian\n   default_user:\n     name: debian\n     lock_passwd: True\n     shell: /bin/bash\n",
        )
        .file(
            "/etc/cloud/cloud.cfg.d/90_dpkg.cfg",
            "# to update this file, run dpkg-reconfigure cloud-init\n\
             datasource_list: [ NoCloud, ConfigDrive, OpenNebula, DigitalOcean, Azure, OpenStack, Ec2, None ]\n",
        )
        .file("/etc/cloud/cloud.cfg.d/01_debian_cloud.cfg", "apt:\n  generate_mirrorlists: true\nmanage_etc_hosts: true\n")
        .file("/usr/lib/cloud-init/ds-identify", "#!/bin/sh\n")
        .file("/usr/lib/systemd/system/cloud-init.service", "[Install]\nWantedBy=cloud-init.target\n")
        .file("/usr/lib/systemd/system/cloud-init-local.service", "[Install]\nWantedBy=cloud-init.target\n")
        .link("/etc/systemd/system/cloud-init.target.wants/cloud-init.service", "/lib/systemd/system/cloud-init.service")
        .link("/etc/systemd/system/cloud-init.target.wants/cloud-init-local.service", "/lib/systemd/system/cloud-init-local.service")
        .file("/usr/lib/python3/dist-packages/cloudinit/__init__.py", "")
        .program("/usr/bin/sudo")
        .file_of("/etc/sudoers", "Defaults\tenv_reset\nroot\tALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n", 0o440, 0, 0)
        .directory("/etc/sudoers.d", 0o750, 0, 0)
        .file("/etc/ca-certificates.conf", "mozilla/Example_Root.crt\n")
        .directories(&["/usr/local/share/ca-certificates", "/etc/ssl/certs"])
        .file("/etc/ssl/certs/ca-certificates.crt", "")
        .program("/usr/sbin/update-ca-certificates")
        .file("/boot/vmlinuz-6.1.0-28-cloud-amd64", "kernel")
        .file("/boot/initrd.img-6.1.0-28-cloud-amd64", "initrd")
        .file("/boot/grub/grub.cfg", "set root='hd0,gpt1'\n")
        .file("/etc/default/grub", "GRUB_CMDLINE_LINUX=\"console=tty0 console=ttyS0,115200\"\n")
        .file(
            "/var/lib/dpkg/status",
            "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12.4+deb12u8\n\n\
             Package: cloud-init\nStatus: install ok installed\nArchitecture: all\nVersion: 22.4.2-1+deb12u1\n\n\
             Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n\
             Package: netplan.io\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.106-2+deb12u1\n\n\
             Package: openssh-server\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:9.2p1-2+deb12u3\n\n\
             Package: systemd\nStatus: install ok installed\nArchitecture: amd64\nVersion: 252.31-1~deb12u1\n",
        )
}
