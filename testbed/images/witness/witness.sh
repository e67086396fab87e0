#!/usr/bin/env bash
# The proof of one point in time: the same counter, tick after tick, in every store. After a restore all stores must show the same tick.
# As `witness` it is the container's main process. By docker exec: `tick` makes one tick and prints it, `witness-ready` waits until ticks
# are possible, `witness-rest` ends the ticks that it makes by itself and prints the last, `witness-go` lets it make them again.
# A tick is never left half done: SIGTERM is heard between ticks, and what cannot be finished is said loudly.
#
# Each store is a file stores/<name>.sh with three functions:
#   <name>_ready          0 once the store answers and holds the witness's place (the seed makes it, never the witness)
#   <name>_last           one line per database or the like: "<where> <last tick>"
#   <name>_write N        writes tick N everywhere in this store; doing it twice does no harm
set -euo pipefail

LIB=$(dirname "$(readlink -f "$0")")
# One folder per run of the container: what an earlier run has left tells nothing about this one.
RUN=/run/witness/$(cut -d' ' -f22 /proc/1/stat)
LOCK=$RUN/lock # held for a tick, and by the shutdown: no tick is cut, none begins afterwards
LAST=$RUN/last # the last whole tick; there from the moment that ticks are possible
STOPPED=$RUN/stopped
REST=/run/witness/rest # no tick by itself; it outlives a stop and a start, so that a restore can be looked at
read -ra STORES <<<"${WITNESS_STORES:?}"
for store in "${STORES[@]}"; do
  # shellcheck source=/dev/null
  . "$LIB/stores/$store.sh"
done

log() { echo "$*" >/proc/1/fd/1; }

# outcome PID: of a child; a signal that we hear meanwhile does not end the waiting.
outcome() {
  local code
  while :; do
    code=0
    wait "$1" || code=$?
    if [ "$code" -le 128 ] || ! kill -0 "$1" 2>/dev/null; then return "$code"; fi
  done
}

# one_tick: the caller holds the lock. All stores at once, so that it is short. A store that fails is asked again until the limit: half a
# tick would accuse a good backup.
one_tick() {
  local n=$(($(<"$LAST") + 1)) limit=$1 begun=$SECONDS left=("${STORES[@]}")
  while :; do
    local store pids=() failed=()
    for store in "${left[@]}"; do
      "${store}_write" "$n" &
      pids+=($!)
    done
    for i in "${!left[@]}"; do outcome "${pids[$i]}" || failed+=("${left[$i]}"); done
    [ ${#failed[@]} -gt 0 ] || break
    left=("${failed[@]}")
    if [ $((SECONDS - begun)) -ge "$limit" ] || { [ "${term:-}" = 1 ] && [ $((SECONDS - begun)) -ge 2 ]; }; then
      log "gave up inside tick $n: not taken by ${left[*]}"
      return 1
    fi
    log "tick $n: not taken by ${left[*]}, trying again"
    sleep 0.5
  done
  echo "$n" >"$LAST"
  log "tick $n"
}

await_ready() {
  local waited=0
  until [ -e "$LAST" ]; do
    [ "$waited" -lt 200 ] || { echo "witness: not ready within 20 s, see its log" >&2; exit 1; }
    sleep 0.1
    waited=$((waited + 1))
  done
}

tick_on_command() {
  await_ready
  exec 9>"$LOCK"
  flock -w 30 9 || { echo "witness: the lock is held for 30 s" >&2; exit 1; }
  [ ! -e "$STOPPED" ] || { echo "witness: is stopping" >&2; exit 1; }
  one_tick 5 || { echo "witness: no whole tick, see its log" >&2; exit 1; }
  cat "$LAST"
}

# rest: no tick is half done when it returns.
rest() {
  await_ready
  exec 9>"$LOCK"
  flock -w 30 9 || { echo "witness: the lock is held for 30 s" >&2; exit 1; }
  touch "$REST"
  cat "$LAST"
}

# resume: where all stores agree, or not at all.
resume() {
  local store lines='' seen
  for store in "${STORES[@]}"; do
    lines+=$("${store}_last")$'\n'
  done
  seen=$(awk 'NF { print $NF }' <<<"$lines" | sort -u)
  # One line and a number; "missing" or "damaged" everywhere is no agreement either.
  if ! [[ $seen =~ ^[0-9]+$ ]]; then
    log "refused: the stores do not show the same tick:"
    awk 'NF' <<<"$lines" | while read -r line; do log "  $line"; done
    exit 3
  fi
  echo "$seen" >"$LAST"
  log "resumed after tick $seen in $(awk 'NF' <<<"$lines" | wc -l) places"
}

# pause SECONDS: a sleep that SIGTERM ends.
pause() {
  sleep "$1" &
  wait $! || true
}

finish() {
  if [ ! -e "$LAST" ]; then
    log "stopped before the first tick"
    exit 0
  fi
  exec 9>"$LOCK"
  flock -w 10 9 || { log "gave up: a tick on command holds the lock"; exit 4; }
  touch "$STOPPED"
  log "stopped after tick $(<"$LAST"), $heard"
  exit 0
}

run() {
  mkdir -p "$RUN"
  term=0
  phase='before the first'
  trap 'term=1 heard="told $phase"' TERM INT
  local store
  for store in "${STORES[@]}"; do
    until "${store}_ready"; do
      [ "$term" = 0 ] || finish
      pause 0.5
    done
  done
  resume
  while [ "$term" = 0 ]; do
    if [ "${WITNESS_MODE:-auto}" = command ]; then
      phase='between ticks'
      pause 3600
      continue
    fi
    flock 9
    phase='inside a tick'
    if [ ! -e "$REST" ]; then one_tick 3600 || exit 5; fi
    phase='between ticks'
    flock -u 9
    pause "${WITNESS_INTERVAL:-1}"
  done 9>"$LOCK"
  finish
}

case $(basename "$0") in
  tick) tick_on_command ;;
  witness-ready) await_ready ;;
  witness-rest) rest ;;
  witness-go) rm -f "$REST" ;;
  *) run ;;
esac
