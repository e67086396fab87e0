#!/usr/bin/env bash
# backup.sh PROJECT DIRECTORY: the backup of a Compose project's databases as operators write it themselves.
# Stops everything, starts and dumps one store after the other, packs, copies to DIRECTORY, starts everything that ran.
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
docker stop --time 120 "$postgres" "$valkey" "$nats" >/dev/null
say "start stores"
start_postgres
start_valkey
start_nats

say dump
in_postgres "$postgres" pg_dumpall --globals-only >"$work/globals.sql"
databases=$(in_postgres "$postgres" psql -XAtc \
  'select datname from pg_database where datallowconn and not datistemplate order by 1')
while read -r database; do
  # In the environment: as an argument some names would be taken for a connection string.
  in_postgres -e "PGDATABASE=$database" "$postgres" pg_dump --create </dev/null >"$work/${database//\//_}.dump.sql"
done <<<"$databases"

say "dump valkey"
saved=$(in_valkey LASTSAVE)
sleep 1
in_valkey BGSAVE >/dev/null
while [ "$(in_valkey LASTSAVE)" = "$saved" ]; do sleep 0.5; done
docker cp "$valkey:/data/dump.rdb" "$work/valkey.rdb" >/dev/null

say "dump nats"
mkdir "$work/nats"
while read -r account user password; do
  nats_cli "$work/nats" "$user" "$password" account backup "/dumps/$account" --force >/dev/null
done <<<"$NATS_ACCOUNTS"
tar -C "$work" -c nats | gzip >"$work/nats.tar.gz"
rm -rf "$work/nats"

say gzip
gzip "$work"/*.sql "$work/valkey.rdb"

say copy
mkdir -p "$target.part"
cp "$work"/*.gz "$target.part"
mv "$target.part" "$target"
