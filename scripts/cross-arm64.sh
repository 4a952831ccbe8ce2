#!/usr/bin/env bash
# Cross-builds for arm64 with nothing but rustup's targets and the linker that comes with Rust: the CNI executable, which is static; with --all also the
# native datapath, linked against Debian's C library for arm64. The results go to dist/arm64/.
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/debian-files.sh"
cd "$ROOT"
linker=$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld
built=${CARGO_TARGET_DIR:-target}
mkdir -p dist/arm64

has_target() { [ -d "$(rustc --print target-libdir --target "$1")" ]; }

# take FILE NAME: into dist/arm64, if it is what it should be.
take() {
  [ "$(od -An -tx1 -j18 -N2 "$1" | tr -d ' ')" = b700 ] || die "$1 is not for arm64"
  install -m 755 "$1" "dist/arm64/$2"
}

target=aarch64-unknown-linux-musl
has_target $target || { echo "SKIP: the Rust target $target is not installed" && exit 0; }
CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=$linker cargo build --locked --release --target $target -p terway-cni
take "$built/$target/release/terway" terway

[ "${1:-}" = --all ] || exit 0

target=aarch64-unknown-linux-gnu
has_target $target || rustup target add $target
sysroot=$CACHE/image/sysroot-arm64
if [ ! -e "$sysroot" ]; then
  rm -rf "$sysroot.new"
  debian_files arm64 "$sysroot.new" libc6 libc6-dev libgcc-s1
  # The name by which a linker looks for it belongs to a package with a whole compiler.
  ln -s libgcc_s.so.1 "$sysroot.new/lib/aarch64-linux-gnu/libgcc_s.so"
  mv "$sysroot.new" "$sysroot"
fi
library=aarch64-linux-gnu
CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$ROOT/scripts/arm64-linker.sh \
  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-Clinker-flavor=ld.lld -Clink-arg=--sysroot=$sysroot -Clink-arg=-L$sysroot/lib/$library -Clink-arg=-L$sysroot/usr/lib/$library" \
  cargo build --locked --release --target $target -p terway-binding
take "$built/$target/release/libterway_binding.so" datapath.linux-arm64-gnu.node
