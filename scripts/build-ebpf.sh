#!/usr/bin/env bash
# Builds the kernel programs (ebpf/) into dist/ebpf/, where crates/bpf and the lab's agent take them from. An object that did not change keeps its
# time stamp, so that Cargo rebuilds nothing.
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$ROOT/scripts/ebpf-toolchain.sh"
ebpf_environment
mkdir -p "$ROOT/dist/ebpf"
target=$(cd "$ROOT" && realpath -m "${CARGO_TARGET_DIR:-target}")/ebpf
cd "$ROOT/ebpf"
# Paths of this machine have no place in an object whose hash names it.
cargo build --locked --release --target-dir "$target" --config "target.bpfel-unknown-none.rustflags=['--remap-path-prefix=$ROOT/=']"
for object in programs fabric floor; do
  built=$target/bpfel-unknown-none/release/$object
  cmp -s "$built" "$ROOT/dist/ebpf/$object.o" || install -m 644 "$built" "$ROOT/dist/ebpf/$object.o"
done
