#!/usr/bin/env bash
# Builds everything that runs: static Rust programs and the native datapath by Cargo, the TypeScript programs by esbuild, into dist/.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$ROOT"
mkdir -p dist/bin
TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}

static_target() {
  if [ -d "$(rustc --print target-libdir --target x86_64-unknown-linux-musl)" ]; then
    echo x86_64-unknown-linux-musl
  else
    echo x86_64-unknown-linux-gnu
  fi
}

static_programs() {
  local target
  target=$(static_target)
  [ "$target" = x86_64-unknown-linux-musl ] || export RUSTFLAGS="-C target-feature=+crt-static"
  cargo build --locked --release --target "$target" -p terway-cni -p terway-lab-agent -p terway-floor -p terway-bench-driver || return
  for program in terway lab-agent floor bench-driver; do
    cmp -s "$TARGET_DIR/$target/release/$program" "dist/bin/$program" ||
      install -m 755 "$TARGET_DIR/$target/release/$program" "dist/bin/$program" || return
  done
}

step "kernel programs (Rust, eBPF)" bash scripts/build-ebpf.sh
step "CNI executable, lab and bench programs (Rust)" static_programs
step "native datapath (Rust, napi)" npm run --silent build -w ts/datapath
step "terwayd (TypeScript bundle)" npm run --silent build -w ts/daemon
step "terway-controlplane (TypeScript bundle)" npm run --silent build -w ts/controlplane
step "terway-cli (TypeScript bundle)" npm run --silent build -w ts/cli
