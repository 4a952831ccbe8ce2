# The command's functions: test programs one after another, and beside them, in a guest, a look at whether the machine itself still works.
cd /tmp

# program SECONDS FILE ARGUMENT...; tests that fail get a second try.
program() {
  local limit=$1 file=$2 said=/tmp/said status failed
  shift 2
  echo "Running ${file##*/} ($file)"
  SECONDS=0
  RUST_BACKTRACE=1 timeout --kill-after=5 "$limit" "$file" "$@" | tee "$said"
  status=${PIPESTATUS[0]}
  mapfile -t failed < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$said")
  if [ "$status" = 101 ] && [ ${#failed[@]} -gt 0 ]; then
    printf '\n@again\n'
    RUST_BACKTRACE=1 timeout --kill-after=5 "$limit" "$file" --show-output --color=never --include-ignored --exact "${failed[@]}"
    status=$?
  fi
  printf '\n@program %s %s %s\n' "$file" "$status" "$SECONDS" # an ended program may stand in the middle of a line
}

# Tells the host when nothing can be made any more; the host asks the kernel what its tasks wait for, and ends the guest. Where not even
# sleep returns, the host notes the silence.
canary() {
  while sleep 20; do
    alive || break
  done
  printf '\n@guest stuck for a minute no namespace and no link in it could be made\n'
}

# A process, a namespace and a link in it: the locks behind which all network tests queue up. Beside, because who waits for such a lock
# cannot be killed.
alive() {
  local mark=/tmp/alive tries
  rm -f "$mark"
  (unshare --net ip link set lo up && touch "$mark") </dev/null &
  for tries in {1..60}; do
    sleep 1
    [ ! -e "$mark" ] || return 0
  done
  return 1
}
