#!/usr/bin/env bash
# bootstrap.sh [demo]: installs what a fresh Debian 12 machine with Go, Rust (rustup), Node 20 and npm still lacks; with `demo` only what the
# demo needs. Does nothing when all is there.
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/ebpf-toolchain.sh"
cd "$ROOT"

[ "$(id -u)" = 0 ] || die "run as root: the lab makes network namespaces and the bootstrap installs Debian packages"
[ "$(uname -m)" = x86_64 ] || die "this machine is $(uname -m); development and tests run on x86-64 (arm64 is cross-built)"
for tool in npm cargo rustc go; do
  command -v "$tool" >/dev/null || die "$tool is missing: install Go, Rust (rustup) and Node 20 with npm first"
done

# Not `npm ci`: it insists on lock entries for every platform's optional packages, which a registry mirror need not carry. The versions are the
# lock's either way.
npm_packages() {
  npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error &&
    mkdir -p node_modules/.cache &&
    hash_of package-lock.json >node_modules/.cache/lock-hash
}

missing_debian_packages() {
  local package
  while read -r package; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || printf '%s\n' "$package"
  done < <(grep -v '^#' scripts/debian-packages.txt)
}

# A package's service must not start: the lab runs its own containerd inside its nodes.
debian_packages() {
  local policy=/usr/sbin/policy-rc.d made=
  [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1; }
  local code=0
  apt-get -o DPkg::Lock::Timeout=300 update -qq || true
  missing_debian_packages |
    DEBIAN_FRONTEND=noninteractive xargs -r apt-get -o DPkg::Lock::Timeout=300 install -qq -y --no-install-recommends || code=$?
  [ -z "$made" ] || rm -f "$policy"
  return "$code"
}

# The musl targets come from rustup; where they cannot be had, build.sh links the same programs statically against glibc.
rust_targets_missing() {
  local target
  for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl; do
    [ -d "$(rustc --print target-libdir --target "$target" 2>/dev/null)" ] || return 0
  done
  return 1
}

rust_targets() {
  rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl ||
    echo "no musl targets to be had; building against glibc, statically"
}

if [ "$(cat node_modules/.cache/lock-hash 2>/dev/null)" != "$(hash_of package-lock.json)" ]; then
  step "npm packages (Node 24 among them)" npm_packages
fi
[ -z "$(missing_debian_packages)" ] || step "Debian packages" debian_packages
if rust_targets_missing; then step "Rust targets" rust_targets; fi
if ebpf_toolchain_missing; then step "eBPF tool chain (Rust's own sources, bpf-linker)" ebpf_toolchain; fi
runtimes=ts/lab/src/node/install-runtimes.sh
if [ "${1:-}" = demo ]; then
  step "CRI protocol (Go module)" bash $runtimes --proto-only
else
  step "containerd 2.x and runc (Go modules)" bash $runtimes
fi
