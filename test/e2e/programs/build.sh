#!/usr/bin/env bash
# Builds what `npm run test:e2e` needs and nothing else does: upstream's end-to-end suite with Ginkgo, which runs it, the image program agnhost, and
# CoreDNS. From the Go modules beside it into <cache>/e2e/<hash>/bin; prints that directory with --print. Does nothing when they are all there.
set -euo pipefail
cd "$(dirname "$0")"
. ../../../scripts/common.sh >/dev/null
cd "$ROOT/test/e2e/programs"
top=$CACHE/e2e
out=$top/$(hash_of build.sh kubernetes/go.mod kubernetes/go.sum coredns/go.mod coredns/go.sum coredns/main.go)/bin
[ "${1:-}" != --print ] || { echo "$out"; exit 0; }
[ ! -e "$out/complete" ] || exit 0

mkdir -p "$top"
exec 9>"$top/lock"
flock -n 9 || { echo "  end-to-end suite: another build is under way, waiting for it" && flock 9; }
[ ! -e "$out/complete" ] || exit 0

export GOFLAGS="-mod=readonly -trimpath -buildvcs=false" GOTOOLCHAIN=auto CGO_ENABLED=0
started=$SECONDS
new=$out.new
rm -rf "$new"
mkdir -p "$new"

suite() {
  cd kubernetes
  local version source
  version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
  source=$(go list -m -f '{{.Dir}}' k8s.io/kubernetes)
  nice go build -ldflags "-s -w" -o "$new/" tool &&
    # The suite is a test binary. Vetting it would go through all its dependencies.
    nice go test -c -vet=off -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" -o "$new/e2e.test" k8s.io/kubernetes/test/e2e &&
    # agnhost's porter speaks TLS with these; the image carries them.
    install -m 644 "$source"/test/images/agnhost/porter/localhost.{crt,key} "$new/"
}

name_service() {
  cd coredns
  nice go build -ldflags "-s -w" -o "$new/coredns" .
}

echo "  end-to-end suite: built once from Go modules; 6 minutes on two quiet processors after the Kubernetes programs, much longer beside other work"
step "CoreDNS" name_service
cd "$ROOT/test/e2e/programs"
step "e2e.test, Ginkgo, agnhost" suite
: >"$new/complete"
rm -rf "$out"
mv "$new" "$out"
find "$top" -mindepth 1 -maxdepth 1 -type d ! -path "${out%/bin}" -mtime +30 -exec rm -rf {} +
echo "  end-to-end suite built in $((SECONDS - started)) s, $(du -sm "$out" | cut -f1) MiB"
