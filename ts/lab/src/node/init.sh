#!/bin/sh
# Process 1 of a node: gives it a machine's view of the world, then waits and reaps.
#
# A node has its own network, mount, pid, uts and ipc namespaces. Its root is a copy-on-write view of the host's, so whatever is written on
# the node goes with it; /run and /tmp are its own; containerd's files lie on the host's real file system, because overlayfs cannot stand on
# overlayfs.
#
# usage: init.sh NAME DIRECTORY REPOSITORY AGENT      DIRECTORY: the node's files on the host. Says "ready" by making DIRECTORY/ready.
set -eu
name=$1 directory=$2 repository=$3 agent=$4

hostname "$name"
root=$directory/root
# What overlayfs had to remember for the last boot's end is of no use after it.
rm -rf "$directory/work"
mkdir -p "$root" "$directory/upper" "$directory/work"
# volatile: the view needs no syncing, and its end would otherwise wait for the whole disk. Where syncing is meant (containerd's database, the
# daemon's journal) the directory is a real one, below.
mount -t overlay "$name" -o "lowerdir=/,upperdir=$directory/upper,workdir=$directory/work,volatile" "$root"

mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
# A sysfs mounted here shows this network namespace's devices. The cgroups of either version come back into it as the host has them.
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount -t bpf bpf "$root/sys/fs/bpf"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/run/netns" "$root/run/lock"
for private in containerd kubelet cni; do
  mkdir -p "$directory/$private" "$root/var/lib/$private"
  mount --bind "$directory/$private" "$root/var/lib/$private"
done
# What is shared with the host, under its host name: the node's own directory, the programs under test, the tools in the cache.
for shared in "$directory" "$repository" "${TERWAY_CACHE:-}"; do
  [ -n "$shared" ] || continue
  mkdir -p "$root$shared"
  mount --bind "$shared" "$root$shared"
done

mkdir -p "$root/.host"
pivot_root "$root" "$root/.host"
cd /
umount -l /.host
rmdir /.host

# A machine starts without anything that the host may have of Kubernetes; what is put there later outlives its boots.
if [ ! -e "$directory/booted" ]; then
  for own in /etc/cni/net.d /opt/cni/bin /var/log/pods /var/log/containers /etc/eni /etc/containerd; do
    rm -rf "$own"
    mkdir -p "$own"
  done
  : >"$directory/booted"
fi
# Every boot of a machine has an id of its own, which is not the host's.
cat /proc/sys/kernel/random/uuid >/run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
printf '127.0.0.1 localhost\n::1 localhost\n' >/etc/hosts
printf '%s\n' "$name" >/etc/hostname
mount --make-rshared /
: >"$directory/ready"
exec "$agent" pause
