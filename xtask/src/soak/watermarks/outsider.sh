# Everything harmless that an operator's tools and the servers themselves may do to stores that stand still, all the time and
# from outside the platform: nobody stops it. It writes nothing. Each line it says is `<seconds since 1970> <thing> <number>`.
export PGHOST=postgres-main PGUSER=postgres PGDATABASE=langfuse PGCONNECT_TIMEOUT=2

say() { echo "$EPOCHREALTIME $*"; }

# always PAUSE WORDS…: servers come and go.
always() {
  local pause=$1
  shift
  while :; do
    "$@"
    sleep "$pause"
  done 2>/dev/null
}

# -- PostgreSQL -------------------------------------------------------------------------------------------------------------
# What autovacuum is at work on is left to it: it is slow.
postgres_upkeep() {
  psql -Xq -c 'vacuum (skip_locked)' -c 'analyze (skip_locked)' -c 'checkpoint' >/dev/null || return
  for deed in vacuum analyze checkpoint; do say "$deed" 1; done
}

# postgres_visit SQL: a session that stays, and does next to nothing.
postgres_visit() {
  {
    echo "$1"
    while sleep 1; do echo 'select 1;'; done
  } | PGAPPNAME=idler psql -Xqt -v ON_ERROR_STOP=1 >/dev/null
}

postgres_look() {
  local found
  found=$(psql -XAtq -c "select (select count(*) from pg_stat_activity where application_name = 'idler'),
    (select sum(autovacuum_count) from pg_stat_all_tables)") || return
  say postgres-visitor "${found%|*}"
  say autovacuum "${found#*|}"
}

# -- Valkey -----------------------------------------------------------------------------------------------------------------
valkey_visit() {
  (
    exec 3<>/dev/tcp/valkey/6379 || exit
    printf 'AUTH %s\r\nCLIENT SETNAME idler\r\nSUBSCRIBE nothing\r\n' "$REDISCLI_AUTH" >&3
    cat <&3 >/dev/null
  )
}

# One save on demand; the server makes others by itself, because expired keys count as changes.
valkey_save() {
  valkey-cli -h valkey CONFIG SET save '3 1' >/dev/null
  [ "$(valkey-cli -h valkey BGSAVE)" = 'Background saving started' ] && say save 1
}

valkey_look() {
  local info
  info=$(printf 'INFO everything\nCLIENT LIST\n' | valkey-cli -h valkey) || return
  say valkey-visitor "$(grep -c ' name=idler ' <<<"$info")"
  for field in expired_keys rdb_saves; do say "$field" "$(sed -n "s/^$field:\([0-9]*\).*/\1/p" <<<"$info")"; done
}

# -- NATS -------------------------------------------------------------------------------------------------------------------
nats_visit() {
  (
    exec 3<>/dev/tcp/nats/4222 || exit
    printf 'CONNECT {"verbose":false,"user":"%s","pass":"%s","name":"idler"}\r\nSUB nothing 1\r\nSUB soak.push 2\r\n' \
      "$NATS_USER" "$NATS_PASSWORD" >&3
    while read -r line <&3; do
      if [[ $line == PING* ]]; then printf 'PONG\r\n' >&3; fi
    done
  )
}

# nats_number NAME [AFTER]: the first number of that name in what the server's monitoring shows, after the line that holds AFTER.
nats_number() {
  awk -v name="\"$1\":" -v after="${2:-}" 'index($0, after) { begun = 1 } begun && $1 == name { print $2 + 0; exit }' <<<"$3"
}

nats_look() {
  local all streams
  all=$(curl -fsS http://nats:8222/jsz) && streams=$(curl -fsS 'http://nats:8222/jsz?acc=APP&consumers=1&config=1') || return
  say nats-visitor "$(curl -fsS http://nats:8222/connz | grep -c '"name": "idler"')"
  say messages "$(nats_number messages '' "$all")"
  say consumers "$(nats_number consumers '' "$all")"
  say markers "$(nats_number last_seq '"name": "SOAK_MARKED"' "$streams")"
  say redelivered "$(nats_number consumer_seq '"name": "push"' "$streams")"
}

always 0.3 postgres_upkeep &
always 0.3 postgres_look &
always 0.2 postgres_visit 'select 1;' &
always 0.2 postgres_visit 'begin isolation level repeatable read; select 1;' &
always 2.5 valkey_save &
always 0.3 valkey_look &
always 0.2 valkey_visit &
always 0.3 nats_look &
always 0.2 nats_visit &
wait
