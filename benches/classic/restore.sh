#!/usr/bin/env bash
# restore.sh PROJECT BACKUP: brings back what backup.sh has written into the directory BACKUP.
# Stops the clients, replaces one store's data after the other, starts the clients. If it fails they stay stopped.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
backup=${2:?usage: restore.sh PROJECT BACKUP}

say check
gzip --test "$backup"/*.gz
find_containers
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

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

say "load valkey"
# A server with append-only files starts empty beside a dump alone: the dump is loaded without them, and they are made anew.
docker stop --time 120 "$valkey" >/dev/null
gunzip -c "$backup/valkey.rdb.gz" >"$work/dump.rdb"
image=$(docker inspect --format '{{.Image}}' "$valkey")
docker run --rm --volumes-from "$valkey" -v "$work:/dumps:ro" --entrypoint sh "$image" -c \
  'rm -rf /data/appendonlydir && cp /dumps/dump.rdb /data/dump.rdb'
loader=$(docker run -d --volumes-from "$valkey" "$image" valkey-server --dir /data --appendonly no --save '')
loaded() { [ "$(docker exec "$loader" valkey-cli ping)" = PONG ]; }
await valkey loaded
docker exec "$loader" valkey-cli config set appendonly yes >/dev/null
rewritten() {
  local info
  info=$(docker exec "$loader" valkey-cli info persistence)
  grep -q aof_rewrite_in_progress:0 <<<"$info" && grep -q aof_rewrite_scheduled:0 <<<"$info" &&
    docker exec "$loader" grep -q 'type b' /data/appendonlydir/appendonly.aof.manifest
}
await "valkey's append-only file" rewritten
docker exec "$loader" valkey-cli shutdown nosave >/dev/null 2>&1 || true
docker rm -f "$loader" >/dev/null
start_valkey

say "load nats"
tar -C "$work" -xzf "$backup/nats.tar.gz"
while read -r account user password; do
  nats_cli "$work/nats" "$user" "$password" stream ls --all --names | while read -r stream; do
    nats_cli "$work/nats" "$user" "$password" stream rm --force "$stream" >/dev/null
  done
  nats_cli "$work/nats" "$user" "$password" account restore "/dumps/$account" >/dev/null
done <<<"$NATS_ACCOUNTS"

say analyse
in_postgres "$postgres" vacuumdb --all --analyze-only --quiet

say start
start_all
say end
