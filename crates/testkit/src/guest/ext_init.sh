#!/bin/busybox sh
# The whole user space of the guest that mounts ext2, ext3 and ext4. Mounts every SCSI drive read-only without its journal,
# and writes what it sees to the disk /dev/vda:
#
#   drive TARGET
#   files LENGTH        then what find prints of each file, fields ended by NUL
#   hashes LENGTH       then what sha256sum prints of each regular file, in the same order
#   attributes LENGTH   then what getfattr prints
#   failed TARGET WHAT  the mount, the reading or the writing failed
#   end
#
# Then it mounts the drive for writing and makes files of its own. The last word, "done", goes to the second serial port.
# busybox has a find of its own, which must not take the place of the other.
for applet in $(/bin/busybox --list); do
    [ -e "/bin/$applet" ] || /bin/busybox ln -s busybox "/bin/$applet"
done
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /tmp
mount -t tmpfs tmpfs /tmp
while read -r module; do
    insmod "/modules/$module" || echo "cannot load $module"
done < /modules/order

for word in $(cat /proc/cmdline); do
    case $word in
    christen.drives=*) wanted=${word#*=} ;;
    christen.files=*) count=${word#*=} ;;
    esac
done

# Drives appear as the bus is scanned; 600 looks of 0.1 s.
looks=0
while
    set -- /sys/block/sd*
    found=0
    for drive; do [ -e "$drive" ] && found=$((found + 1)); done
    [ "$found" -lt "$wanted" ] || [ ! -b /dev/vda ]
do
    looks=$((looks + 1))
    [ "$looks" -lt 600 ] || { echo "only $found of $wanted drives appeared"; poweroff -f; }
    usleep 100000
done

exec 3> /dev/vda

# part NAME: hands back /tmp/part
part() {
    echo "$1 $(stat -c %s /tmp/part)" >&3
    cat /tmp/part >&3
}

# scan: in the mounted tree
scan() {
    cd /mnt || return
    /bin/find . -printf '%P\0%y\0%m\0%U\0%G\0%n\0%s\0%A@\0%T@\0%C@\0%l\0' > /tmp/part || return
    part files
    /bin/find . -type f -print0 > /tmp/names || return
    xargs -0 -r sha256sum < /tmp/names > /tmp/part || return
    part hashes
    # Without -h it would follow links, and -P keeps the walk from it.
    /bin/getfattr -R -P -h -d -m - -e hex . > /tmp/part || return
    part attributes
    cd /
}

# fill: files of all sizes; each fifth goes, another gets another name, others get links
fill() {
    mkdir /mnt/written || return
    head -c 40000 /dev/urandom > /tmp/random
    number=0
    while [ "$number" -lt "$count" ]; do
        directory=/mnt/written/$((number % 11))
        [ -d "$directory" ] || mkdir "$directory" || return
        file=$directory/file$number
        head -c $((number * 37 % 1500 + (number % 7 / 6) * number * 90)) /tmp/random > "$file" || return
        case $((number % 5)) in
        0) rm "$file" || return ;;
        1) head -c 3000 /tmp/random >> "$file" || return ;;
        2) mv "$file" "/mnt/written/moved$number" || return ;;
        3) ln -s "$file" "/mnt/written/link$number" || return ;;
        4) ln "$file" "/mnt/written/name$number" || return ;;
        esac
        number=$((number + 1))
    done
}

for drive; do
    [ -e "$drive" ] || continue
    device=${drive##*/}
    address=$(readlink -f "$drive/device")
    address=${address##*/}
    target=${address#*:*:}
    target=${target%%:*}
    echo "drive $target" >&3
    if mount -t ext4 -o ro,noload "/dev/$device" /mnt; then
        scan || echo "failed $target reading" >&3
        cd /
        umount /mnt
    else
        echo "failed $target mounting" >&3
    fi
    [ "$count" -gt 0 ] || continue
    if mount -t ext4 -o noatime "/dev/$device" /mnt; then
        fill || echo "failed $target writing" >&3
        umount /mnt || echo "failed $target unmounting" >&3
    else
        echo "failed $target mounting for writing" >&3
    fi
done
echo end >&3
exec 3>&-
sync
echo done > /dev/ttyS1
poweroff -f
