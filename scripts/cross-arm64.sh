#!/usr/bin/env bash
# Cross-builds the static programs for arm64 with nothing but rustup's target and the linker that comes with Rust.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$ROOT"
target=aarch64-unknown-linux-musl
[ -d "$(rustc --print target-libdir --target $target)" ] || { echo "SKIP: the Rust target $target is not installed"; exit 0; }
linker=$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld
CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=$linker \
  cargo build --locked --release --target $target -p terway-cni
file=${CARGO_TARGET_DIR:-target}/$target/release/terway
[ "$(od -An -tx1 -j18 -N2 "$file" | tr -d ' ')" = b700 ] || die "$file is no arm64 program"
