#!/bin/sh
# First process, in the initial RAM file system: finds the disks, puts them in place and hands over to Debian.
#
# /order: kernel modules of /modules to load, in this order.   /disks: `DEVICE MOUNT-POINT OPTIONS` a line, the root first.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module" || echo "guest: $module does not load"; done </order
while read -r device point options; do
  tries=0
  until [ -b "$device" ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "guest: no disk $device"; poweroff -f; }
    sleep 0.1
  done
  mkdir -p "/root$point"
  mount -t ext4 -o "$options" "$device" "/root$point" || { echo "guest: $device is not mounted at $point"; poweroff -f; }
done </disks
for kept in proc sys dev; do mount --move "/$kept" "/root/$kept"; done
mount -t tmpfs -o mode=755 tmpfs /root/run
cp /start.sh /command.sh /root/run/
exec switch_root /root /bin/bash /run/start.sh
