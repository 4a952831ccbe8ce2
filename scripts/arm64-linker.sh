#!/usr/bin/env bash
# rust-lld for cross-arm64.sh. A crate's build script may speak to the linker as through gcc (napi-build: -Wl,-z,nodelete).
set -euo pipefail
arguments=()
for argument in "$@"; do
  case $argument in
    -Wl,*)
      IFS=, read -ra parts <<<"${argument#-Wl,}"
      arguments+=("${parts[@]}")
      ;;
    *) arguments+=("$argument") ;;
  esac
done
exec "$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld" "${arguments[@]}"
