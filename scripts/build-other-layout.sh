#!/usr/bin/env bash
# Builds the native datapath once more, with another layout of the kernel programs' maps, into dist/other-layout/: the other side of the tests that one
# version takes over from another. After scripts/build.sh; the same folder of what Cargo built serves both.
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$ROOT/scripts/ebpf-toolchain.sh"
target=$(cd "$ROOT" && realpath -m "${CARGO_TARGET_DIR:-target}")
place=$ROOT/dist/other-layout
mkdir -p "$place"
install_if_changed() {
  cmp -s "$1" "$2" || install -m 644 "$1" "$2"
}
(
  ebpf_environment
  cd "$ROOT/ebpf"
  cargo build --locked --release --features other-layout --bin programs --target-dir "$target/ebpf" --config "target.bpfel-unknown-none.rustflags=['--remap-path-prefix=$ROOT/=']"
)
install_if_changed "$target/ebpf/bpfel-unknown-none/release/programs" "$place/programs.o"
cd "$ROOT"
npx napi build --platform --release --no-js --manifest-path crates/binding/Cargo.toml --package-json-path ts/datapath/package.json --output-dir "$place/addon" --features other-layout
install_if_changed "$place"/addon/datapath.*.node "$place/datapath.node"
rm -r "$place/addon"
