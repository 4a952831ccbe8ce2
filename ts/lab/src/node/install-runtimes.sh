#!/usr/bin/env bash
# Puts into the user's cache what the lab's nodes need and Debian does not carry. Does nothing when it is all there.
#
#   <cache>/cri-api/<version>/api.proto          the CRI's protocol (Go module k8s.io/cri-api)
#   <cache>/containerd/<version>/bin/…           containerd 2.x, its shim, ctr and runc, built from Go modules (about 2 minutes cold)
#
# usage: install-runtimes.sh [--proto-only]      The versions are those of ts/lab/src/node/runtime.ts; a test compares them.
set -euo pipefail
CRI_API=v0.36.3
CONTAINERD=v2.3.7
RUNC=v1.4.3
CACHE=${TERWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/terway}

command -v go >/dev/null || { echo "install-runtimes: Go (1.24 or newer) is missing" >&2; exit 1; }

proto=$CACHE/cri-api/$CRI_API/api.proto
if [ ! -s "$proto" ]; then
  dir=$(cd / && GOFLAGS=-mod=mod go mod download -json "k8s.io/cri-api@$CRI_API" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
  mkdir -p "${proto%/*}"
  cp "$dir/pkg/apis/runtime/v1/api.proto" "$proto.$$"
  chmod 644 "$proto.$$"
  mv "$proto.$$" "$proto"
fi
[ "${1:-}" = --proto-only ] && exit 0

# A module of its own per program: `go install module@version` refuses modules whose go.mod has replace directives.
build() { # module@version  cgo  tags  ldflags  package=binary…
  local module=$1 cgo=$2 tags=$3 ldflags=$4 work
  shift 4
  work=$(mktemp -d "$CACHE/build.XXXXXX")
  trap 'rm -rf "$work"' RETURN
  (
    cd "$work"
    export GOFLAGS="-mod=mod -trimpath" GOTOOLCHAIN=auto CGO_ENABLED=$cgo
    go mod init tools.local/build >/dev/null 2>&1
    go get "$module"
    for pair in "$@"; do
      nice go build -tags "$tags" -ldflags "-s -w $ldflags" -o "$out/${pair#*=}.$$" "${pair%%=*}"
      mv "$out/${pair#*=}.$$" "$out/${pair#*=}"
    done
  )
}

out=$CACHE/containerd/$CONTAINERD/bin
mkdir -p "$out"
c=github.com/containerd/containerd/v2
if [ ! -x "$out/containerd" ] || [ ! -x "$out/containerd-shim-runc-v2" ] || [ ! -x "$out/ctr" ]; then
  build "$c@$CONTAINERD" 0 "netgo osusergo static_build no_btrfs no_devmapper no_zfs no_aufs" "-X $c/version.Version=$CONTAINERD" \
    "$c/cmd/containerd-shim-runc-v2=containerd-shim-runc-v2" "$c/cmd/ctr=ctr" "$c/cmd/containerd=containerd"
fi
if [ ! -x "$out/runc" ]; then
  # Without seccomp: libseccomp's headers are one package more, and the lab's containers ask for no profile.
  build "github.com/opencontainers/runc@$RUNC" 1 "" "-X main.version=${RUNC#v}" "github.com/opencontainers/runc=runc"
fi
