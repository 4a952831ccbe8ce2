#!/usr/bin/env bash
# inspect-terway.sh cluster | node NAME... | pod NAMESPACE POD: by the terway-cli of this source tree with your kubeconfig, or else by that of a daemon.
set -euo pipefail
cli=$(dirname "$0")/../dist/terway-cli
[ ! -x "$cli" ] || exec "$cli" inspect "$@"
exec kubectl -n kube-system exec daemonset/terway-eniip -c terway -- terway-cli inspect "$@"
