#!/bin/bash
# Writes a dump of the database to $BACKUPS/tillsync-TIME.dump, prints its path, and keeps the newest $KEEP dumps (14). The service may run.
# PGHOST, PGUSER and PGDATABASE name the database. PASSWORD_FILE names the file with its password. A file of that name is always complete.
set -euo pipefail
umask 077
if [ -n "${PASSWORD_FILE:-}" ]; then PGPASSWORD=$(cat "$PASSWORD_FILE"); export PGPASSWORD; fi
dump=$BACKUPS/tillsync-$(date -u +%Y%m%dT%H%M%SZ).dump
trap 'rm -f "$dump.part"' EXIT
pg_dump --format custom --file "$dump.part"
pg_restore --file /dev/null "$dump.part"    # reads the whole file
mv "$dump.part" "$dump"
echo "$dump"
find "$BACKUPS" -maxdepth 1 -name 'tillsync-*.dump' | sort | head -n "-${KEEP:-14}" | xargs -r rm --
