#!/bin/sh
# Tells on the second serial port what this guest has become, then powers it off. Each line is a name and base64.
exec 2>&1
tell() {
    name=$1
    shift
    printf '%s %s\n' "$name" "$("$@" 2>&1 | base64 -w0)" >/dev/ttyS1
}
# The private half of a key that was injected: who can log in with it.
login() {
    ssh -i /run/christen-key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
        "$1@127.0.0.1" id -un
}
check_password() {
    perl -e '
        my ($name, $file) = @ARGV;
        open my $in, "<", $file or die "no password to check";
        chomp(my $password = <$in>);
        my $hash = (getpwnam $name)[1];
        print crypt($password, $hash) eq $hash ? "right" : "wrong";' "$1" "$2"
}
install -m 0600 /etc/christen-test/key /run/christen-key
tell hostname hostname
tell addresses ip -o addr show
tell routes ip route show
tell routes6 ip -6 route show
tell resolver cat /etc/resolv.conf
tell mounts findmnt -rn -o TARGET,SOURCE,FSTYPE
tell failed systemctl --failed --no-legend --plain
tell zone date +%Z
tell machine-id cat /etc/machine-id
tell root-login login root
tell user-login login ops
tell root-password check_password root /etc/christen-test/root-password
tell user-password check_password ops /etc/christen-test/user-password
tell user id ops
tell sudo sudo -n -l -U ops
tell shadow grep -E '^(root|ops):' /etc/shadow
tell file stat -c '%a %u:%g %s' /srv/from-outside/note
tell content cat /srv/from-outside/note
tell boot-note cat /boot/christen-note
tell first-boot cat /var/tmp/first-boot
tell kernel sh -c 'dmesg | grep -iE "ext[234]-fs.*(error|warning)" || true'
tell end echo end
systemctl poweroff --force --force
