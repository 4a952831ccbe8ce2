#!/usr/bin/env bash
# Builds etcd, the Kubernetes programs and Helm from the Go modules that go.mod pins, into <cache>/kubernetes/<hash>/bin; prints that directory
# with --print. Does nothing when they are all there.
set -euo pipefail
cd "$(dirname "$0")"
. ../../scripts/cached-build.sh

version_of() { go list -m -f '{{.Version}}' "$1"; }

programs() {
  local kubernetes minor flags package log=$CACHE/kubernetes/build.log total
  kubernetes=$(version_of k8s.io/kubernetes)
  minor=${kubernetes#v1.}
  flags="-s -w -X helm.sh/helm/v4/internal/version.version=$(version_of helm.sh/helm/v4)"
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=$kubernetes -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*} -X $package.gitTreeState=clean"
    flags+=" -X $package.gitCommit=0000000000000000000000000000000000000000 -X $package.buildDate=1970-01-01T00:00:00Z"
  done
  total=$(go list -deps tool | wc -l)
  # One line a package that had to be compiled.
  nice go build -v -ldflags "$flags" -o "$new/" tool 2>&1 | tee "$log" | awk -v total="$total" '
    /^[a-z]/ { if (++done % 300 == 0) { printf "  … %d of at most %d packages compiled\n", done, total; fflush() } }' ||
    { tail -n 40 "$log" >&2; die "the Kubernetes programs could not be built, see above"; }
  # Go names a program after the last part of its package that is no version.
  mv "$new/server" "$new/etcd"
}

cached_build "${1:-}" "Kubernetes programs" "5 minutes on two quiet processors" kubernetes programs go.mod go.sum
