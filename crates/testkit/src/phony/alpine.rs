//! Alpine 3.20 as its `nocloud` image with cloud-init.

use super::PhonyTree;

/// Alpine 3.20: busybox and OpenRC, ifupdown-ng, doas, extlinux.
pub fn alpine_3_20() -> PhonyTree {
    PhonyTree::new()
        .directories(&["/boot", "/dev", "/home", "/proc", "/run", "/sys", "/usr/bin", "/usr/lib", "/usr/sbin", "/var/log"])
        .directory("/root", 0o700, 0, 0)
        .directory("/tmp", 0o1777, 0, 0)
        .link("/etc/os-release", "../usr/lib/os-release")
        .file(
            "/usr/lib/os-release",
            "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME=\"Alpine Linux v3.20\"\nHOME_URL=\"https://alpinelinux.org/\"\n",
        )
        .file("/etc/alpine-release", "3.20.3\n")
        .program("/bin/busybox")
        .link("/bin/sh", "/bin/busybox")
        .link("/bin/ash", "/bin/busybox")
        .link("/sbin/init", "/bin/busybox")
        .file("/etc/inittab", "::sysinit:/sbin/openrc sysinit\n::wait:/sbin/openrc default\ntty1::respawn:/sbin/getty 38400 tty1\n")
        .program("/sbin/openrc")
        .program("/sbin/openrc-run")
        .directories(&["/etc/runlevels/boot", "/etc/runlevels/default"])
        .file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nbin:x:1:1:bin:/bin:/sbin/nologin\nsshd:x:22:22:sshd:/dev/null:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
        )
        .file_of("/etc/shadow", "root:*::0:::::\nbin:!::0:::::\nsshd:!::0:::::\nnobody:!::0:::::\n", 0o640, 0, 42)
        .file("/etc/group", "root:x:0:root\nbin:x:1:root,bin,daemon\nwheel:x:10:root\nshadow:x:42:\nsshd:x:22:\nusers:x:100:games\nnobody:x:65534:\n")
        .file("/etc/shells", "# valid login shells\n/bin/sh\n/bin/ash\n")
        .file("/etc/hostname", "localhost\n")
        .file("/etc/hosts", "127.0.0.1\tlocalhost localhost.localdomain\n::1\t\tlocalhost localhost.localdomain\n")
        .file("/etc/fstab", "LABEL=/\t/\text4\trw,relatime,discard\t0 1\nLABEL=EFI\t/boot/efi\tvfat\trw,discard\t0 2\n")
        .file("/usr/share/zoneinfo/UTC", "TZif2")
        .file("/usr/share/zoneinfo/Europe/Berlin", "TZif2")
        .link("/etc/localtime", "/usr/share/zoneinfo/UTC")
        .program("/usr/sbin/ifup")
        .link("/sbin/ifup", "/usr/sbin/ifup")
        .file("/etc/network/interfaces", "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n")
        .file_of("/etc/init.d/networking", "#!/sbin/openrc-run\n", 0o755, 0, 0)
        .link("/etc/runlevels/boot/networking", "/etc/init.d/networking")
        .program("/usr/sbin/sshd")
        .file_of("/etc/init.d/sshd", "#!/sbin/openrc-run\n", 0o755, 0, 0)
        .link("/etc/runlevels/default/sshd", "/etc/init.d/sshd")
        .file("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile\t.ssh/authorized_keys\nAllowTcpForwarding no\nSubsystem\tsftp\tinternal-sftp\n")
        .directories(&["/etc/ssh/sshd_config.d"])
        .program("/usr/bin/cloud-init")
        .file(
            "/etc/cloud/cloud.cfg",
            "users:\n  - default\ndisable_root: true\ndatasource_list: [\"NoCloud\", \"ConfigDrive\", \"None\"]\n\
             system_info:\n  distro: alpine\n  default_user:\n    name: alpine\n    lock_passwd: True\n    doas:\n      - permit nopass alpine\n    shell: /bin/ash\n",
        )
        .file("/usr/lib/cloud-init/ds-identify", "#!/bin/sh\n")
        .file_of("/etc/init.d/cloud-init", "#!/sbin/openrc-run\n", 0o755, 0, 0)
        .file_of("/etc/init.d/cloud-init-local", "#!/sbin/openrc-run\n", 0o755, 0, 0)
        .link("/etc/runlevels/boot/cloud-init-local", "/etc/init.d/cloud-init-local")
        .link("/etc/runlevels/default/cloud-init", "/etc/init.d/cloud-init")
        .program("/usr/bin/doas")
        .directory("/etc/doas.d", 0o750, 0, 0)
        .directories(&["/usr/local/share/ca-certificates", "/etc/ssl/certs"])
        .file("/etc/ssl/certs/ca-certificates.crt", "")
        .program("/usr/sbin/update-ca-certificates")
        .file("/boot/vmlinuz-virt", "kernel")
        .file("/boot/extlinux.conf", "DEFAULT menu.c32\nLABEL virt\n  LINUX vmlinuz-virt\n")
        .file(
            "/lib/apk/db/installed",
            "C:Q1abc=\nP:alpine-base\nV:3.20.3-r0\nA:x86_64\nS:1234\nT:Meta package for minimal alpine base\n\n\
             C:Q1def=\nP:cloud-init\nV:24.1.4-r1\nA:x86_64\nS:5678\nT:Cloud instance init system\nF:etc\nF:etc/cloud\nR:cloud.cfg\n\n\
             C:Q1ghi=\nP:openssh-server\nV:9.7_p1-r4\nA:x86_64\n\n",
        )
}
