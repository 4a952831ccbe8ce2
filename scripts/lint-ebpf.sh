#!/usr/bin/env bash
# Format and lint of the kernel programs, which are a workspace of their own for another target.
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$ROOT/scripts/ebpf-toolchain.sh"
ebpf_environment
target=$(cd "$ROOT" && realpath -m "${CARGO_TARGET_DIR:-target}")/ebpf
cd "$ROOT/ebpf"
cargo fmt --check
# Clippy is the compiler of its own version, and reads no `core` of another.
[ -z "${RUSTC:-}" ] || { echo "SKIP: clippy needs rustup's component rust-src; only the format was checked"; exit 0; }
cargo clippy --locked --release --target-dir "$target" -- -D warnings
