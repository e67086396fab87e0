#!/usr/bin/env bash
# restore.sh PROJECT BACKUP: brings back what backup.sh has written into the directory BACKUP.
# Stops the clients, drops and loads one database after the other, starts the clients. If it fails they stay stopped.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
backup=${2:?usage: restore.sh PROJECT BACKUP}

say check
gzip --test "$backup"/*.sql.gz
find_containers

say stop
stop_clients

say load
# Roles that exist are errors here, and expected.
gunzip -c "$backup/globals.sql.gz" | in_postgres "$postgres" psql -Xq -d template1 >/dev/null 2>&1 || true
for dump in "$backup"/*.dump.sql.gz; do
  database=$(basename "$dump" .dump.sql.gz)
  in_postgres "$postgres" psql -Xq -d template1 -v ON_ERROR_STOP=1 -v "name=$database" \
    <<<'drop database if exists :"name" with (force);'
  gunzip -c "$dump" | in_postgres "$postgres" psql -Xq -d template1 -v ON_ERROR_STOP=1 >/dev/null
done

say analyse
in_postgres "$postgres" vacuumdb --all --analyze-only --quiet

say start
start_all
say end
