#!/usr/bin/env bash
# Builds what `npm run test:e2e` needs and nothing else does: upstream's end-to-end suite with Ginkgo, which runs it, the image program agnhost, and
# CoreDNS. From the Go modules beside it into <cache>/e2e/<hash>/bin; prints that directory with --print. Does nothing when they are all there.
set -euo pipefail
cd "$(dirname "$0")"
. ../../../scripts/cached-build.sh

suite() {
  cd kubernetes
  local version source
  version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
  source=$(go list -m -f '{{.Dir}}' k8s.io/kubernetes)
  nice go build -ldflags "-s -w" -o "$new/" tool &&
    # The suite is a test binary. Vetting it would go through all its dependencies.
    nice go test -c -vet=off -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" -o "$new/e2e.test" k8s.io/kubernetes/test/e2e &&
    # agnhost's porter speaks TLS with these; the image carries them.
    install -m 644 "$source"/test/images/agnhost/porter/localhost.{crt,key} "$new/" &&
    cd ..
}

name_service() {
  cd coredns && nice go build -ldflags "-s -w" -o "$new/coredns" . && cd ..
}

programs() {
  step "CoreDNS" name_service
  step "e2e.test, Ginkgo, agnhost" suite
}

cached_build "${1:-}" "end-to-end suite" "6 minutes on two quiet processors after the Kubernetes programs" e2e programs \
  build.sh kubernetes/go.{mod,sum} coredns/go.{mod,sum} coredns/main.go
