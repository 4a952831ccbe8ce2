# Sourced: what the kernel programs are built with. bpf-linker is built once into <cache>/bpf-linker/<version>; 0.10.4 is the last one that uses
# the LLVM inside rustc, so no LLVM has to be installed.
BPF_LINKER=0.10.4
BPF_LINKER_ROOT=$CACHE/bpf-linker/$BPF_LINKER

ebpf_toolchain_missing() { [ ! -x "$BPF_LINKER_ROOT/bin/bpf-linker" ] || [ ! -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/core/Cargo.toml" ]; }

# The linker needs no optimising of its own: a sixth of the time to build.
ebpf_toolchain() {
  rustup component add rust-src || return
  [ -x "$BPF_LINKER_ROOT/bin/bpf-linker" ] ||
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=true \
      cargo install bpf-linker --version "$BPF_LINKER" --locked --root "$BPF_LINKER_ROOT"
}

# `core` for the BPF target is built from source, which stable Rust allows only when told so. RUSTFLAGS would replace those of ebpf/.cargo.
ebpf_environment() {
  export RUSTC_BOOTSTRAP=1 PATH="$BPF_LINKER_ROOT/bin:$PATH"
  unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
}
