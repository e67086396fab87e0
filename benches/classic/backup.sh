#!/usr/bin/env bash
# backup.sh PROJECT DIRECTORY: the backup of a Compose project's PostgreSQL as operators write it themselves.
# Stops everything, dumps from PostgreSQL alone, packs, copies to DIRECTORY, starts everything that ran.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
target=${2:?usage: backup.sh PROJECT DIRECTORY}/$(date -u +%Y-%m-%d_%H-%M-%S)

find_containers
work=$(mktemp -d)

finish() {
  local code=$?
  trap - EXIT
  say start
  start_all
  say end
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

say stop
stop_clients
docker stop --time 120 "$postgres" >/dev/null
say "start postgres"
start_postgres

say dump
in_postgres "$postgres" pg_dumpall --globals-only >"$work/globals.sql"
databases=$(in_postgres "$postgres" psql -XAtc \
  'select datname from pg_database where datallowconn and not datistemplate order by 1')
while read -r database; do
  # In the environment: as an argument some names would be taken for a connection string.
  in_postgres -e "PGDATABASE=$database" "$postgres" pg_dump --create </dev/null >"$work/${database//\//_}.dump.sql"
done <<<"$databases"

say gzip
gzip "$work"/*.sql

say copy
mkdir -p "$target.part"
cp "$work"/*.sql.gz "$target.part"
mv "$target.part" "$target"
