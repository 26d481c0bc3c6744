#!/bin/bash
# Restores the dump $BACKUPS/$1 as the database PGDATABASE. Stop the service first. The present database stays, under another name.
# The variables are those of backup.sh. If a step fails, the present database keeps its name and its rows.
set -euo pipefail
[ $# = 1 ] && [ -f "$BACKUPS/$1" ] || { echo "usage: restore NAME, one of:"; find "$BACKUPS" -maxdepth 1 -name '*.dump' -printf '%f\n' | sort; exit 2; } >&2
if [ -n "${PASSWORD_FILE:-}" ]; then PGPASSWORD=$(cat "$PASSWORD_FILE"); export PGPASSWORD; fi
name=$PGDATABASE new=${PGDATABASE}_restoring former=${PGDATABASE}_before_$(date -u +%Y%m%d%H%M%S)
export PGDATABASE=postgres PGOPTIONS="-c client_min_messages=warning"
used=$(psql --no-psqlrc --tuples-only --no-align --set ON_ERROR_STOP=1 --set name="$name" <<'SQL'
SELECT count(*) FROM pg_stat_activity WHERE datname = :'name' AND backend_type = 'client backend'
SQL
)
[ "$used" = 0 ] || { echo "the database $name has sessions ($used): stop the service first" >&2; exit 1; }
dropdb --if-exists "$new"
createdb --template template0 "$new"
pg_restore --no-owner --exit-on-error --dbname "$new" "$BACKUPS/$1"
# Until `tillsync after-restore` has asked the shops, the service does not start on this database. The name of the dump has its time.
since=$(basename "$1" .dump | sed -nE 's/^tillsync-([0-9]{8}T[0-9]{6}Z)$/\1/p')
marked=$(psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --set since="$since" \
  --set schema="${TILLSYNC_DB_SCHEMA:-tillsync}" --dbname "$new" <<'SQL'
SET search_path TO :"schema";
SELECT to_regclass('restore') IS NOT NULL AS has_mark \gset
\if :has_mark
BEGIN;
DELETE FROM restored_account;
INSERT INTO restore (restored_at, since) VALUES (now(), nullif(:'since', '')::timestamptz)
  ON CONFLICT (only_row) DO UPDATE SET restored_at = excluded.restored_at, since = excluded.since;
COMMIT;
\echo yes
\endif
SQL
)
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --single-transaction --set name="$name" --set new="$new" --set former="$former" <<'SQL'
ALTER DATABASE :"name" RENAME TO :"former";
ALTER DATABASE :"new" RENAME TO :"name";
SQL
echo "restored $1 as $name. The database before it is $former: drop it when you no longer need it."
if [ "$marked" = yes ]; then
  echo "Next: \`tillsync after-restore${since:+ --since $since}\`. The service does not start before."
else
  echo "The dump is of a release without a mark of a restore: run \`tillsync migrate\`, then \`tillsync after-restore --since TIME\`, before the service starts."
fi
