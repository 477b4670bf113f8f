//! Ubuntu 24.04 as its server cloud image.

use super::PhonyTree;

/// Ubuntu 24.04: as Debian's, with sshd started by its socket, /boot on its own, and snap.
pub fn ubuntu_24_04() -> PhonyTree {
    PhonyTree::new()
        .directories(&["/boot", "/dev", "/home", "/proc", "/run", "/sys", "/usr/bin", "/usr/lib", "/usr/sbin", "/var/log", "/snap"])
        .directory("/root", 0o700, 0, 0)
        .directory("/tmp", 0o1777, 0, 0)
        .link("/bin", "usr/bin")
        .link("/sbin", "usr/sbin")
        .link("/lib", "usr/lib")
        .link("/etc/os-release", "../usr/lib/os-release")
        .file(
            "/usr/lib/os-release",
            "PRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nVERSION=\"24.04.1 LTS (Noble Numbat)\"\n\
             VERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\nUBUNTU_CODENAME=noble\n",
        )
        .file("/etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\nDISTRIB_CODENAME=noble\nDISTRIB_DESCRIPTION=\"Ubuntu 24.04.1 LTS\"\n")
        .file("/etc/debian_version", "trixie/sid\n")
        .program("/usr/bin/dash")
        .program("/usr/bin/bash")
        .link("/usr/bin/sh", "dash")
        .program("/usr/lib/systemd/systemd")
        .link("/usr/sbin/init", "../lib/systemd/systemd")
        .file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
             sshd:x:106:65534::/run/sshd:/usr/sbin/nologin\n",
        )
        .file_of(
            "/etc/shadow",
            "root:*:19950:0:99999:7:::\ndaemon:*:19950:0:99999:7:::\nnobody:*:19950:0:99999:7:::\nsshd:!:19950::::::\n",
            0o640,
            0,
            42,
        )
        .file("/etc/group", "root:x:0:\ndaemon:x:1:\nadm:x:4:syslog\nsudo:x:27:\nshadow:x:42:\nlxd:x:101:\nnogroup:x:65534:\n")
        .file_of("/etc/gshadow", "root:*::\ndaemon:*::\nadm:*::syslog\nsudo:*::\nshadow:*::\nlxd:!::\nnogroup:*::\n", 0o640, 0, 42)
        .file("/etc/login.defs", "UID_MIN\t1000\nUID_MAX\t60000\nGID_MIN\t1000\nGID_MAX\t60000\nENCRYPT_METHOD SHA512\nHOME_MODE\t0750\nUSERGROUPS_ENAB yes\n")
        .file("/etc/pam.d/common-password", "password\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt\n")
        .file("/etc/shells", "/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n")
        .file("/etc/hostname", "ubuntu\n")
        .file("/etc/hosts", "127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n")
        .file(
            "/etc/fstab",
            "LABEL=cloudimg-rootfs\t/\t ext4\tdiscard,commit=30,errors=remount-ro\t0 1\n\
             LABEL=BOOT\t/boot\text4\tdefaults\t0 2\nLABEL=UEFI\t/boot/efi\tvfat\tumask=0077\t0 1\n",
        )
        .file("/etc/machine-id", "uninitialized\n")
        .file("/etc/timezone", "Etc/UTC\n")
        .file("/usr/share/zoneinfo/Etc/UTC", "TZif2")
        .file("/usr/share/zoneinfo/Europe/Berlin", "TZif2")
        .link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
        .file("/etc/default/locale", "LANG=C.UTF-8\n")
        .directories(&["/etc/netplan", "/etc/systemd/network", "/usr/share/netplan"])
        .program("/usr/sbin/netplan")
        .program("/usr/lib/systemd/systemd-networkd")
        .file("/usr/lib/systemd/system/systemd-networkd.service", "[Install]\nWantedBy=multi-user.target\n")
        .link("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "/usr/lib/systemd/system/systemd-networkd.service")
        .link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
        .program("/usr/sbin/sshd")
        .file("/usr/lib/systemd/system/ssh.service", "[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\n")
        .file("/usr/lib/systemd/system/ssh.socket", "[Install]\nWantedBy=sockets.target\n")
        .link("/etc/systemd/system/sockets.target.wants/ssh.socket", "/usr/lib/systemd/system/ssh.socket")
        .file("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\nX11Forwarding yes\n")
        .file_of("/etc/ssh/sshd_config.d/60-cloudimg-settings.conf", "PasswordAuthentication no\n", 0o600, 0, 0)
        .program("/usr/bin/cloud-init")
        .file(
            "/etc/cloud/cloud.cfg",
            "users:\n  - default\ndisable_root: true\npreserve_hostname: false\n\
             system_info:\n  distro: ubuntu\n  default_user:\n    name: ubuntu\n    lock_passwd: True\n    groups: [adm, cdrom, dip, lxd, sudo]\n    shell: /bin/bash\n\
             \x20 network:\n    renderers: ['netplan', 'eni', 'sysconfig']\n",
        )
        .file(
            "/etc/cloud/cloud.cfg.d/90_dpkg.cfg",
            "datasource_list: [ NoCloud, ConfigDrive, OpenNebula, DigitalOcean, Azure, AltCloud, OVF, MAAS, GCE, OpenStack, CloudSigma, SmartOS, Ec2, LXD, None ]\n",
        )
        .file("/usr/lib/cloud-init/ds-identify", "#!/bin/sh\n")
        .file("/usr/lib/systemd/system/cloud-init.service", "[Install]\nWantedBy=cloud-init.target\n")
        .file("/usr/lib/systemd/system/cloud-init-local.service", "[Install]\nWantedBy=cloud-init.target\n")
        .link("/etc/systemd/system/cloud-init.target.wants/cloud-init.service", "/usr/lib/systemd/system/cloud-init.service")
        .link("/etc/systemd/system/cloud-init.target.wants/cloud-init-local.service", "/usr/lib/systemd/system/cloud-init-local.service")
        .program("/usr/bin/sudo")
        .file_of("/etc/sudoers", "Defaults\tenv_reset\n@includedir /etc/sudoers.d\n", 0o440, 0, 0)
        .directory("/etc/sudoers.d", 0o750, 0, 0)
        .file("/etc/ca-certificates.conf", "")
        .directories(&["/usr/local/share/ca-certificates", "/etc/ssl/certs"])
        .file("/etc/ssl/certs/ca-certificates.crt", "")
        .program("/usr/sbin/update-ca-certificates")
        .file(
            "/var/lib/dpkg/status",
            "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 13ubuntu10.1\n\n\
             Package: cloud-init\nStatus: install ok installed\nArchitecture: all\nVersion: 24.4-0ubuntu1~24.04.2\n\n\
             Package: netplan.io\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.1.1-1~ubuntu24.04.1\n",
        )
}
