#!/usr/bin/env bash
# engine.sh start | stop | with -- CMD…
# Starts dockerd only if no engine answers, and ends only the one that it started.
# `with` keeps an engine for the time of a command; of several at once the last one out ends it.
set -euo pipefail
# shellcheck source=env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

PID_FILE=$ENGINE_STATE/dockerd.pid # ours; dockerd keeps its own elsewhere
LOG=$ENGINE_STATE/dockerd.log
LENT=$ENGINE_STATE/lent # present: `with` started it, so `with` may end it
START_LIMIT=60 STOP_LIMIT=90
mkdir -p "$ENGINE_STATE"

# start_time PID: ticks after boot; together with the pid it names one process and no later one.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

our_pid() {
  local pid started
  [ -f "$PID_FILE" ] || return 1
  read -r pid started <"$PID_FILE"
  [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

start() {
  exec 7>"$ENGINE_STATE/start.lock"
  flock 7
  if engine_answers; then
    flock -u 7
    return 1
  fi
  [ -z "${DOCKER_HOST:-}" ] || fail "no engine answers at DOCKER_HOST=$DOCKER_HOST"
  local dockerd pid
  dockerd=$(PATH=$PATH:/usr/sbin command -v dockerd) || fail "no dockerd: run testbed/setup.sh first"
  [ "$(id -u)" = 0 ] || fail "no Docker Engine answers and only root can start one: start it, or join the group docker"
  # Its own session: a Ctrl-C at the terminal is for the command, the engine goes after it.
  setsid "$dockerd" --pidfile "$ENGINE_STATE/dockerd.own.pid" >"$LOG" 2>&1 </dev/null 7>&- 9>&- &
  pid=$!
  echo "$pid $(start_time "$pid")" >"$PID_FILE"
  local waited=0
  until engine_answers; do
    if ! kill -0 "$pid" 2>/dev/null || [ "$waited" -ge $((START_LIMIT * 10)) ]; then
      tail -30 "$LOG" >&2
      rm -f "$PID_FILE"
      kill "$pid" 2>/dev/null || true
      fail "dockerd did not answer 'docker version' within ${START_LIMIT}s (its log's end is above, all of it in $LOG)"
    fi
    sleep 0.1
    waited=$((waited + 1))
  done
  say "started dockerd (pid $pid)"
  flock -u 7
}

stop() {
  local pid waited=0
  rm -f "$LENT"
  pid=$(our_pid) || {
    rm -f "$PID_FILE"
    return 0
  }
  kill "$pid"
  while [ "$(our_pid)" = "$pid" ]; do
    [ "$waited" -lt $((STOP_LIMIT * 10)) ] || fail "dockerd (pid $pid) has not ended within ${STOP_LIMIT}s; its log: $LOG"
    sleep 0.1
    waited=$((waited + 1))
  done
  rm -f "$PID_FILE"
  say "stopped dockerd (pid $pid)"
}

leave() {
  flock -u 9
  # Nobody else holds the shared lock: the last one out.
  if flock -n -x 9 && [ -e "$LENT" ]; then stop; fi
}

with_engine() {
  [ $# -gt 0 ] || fail "engine.sh with -- CMD…"
  exec 9>"$ENGINE_STATE/users.lock"
  flock -s 9
  if start; then touch "$LENT"; fi
  trap leave EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  local code=0
  "$@" 9>&- || code=$?
  exit "$code"
}

case ${1:-} in
  start)
    start || true
    rm -f "$LENT"
    ;;
  stop) stop ;;
  with)
    shift
    [ "${1:-}" != -- ] || shift
    with_engine "$@"
    ;;
  *) fail "usage: engine.sh start | stop | with -- CMD…" ;;
esac
