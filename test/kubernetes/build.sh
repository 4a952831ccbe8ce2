#!/usr/bin/env bash
# Builds etcd, the Kubernetes programs and Helm from the Go modules that go.mod pins, into <cache>/kubernetes/<hash>/bin; prints that directory
# with --print. Does nothing when they are all there. What was compiled before an interruption is not compiled again (Go's build cache).
set -euo pipefail
cd "$(dirname "$0")"
. ../../scripts/common.sh >/dev/null
cd "$ROOT/test/kubernetes"
top=$CACHE/kubernetes
out=$top/$(hash_of go.mod go.sum)/bin
[ "${1:-}" != --print ] || { echo "$out"; exit 0; }
[ ! -e "$out/complete" ] || exit 0

mkdir -p "$top"
exec 9>"$top/lock"
flock -n 9 || { echo "  Kubernetes programs: another build is under way, waiting for it" && flock 9; }
[ ! -e "$out/complete" ] || exit 0

export GOFLAGS="-mod=readonly -trimpath -buildvcs=false" GOTOOLCHAIN=auto CGO_ENABLED=0
version_of() { go list -m -f '{{.Version}}' "$1"; }
started=$SECONDS
kubernetes=$(version_of k8s.io/kubernetes)
minor=${kubernetes#v1.}
flags="-s -w -X helm.sh/helm/v4/internal/version.version=$(version_of helm.sh/helm/v4)"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags+=" -X $package.gitVersion=$kubernetes -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*} -X $package.gitTreeState=clean"
  flags+=" -X $package.gitCommit=0000000000000000000000000000000000000000 -X $package.buildDate=1970-01-01T00:00:00Z"
done
echo "  Kubernetes $kubernetes, etcd and Helm: built once from Go modules; 5 minutes on two quiet processors, much longer beside other work"

new=$out.new
rm -rf "$new"
mkdir -p "$new"
log=$top/build.log
total=$(go list -deps tool | wc -l)
# One line a package that had to be compiled.
nice go build -v -ldflags "$flags" -o "$new/" tool 2>&1 | tee "$log" | awk -v total="$total" '
  /^[a-z]/ { if (++done % 300 == 0) { printf "  … %d of at most %d packages compiled\n", done, total; fflush() } }' ||
  { tail -n 40 "$log" >&2; die "the Kubernetes programs could not be built, see above"; }
# Go names a program after the last part of its package that is no version.
mv "$new/server" "$new/etcd"
: >"$new/complete"
rm -rf "$out"
mv "$new" "$out"
# Other versions may be those of other branches; after a month they are nobody's.
find "$top" -mindepth 1 -maxdepth 1 -type d ! -path "${out%/bin}" -mtime +30 -exec rm -rf {} +
echo "  Kubernetes programs built in $((SECONDS - started)) s, $(du -sm "$out" | cut -f1) MiB"
