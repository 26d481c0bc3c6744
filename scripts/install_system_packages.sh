#!/usr/bin/env bash
# The Debian packages that some tests use. As root on Debian they are installed; elsewhere one line a group says what is missing and which
# tests are therefore not run. Then the WordPress builds, for the tests of the bridge. Never fails the build.
set -u
cd "$(dirname "$0")/.."

# Prints the packages of "program:package package ..." whose program is not there.
missing_of() { local pair; for pair in "$@"; do [ -e "${pair%%:*}" ] || printf '%s ' "${pair#*:}"; done; }
postgres=(/usr/lib/postgresql/15/bin/postgres:postgresql-15)
php_modules=/usr/lib/php/20220829
wordpress=(
  /usr/bin/php8.2:php8.2-cli "$php_modules/mysqli.so:php8.2-mysql" "$php_modules/pdo_sqlite.so:php8.2-sqlite3" "$php_modules/curl.so:php8.2-curl"
  "$php_modules/dom.so:php8.2-xml" "$php_modules/mbstring.so:php8.2-mbstring" "$php_modules/intl.so:php8.2-intl" "$php_modules/gd.so:php8.2-gd"
  "$php_modules/zip.so:php8.2-zip" /usr/sbin/mariadbd:mariadb-server-core /usr/bin/mariadb:mariadb-client-core /usr/bin/phpunit:phpunit
  /usr/bin/phpcs:php-codesniffer /usr/share/javascript/underscore:libjs-underscore /usr/share/javascript/cropper:libjs-cropper
  /usr/share/php/getid3:php-getid3
)
browser=(/usr/bin/chromium:chromium /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf:fonts-dejavu-core)

all=$(missing_of "${postgres[@]}" "${wordpress[@]}" "${browser[@]}")
if [ -n "$all" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  # no cluster of Debian's own is started: the tests start theirs
  mkdir -p /etc/postgresql-common && { [ -f /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf; }
  install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >/dev/null 2>&1; }
  apt-get update -qq >/dev/null 2>&1
  # all at once; where one of them is not to be had, each group for itself
  # shellcheck disable=SC2046,SC2086
  install $all || for group in postgres wordpress browser; do declare -n list=$group; install $(missing_of "${list[@]}"); done
fi

said() { [ -z "$1" ] || echo "missing: $1(apt-get install $1): $2"; }
said "$(missing_of "${postgres[@]}")" "the integration tests run on the embedded PostgreSQL 18 only, not on PostgreSQL 15"
said "$(missing_of "${wordpress[@]}")" "the tests of the bridge in WordPress (tests/wordpress) are not run"
said "$(missing_of "${browser[@]}")" "the browser tests of the bridge (tests/wordpress) are not run"
[ -n "$(missing_of "${wordpress[@]}")" ] || python3 scripts/fetch_wordpress.py
exit 0
