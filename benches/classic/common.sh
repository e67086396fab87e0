# Sourced by backup.sh and restore.sh: which containers are ours to stop, and how they are started again.
# From the environment: VALKEY_PASSWORD; NATS_ACCOUNTS, a line "<account> <user> <password>" each; CLIENTS, an image with the nats CLI.
# shellcheck shell=bash

project=${1:?usage: ${0##*/} PROJECT DIRECTORY}
# Never stopped: the proxy, and what other projects on the host use too.
kept='^(backup-|seaweedfs-|etcd|traefik|oauth2proxy-)'
ready_limit=300
clients=()

say() { echo "$EPOCHREALTIME $*"; }
die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# running: "<id> <service>" of every container of the project that runs and is not paused.
running() {
  docker ps --filter "label=com.docker.compose.project=$project" --filter status=running \
    --format '{{.ID}} {{.Label "com.docker.compose.service"}}'
}

find_containers() {
  local id service all
  all=$(running)
  postgres='' valkey='' nats=''
  while read -r id service; do
    case $service in
      postgres-main) postgres=$id ;;
      valkey) valkey=$id ;;
      nats) nats=$id ;;
      *) [[ $service =~ $kept ]] || clients+=("$id") ;;
    esac
  done <<<"$all"
  [ -n "$postgres" ] && [ -n "$valkey" ] && [ -n "$nats" ] || die "$project: not all of its stores run"
}

in_postgres() { docker exec -i -u postgres "$@"; }
in_valkey() { docker exec -e "REDISCLI_AUTH=$VALKEY_PASSWORD" "$valkey" valkey-cli "$@"; }

# nats_cli FOLDER USER PASSWORD ARGUMENTS…: the stock CLI beside the server, which has none; FOLDER is /dumps.
nats_cli() {
  docker run --rm --network "container:$nats" -v "$1:/dumps" "$CLIENTS" \
    nats --server nats://127.0.0.1:4222 --user "$2" --password "$3" "${@:4}" </dev/null
}

# await WHAT COMMAND…: until it succeeds.
await() {
  local begun=$SECONDS
  until "${@:2}" >/dev/null 2>&1; do
    [ $((SECONDS - begun)) -lt "$ready_limit" ] || die "$1 is not ready after ${ready_limit}s"
    sleep 0.5
  done
}

start_postgres() {
  docker start "$postgres" >/dev/null
  await postgres in_postgres "$postgres" pg_isready -q
}

valkey_answers() { [ "$(in_valkey PING)" = PONG ]; }
start_valkey() {
  docker start "$valkey" >/dev/null
  await valkey valkey_answers
}

nats_answers() {
  local account user password
  read -r account user password <<<"$NATS_ACCOUNTS"
  nats_cli /tmp "$user" "$password" stream ls --names
}
start_nats() {
  docker start "$nats" >/dev/null
  await nats nats_answers
}

stop_clients() {
  local id
  for id in "${clients[@]}"; do
    docker stop "$id" >/dev/null
  done
}

# start_all: whatever happened. One that does not start must not keep the others down.
start_all() {
  local id store
  for store in postgres valkey nats; do
    "start_$store" || say "WARNING: $store did not start"
  done
  for id in "${clients[@]}"; do
    docker start "$id" >/dev/null || say "WARNING: $id did not start"
  done
}
