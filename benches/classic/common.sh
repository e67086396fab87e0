# Sourced by backup.sh and restore.sh: which containers are ours to stop, and how they are started again.
# shellcheck shell=bash

project=${1:?usage: ${0##*/} PROJECT DIRECTORY}
store=${STORE:-postgres-main}
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
  postgres=
  while read -r id service; do
    if [ "$service" = "$store" ]; then
      postgres=$id
    elif [[ ! $service =~ $kept ]]; then
      clients+=("$id")
    fi
  done <<<"$all"
  [ -n "$postgres" ] || die "$project: no container of service $store runs"
}

in_postgres() { docker exec -i -u postgres "$@"; }

start_postgres() {
  local begun=$SECONDS
  docker start "$postgres" >/dev/null
  until in_postgres "$postgres" pg_isready -q; do
    [ $((SECONDS - begun)) -lt "$ready_limit" ] || die "$store takes no connections after ${ready_limit}s"
    sleep 0.5
  done
}

stop_clients() {
  local id
  for id in "${clients[@]}"; do
    docker stop "$id" >/dev/null
  done
}

# start_all: whatever happened. One that does not start must not keep the others down.
start_all() {
  local id
  start_postgres || say "WARNING: $store did not start"
  for id in "${clients[@]}"; do
    docker start "$id" >/dev/null || say "WARNING: $id did not start"
  done
}
