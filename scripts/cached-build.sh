# Sourced by scripts that build test programs from Go modules, once for all clones on a machine.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
export GOFLAGS="-mod=readonly -trimpath -buildvcs=false" GOTOOLCHAIN=auto CGO_ENABLED=0

# cached_build ARGUMENT NAME WHAT FOLDER BUILD FILE…: the function BUILD fills the directory $new, which becomes <cache>/FOLDER/<hash of the files>/bin.
# With --print as ARGUMENT it prints that directory; when the directory is there it does nothing. NAME and WHAT are for people: what is built, and
# how long that takes. What was compiled before an interruption is not compiled again (Go's build cache).
cached_build() {
  local argument=$1 name=$2 what=$3 top=$CACHE/$4 build=$5 out started=$SECONDS
  shift 5
  out=$top/$(hash_of "$@")/bin
  [ "$argument" != --print ] || { echo "$out"; return; }
  [ ! -e "$out/complete" ] || return 0

  mkdir -p "$top"
  exec 9>"$top/lock"
  flock -n 9 || { echo "  $name: another build is under way, waiting for it" && flock 9; }
  [ ! -e "$out/complete" ] || return 0

  echo "  $name: built once from Go modules; $what, much longer beside other work"
  new=$out.new
  rm -rf "$new"
  mkdir -p "$new"
  "$build"
  : >"$new/complete"
  rm -rf "$out"
  mv "$new" "$out"
  # Other versions may be those of other branches; after a month they are nobody's.
  find "$top" -mindepth 1 -maxdepth 1 -type d ! -path "${out%/bin}" -mtime +30 -exec rm -rf {} +
  echo "  $name built in $((SECONDS - started)) s, $(du -sm "$out" | cut -f1) MiB"
}
