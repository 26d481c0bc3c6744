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
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --single-transaction --set name="$name" --set new="$new" --set former="$former" <<'SQL'
ALTER DATABASE :"name" RENAME TO :"former";
ALTER DATABASE :"new" RENAME TO :"name";
SQL
echo "restored $1 as $name. The database before it is $former: drop it when you no longer need it."
