#!/bin/busybox sh
# The whole user space of the guest that has LVM2 and a device mapper. Runs the script on the disk /dev/vdb, which ends at the
# first NUL, and writes to the disk /dev/vda:
#
#   status STATUS LENGTH   then what the script said
#
# The last word, "done", goes to the second serial port.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /tmp /run /etc/lvm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
while read -r module; do
    insmod "/modules/$module" || echo "cannot load $module"
done < /modules/order

for word in $(cat /proc/cmdline); do
    case $word in christen.drives=*) wanted=${word#*=} ;; esac
done

# Drives appear as the bus is scanned; 600 looks of 0.1 s.
looks=0
while
    set -- /dev/sd?
    found=0
    for drive; do [ -b "$drive" ] && found=$((found + 1)); done
    [ "$found" -lt "$wanted" ] || [ ! -b /dev/vda ] || [ ! -b /dev/vdb ]
do
    looks=$((looks + 1))
    [ "$looks" -lt 600 ] || { echo "only $found of $wanted drives appeared"; poweroff -f; }
    usleep 100000
done

# There is no udev, and no checking program for thin pools and caches.
cat > /etc/lvm/lvm.conf <<END
devices { use_devicesfile=0 obtain_device_list_from_udev=0 filter=["a|^/dev/sd|","r|.*|"] }
activation { udev_sync=0 udev_rules=0 monitoring=0 }
global { use_lvmpolld=0 use_lvmlockd=0 event_activation=0 thin_check_executable="" cache_check_executable="" }
backup { backup=0 archive=0 }
END
export LVM_SUPPRESS_FD_WARNINGS=1 LVM_SYSTEM_DIR=/etc/lvm PATH=/bin:/sbin

tr -d '\0' < /dev/vdb > /tmp/script
sh -e /tmp/script > /tmp/said 2>&1
status=$?
{ echo "status $status $(stat -c %s /tmp/said)"; cat /tmp/said; } > /dev/vda
sync
echo done > /dev/ttyS1
poweroff -f
