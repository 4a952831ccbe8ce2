#!/bin/bash
# First process after the root file system is there: makes the machine look as a systemd host does, runs /run/command.sh, tells how it
# ended, and waits to be switched off. Everything the host reads goes to the second serial line, so that the kernel's messages stay apart
# from it; through a pipe, because programs colour and redraw what goes to a terminal.
ln -s /proc/self/fd /dev/fd
for index in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${index%:*}" "/dev/${index#*:}"; done
stty -F /dev/ttyS1 raw -echo
exec > >(exec cat >/dev/ttyS1) 2>&1 </dev/null
exec 9</dev/ttyS0 # the kernel listens for the host's questions (sysrq.ts) only while somebody has its line open
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
finish() {
  echo "@guest $*"
  sleep 60 # the host ends the machine when it has read this line; switching off here could lose it
  busybox poweroff -f
}
trap 'finish died' EXIT

mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /run/netns /run/lock
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null

# cgroup version 2 alone, all controllers delegated, and no process in the root group: what systemd makes of a machine.
mount -t cgroup2 -o nosuid,nodev,noexec,relatime,nsdelegate cgroup2 /sys/fs/cgroup
mkdir /sys/fs/cgroup/init.scope /sys/fs/cgroup/system.slice /sys/fs/cgroup/system.slice/guest.service
echo 1 >/sys/fs/cgroup/init.scope/cgroup.procs
read -r controllers </sys/fs/cgroup/cgroup.controllers
for controller in $controllers; do echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control; done

mount --make-rshared /
hostname guest
ip link set lo up
echo "@guest up $(cut -d' ' -f1 /proc/uptime) $(uname -r)"
(
  echo "$BASHPID" >/sys/fs/cgroup/system.slice/guest.service/cgroup.procs
  exec bash /run/command.sh
)
code=$?
trap - EXIT
finish "exit $code $(cut -d' ' -f1 /proc/uptime)"
