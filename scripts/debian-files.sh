# Sourced after common.sh: files of Debian packages of any architecture, without installing them and out of sight of the machine's own apt.

# Address of the archive that carries this suite of Debian, as the machine is configured.
archive_of() { apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(ORIGIN)' 'Created-By: Packages' | awk -v suite="$1" '$2 == suite && $3 == "Debian" { print $1; exit }'; }

# private_apt ARCH DIRECTORY: package lists of this architecture that the machine's own apt does not see; sets APT_CONFIG.
private_apt() {
  local arch=$1 dir=$2 main security keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  main=$(archive_of bookworm)
  security=$(archive_of bookworm-security)
  [ -n "$main" ] || die "no archive of Debian 12 (bookworm) in this machine's apt sources, or its lists are not fetched yet: apt-get update"
  echo "deb [signed-by=$keyring] $main bookworm main" >"$dir/sources.list"
  [ -z "$security" ] || echo "deb [signed-by=$keyring] $security bookworm-security main" >>"$dir/sources.list"
  cat >"$dir/apt.conf" <<CONF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$dir/lists";
Dir::State::status "/dev/null";
Dir::Cache "$dir/cache";
Acquire::Languages "none";
CONF
  export APT_CONFIG=$dir/apt.conf
  apt-get -qq update
}

# debian_files ARCH INTO PACKAGE…: downloads and unpacks; leaves PACKAGE's control file as INTO/.control/PACKAGE.
debian_files() (
  arch=$1 into=$2
  shift 2
  work=$(mktemp -d "${TMPDIR:-/tmp}/terway-image.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  private_apt "$arch" "$work"
  mkdir -p "$work/debs" "$into/.control"
  cd "$work/debs"
  apt-get -qq download "$@"
  for deb in *.deb; do
    dpkg -x "$deb" "$into"
    dpkg-deb -f "$deb" >"$into/.control/${deb%%_*}"
  done
)
