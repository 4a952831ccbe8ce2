# Sourced: what the kernel programs are built with.
#
# bpf-linker is built once into <cache>/bpf-linker/<version>; 0.10.4 is the last one that uses the LLVM inside rustc, so no LLVM has to be installed.
# `core` for the BPF target is built from Rust's own sources, rustup's component rust-src. Where rustup's server cannot be reached, the programs alone
# are built by Debian's newer Rust with its sources, unpacked into <cache>/rust-web: nothing is installed, and Cargo stays rustup's.
BPF_LINKER=0.10.4
BPF_LINKER_ROOT=$CACHE/bpf-linker/$BPF_LINKER
RUST_WEB_ROOT=$CACHE/rust-web

rust_sources_of() { [ -e "$1/lib/rustlib/src/rust/library/core/Cargo.toml" ]; }

ebpf_toolchain_missing() {
  [ -x "$BPF_LINKER_ROOT/bin/bpf-linker" ] || return 0
  ! rust_sources_of "$(rustc --print sysroot)" && ! rust_sources_of "$RUST_WEB_ROOT/usr"
}

# The linker needs no optimising of its own: a sixth of the time to build.
ebpf_toolchain() {
  rust_sources_of "$(rustc --print sysroot)" || rustup component add rust-src || rust_web || return
  [ -x "$BPF_LINKER_ROOT/bin/bpf-linker" ] ||
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=true \
      cargo install bpf-linker --version "$BPF_LINKER" --locked --root "$BPF_LINKER_ROOT"
}

# 115 MB to fetch, 850 MB unpacked.
rust_web() {
  echo "rustup's server gives no rust-src; taking Debian's Rust for the kernel programs"
  local work deb std
  work=$(mktemp -d "$CACHE/rust-web.XXXXXX") || return
  std=$(apt-cache depends libstd-rust-web-dev | sed -n 's/^ *Depends: \(libstd-rust-web-[0-9].*\)/\1/p' | head -1)
  chmod 755 "$work"
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download rustc-web rust-web-src libstd-rust-web-dev "$std" libllvm22) &&
    for deb in "$work"/*.deb; do dpkg -x "$deb" "$work/root" || return; done &&
    rm -rf "$RUST_WEB_ROOT" && mv "$work/root" "$RUST_WEB_ROOT"
  local code=$?
  rm -rf "$work"
  return "$code"
}

# Stable Rust builds `core` only when told so. RUSTFLAGS would replace those of ebpf/.cargo.
ebpf_environment() {
  export RUSTC_BOOTSTRAP=1 PATH="$BPF_LINKER_ROOT/bin:$PATH"
  unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
  if ! rust_sources_of "$(rustc --print sysroot)" && rust_sources_of "$RUST_WEB_ROOT/usr"; then
    export RUSTC=$RUST_WEB_ROOT/usr/bin/rustc LD_LIBRARY_PATH=$RUST_WEB_ROOT/usr/lib/x86_64-linux-gnu
  fi
}
