# Runs in the guest: what kind of host this is, then the demo, and beside it one look at a pod's control groups while it runs.
set -u
echo "@mounts $(findmnt -rno FSTYPE --types cgroup,cgroup2 | sort | uniq -c | xargs)"
echo "@controllers $(cat /sys/fs/cgroup/cgroup.controllers)"

# .../pods/POD/CONTAINER. The first process of a group is runc's, which becomes the container's own a moment later.
look() {
  local events group pid
  while sleep 1; do
    for events in /sys/fs/cgroup/terway-lab-*/*/pods/*/*/cgroup.events; do
      group=${events%/*}
      for pid in $(cat "$group/cgroup.procs" 2>/dev/null); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = lab-agent ] || continue
        echo "@pod $group|$(cat "$group/cgroup.controllers")|$(cat "/proc/$pid/cgroup")|$(cat "$group/memory.current")|$(cat "$group/pids.current")"
        return
      done
    done
  done
}
look &
looking=$!
node ts/lab/src/main.ts demo
code=$?
kill "$looking" 2>/dev/null
[ "$code" = 0 ] || tail -n 15 /var/lib/terway-lab/*/log/*
exit "$code"
