#!/usr/bin/env bash
# Builds Citus for Debian's PostgreSQL 15, for `make test-citus`: scripts/build_citus.sh ARCHIVE FOLDER
# ARCHIVE is the source of Citus 13.2 (.tar.gz or .tar.xz). FOLDER gets a copy of the server with Citus in it, because PostgreSQL finds its
# files by relative paths; the system's own server stays as it is. The script does nothing if FOLDER is complete for this archive. Only root on
# Debian can install the packages; without them the exit code is 69. It takes one to three minutes on two cores. Citus is AGPL-3.0; tillsync
# does not ship it.
set -euo pipefail
[ $# = 2 ] || { echo "usage: $0 ARCHIVE FOLDER"; exit 2; }
archive=$(realpath "$1"); folder=$(realpath -m "$2")
sum=$(sha256sum "$archive" | cut -d ' ' -f 1)
[ ! -e "$folder/complete-$sum" ] || exit 0

packages=(postgresql-15 postgresql-server-dev-15 build-essential liblz4-dev libzstd-dev libssl-dev libkrb5-dev libpam0g-dev libselinux1-dev libxslt1-dev libreadline-dev xz-utils)
if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
  without_packages() { echo "Citus cannot be built without its packages: as root, apt-get install ${packages[*]}"; exit 69; }
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then without_packages; fi
  PATH=$PATH:/usr/sbin:/sbin  # dpkg refuses to run without ldconfig and start-stop-daemon
  # Debian must not start its own cluster.
  mkdir -p /etc/postgresql-common
  [ -f /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${packages[@]}" >/dev/null || without_packages
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# step COMMAND...: runs a step of the build quietly, and prints the end of its output if it fails.
step() { "$@" > "$work/log" 2>&1 || { tail -20 "$work/log"; exit 1; }; }
mkdir "$work/source"
tar -xf "$archive" -C "$work/source" --strip-components 1
cd "$work/source"
step ./configure PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config --without-libcurl --with-extra-version=
step make -j"$(nproc)" extension with_llvm=no
rm -rf "$folder"
mkdir -p "$folder/usr/lib/postgresql" "$folder/usr/share/postgresql"
cp -a /usr/lib/postgresql/15 "$folder/usr/lib/postgresql/"
cp -a /usr/share/postgresql/15 "$folder/usr/share/postgresql/"
step make install-extension with_llvm=no DESTDIR="$folder"
chmod -R a+rX "$folder"
touch "$folder/complete-$sum"
