#!/usr/bin/env bash
# The Debian packages that some tests use. As root on Debian they are installed; elsewhere one line says what is missing and which tests
# are therefore not run. Never fails the build.
set -u
missing=()
[ -x /usr/lib/postgresql/15/bin/postgres ] || missing+=(postgresql-15)
[ ${#missing[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  # no cluster of Debian's own is started: the tests start theirs
  mkdir -p /etc/postgresql-common && { [ -f /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf; }
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 && exit 0
fi
echo "missing: ${missing[*]} (apt-get install ${missing[*]}): the integration tests run on the embedded PostgreSQL 18 only, not on PostgreSQL 15"
exit 0
