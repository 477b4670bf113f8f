#!/bin/busybox sh
# The whole user space of the inspecting guest. Mounts every SCSI drive in every way that
# this kernel knows, and writes what it reads there to the disk /dev/vda:
#
#   drive TARGET      then the answer of blkid, then an empty line
#   view TARGET NAME  then a cpio archive of the mounted tree, padded with NULs
#   failed TARGET NAME   the mount or the reading failed
#   end
#
# The last word, "done", goes to the second serial port once the disk has all of it.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do
    insmod "/modules/$module" || echo "cannot load $module"
done < /modules/order

for word in $(cat /proc/cmdline); do
    case $word in christen.drives=*) wanted=${word#*=} ;; esac
done

# Drives appear as the bus is scanned; 600 looks of 0.1 s.
looks=0
while
    set -- /sys/block/sd* /sys/block/sr*
    found=0
    for drive; do [ -e "$drive" ] && found=$((found + 1)); done
    [ "$found" -lt "$wanted" ] || [ ! -b /dev/vda ]
do
    looks=$((looks + 1))
    [ "$looks" -lt 600 ] || { echo "only $found of $wanted drives appeared"; poweroff -f; }
    usleep 100000
done

exec 3> /dev/vda

# view TARGET DEVICE NAME TYPE OPTIONS
view() {
    if mount -t "$4" -o "ro$5" "/dev/$2" /mnt; then
        echo "view $1 $3" >&3
        (cd /mnt && find . -print0 | cpio -0 -o -H newc >&3) || echo "failed $1 $3" >&3
        umount /mnt
    else
        echo "failed $1 $3" >&3
    fi
}

for drive; do
    [ -e "$drive" ] || continue
    device=${drive##*/}
    address=$(readlink -f "$drive/device")
    address=${address##*/}
    target=${address#*:*:}
    target=${target%%:*}
    answer=$(/sbin/blkid -p -o export "/dev/$device")
    printf 'drive %s\n' "$target" >&3
    [ -z "$answer" ] || printf '%s\n' "$answer" >&3
    echo >&3
    case $answer in
    *TYPE=iso9660*)
        view "$target" "$device" default iso9660 ""
        view "$target" "$device" joliet iso9660 ,norock,iocharset=utf8
        view "$target" "$device" plain iso9660 ,norock,nojoliet,map=off
        ;;
    *TYPE=vfat*)
        view "$target" "$device" vfat vfat ""
        ;;
    esac
done
echo end >&3
exec 3>&-
sync
echo done > /dev/ttyS1
poweroff -f
