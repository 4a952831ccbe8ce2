#!/usr/bin/env bash
# Puts the guests' kernels and their Debian userland into the user's cache. Installs nothing, and asks no server when all is there.
#
#   <cache>/kernels/<package version>/boot/vmlinuz-*, lib/modules/*, modules.ext4     unpacked; modules decompressed and indexed
#   <cache>/kernels/<5.10|6.1|6.12>                                      link to the one in use
#   <cache>/userland/<hash of what it is made of>.ext4                   root file system; <cache>/userland/current links to it
#
# The servers are those of the machine's own apt configuration; 5.10 is the release before, of the same mirror, in a private apt
# configuration, so that nothing else is ever taken from it.
#
# usage: fetch.sh [--refresh]      --refresh: take newer point releases of the kernels where there are any
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${TERWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/terway}
refresh=
[ "${1:-}" = --refresh ] && refresh=1

declare -A package=([5.10]=linux-image-cloud-amd64 [6.1]=linux-image-cloud-amd64 [6.12]=linux-image-6.12-cloud-amd64)
declare -A release=([5.10]=bullseye [6.1]=bookworm [6.12]=bookworm)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

die() {
  printf 'fetch: %s\n' "$*" >&2
  exit 1
}

# need PROGRAM PACKAGE
need() { command -v "$1" >/dev/null || PATH=/usr/sbin:/sbin:$PATH command -v "$1" >/dev/null || die "$1 is missing: apt-get install $2"; }

# Address of the archive that carries this suite of Debian, as the machine is configured.
archive_of() { apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(ORIGIN)' 'Created-By: Packages' | awk -v suite="$1" '$2 == suite && $3 == "Debian" { print $1; exit }'; }

# private_apt RELEASE: a configuration and package lists of its own, in $work/RELEASE.
private_apt() {
  local name=$1 main security dir=$work/$1
  [ ! -e "$dir/ready" ] || return 0
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  main=$(archive_of bookworm)
  [ -n "$main" ] || die "no archive of Debian 12 (bookworm) in this machine's apt sources, or its lists are not fetched yet: apt-get update"
  security=$(archive_of bookworm-security)
  echo "deb [signed-by=$keyring] $main $name main" >"$dir/sources.list"
  if [ "$name" = bookworm ] && [ -n "$security" ]; then echo "deb [signed-by=$keyring] $security bookworm-security main" >>"$dir/sources.list"; fi
  cat >"$dir/apt.conf" <<CONF
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
Dir::State::lists "$dir/lists";
Dir::Cache "$dir/cache";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Languages "none";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Pre-Invoke;
CONF
  APT_CONFIG=$dir/apt.conf apt-get -qq update
  touch "$dir/ready"
}

kernel() {
  local version=$1 dir=$work/${release[$1]} image deb key tree
  private_apt "${release[$version]}"
  export APT_CONFIG=$dir/apt.conf
  # The package asked for names the current point release; that one holds the files.
  image=$(apt-cache show --no-all-versions "${package[$version]}" | sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p')
  [ -n "$image" ] || die "the mirror carries no ${package[$version]} for ${release[$version]} (kernel $version)"
  key=$(apt-cache show --no-all-versions "$image" | sed -n 's/^Version: //p')
  tree=$cache/kernels/$key
  if [ ! -d "$tree" ]; then
    (cd "$dir" && apt-get -qq download "$image")
    deb=$(echo "$dir/$image"_*.deb)
    mkdir "$work/tree"
    dpkg -x "$deb" "$work/tree"
    rm -rf "$work/tree/usr" "$deb"
    find "$work/tree/lib/modules" -name '*.ko.xz' -exec xz -d {} +
    depmod -b "$work/tree" "$(ls "$work/tree/lib/modules")"
    # The guest mounts this one, so that the kernel finds every module it asks for by itself.
    mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$work/tree/lib/modules" "$work/tree/modules.ext4" 256M >/dev/null
    mkdir -p "$cache/kernels"
    mv "$work/tree" "$tree"
  fi
  unset APT_CONFIG
  ln -sfn "$key" "$cache/kernels/$version"
  echo "kernel $version: $image $key"
}

userland() {
  local hash=$1 archive packages
  archive=$(archive_of bookworm)
  [ -n "$archive" ] || die "no archive of Debian 12 (bookworm) in this machine's apt sources, or its lists are not fetched yet: apt-get update"
  packages=$(grep -v '^#' "$here/packages.txt" | paste -sd,)
  debootstrap --variant=minbase --merged-usr --keyring="$keyring" --include="$packages" bookworm "$work/userland" "$archive" >"$work/debootstrap.log" 2>&1 ||
    { tail -n 20 "$work/debootstrap.log" "$work/userland/debootstrap/debootstrap.log" >&2; die "debootstrap failed"; }
  rm -rf "$work/userland"/var/cache/apt/* "$work/userland"/var/lib/apt/lists/* "$work/userland"/usr/share/{doc,locale,man} "$work/userland"/dev/*
  # Room to write: the guest gets the image copy-on-write. The file is sparse.
  mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$work/userland" "$work/userland.ext4" 4G >/dev/null
  mkdir -p "$cache/userland"
  mv "$work/userland.ext4" "$cache/userland/$hash.ext4"
}

mkdir -p "$cache"
exec 9>"$cache/vm.lock"
flock 9
work=
cleanup() { [ -z "$work" ] || rm -rf --one-file-system "$work"; }
trap cleanup EXIT

wanted=()
for version in 5.10 6.1 6.12; do
  if [ -n "$refresh" ] || [ ! -e "$cache/kernels/$version/boot" ]; then wanted+=("$version"); fi
done
hash=$({ cat "$here/packages.txt"; declare -f userland; } | sha256sum | cut -c1-16)
[ "${#wanted[@]}" -gt 0 ] || [ ! -e "$cache/userland/$hash.ext4" ] || [ "$(readlink "$cache/userland/current")" != "$hash.ext4" ] || exit 0

need apt-get apt
[ -s "$keyring" ] || die "$keyring is missing: apt-get install debian-archive-keyring"
need dpkg dpkg
need xz xz-utils
need depmod kmod
need mke2fs e2fsprogs
need debootstrap debootstrap
export PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d "$cache/vm-fetch.XXXXXX")
for version in "${wanted[@]}"; do kernel "$version"; done
[ -e "$cache/userland/$hash.ext4" ] || userland "$hash"
ln -sfn "$hash.ext4" "$cache/userland/current"
find "$cache/userland" -name '*.ext4' ! -name "$hash.ext4" -delete
echo "userland: $hash.ext4, $(du -h "$cache/userland/$hash.ext4" | cut -f1)"
