#!/usr/bin/env bash
# nats.sh SCALE: fills an empty NATS at 127.0.0.1 through its stock client, as the user app (account APP) and as the user other. The same
# scale gives the same messages and consumers; chance are only times, the names that the object store's client makes up, and the mark that
# a sourced message bears of its origin. About 2.5 MB for each unit of scale.
set -euo pipefail

YEAR=31536000000000000 # of nanoseconds: what is delivered and not acknowledged is not delivered again meanwhile

# api SUBJECT JSON: one request of the JetStream API.
api() {
  local answer
  answer=$(nats request --raw --no-templates "\$JS.API.$1" "$2")
  case $answer in
    *'"error":'* | '')
      echo "$1: $answer" >&2
      return 1
      ;;
    *) ;;
  esac
}

# stream NAME OPTIONS: OPTIONS is the inside of a JSON object.
stream() { api "STREAM.CREATE.$1" "{\"name\": \"$1\", \"storage\": \"file\", $2}"; }

# consumer STREAM NAME OPTIONS
consumer() {
  api "CONSUMER.DURABLE.CREATE.$1.$2" "{\"stream_name\": \"$1\", \"config\": {\"durable_name\": \"$2\", \"ack_policy\": \"explicit\", \
    \"ack_wait\": $YEAR, \"max_ack_pending\": 10000, $3}}"
}

# publish SUBJECT COUNT BODY OPTIONS…: subject, body and headers may hold {{Count}}.
publish() { nats publish --jetstream --quiet --count "$2" "$1" "$3" "${@:4}" >/dev/null 2>"$ERRORS" || complain "$1"; }

# lines SUBJECT OPTIONS…: a message for each line of the input.
lines() { nats publish --jetstream --quiet --force-stdin --send-on=newline "$@" >/dev/null 2>"$ERRORS" || complain "$1"; }

complain() {
  echo "publish $1: $(tail -1 "$ERRORS")" >&2
  return 1
}

# text FIRST COUNT WORDS: lines of always the same, hardly compressible text, 8 bytes a word.
text() {
  awk -v first="$1" -v count="$2" -v words="$3" 'BEGIN {
    for (i = first; i < first + count; i++) {
      x = (i * 7919 + 1) % 2147483647; line = ""
      for (w = 0; w < words; w++) { x = (x * 16807) % 2147483647; line = line sprintf("%08x", x) }
      print line
    } }'
}

# take STREAM CONSUMER COUNT [--no-ack]
take() { nats consumer next "$1" "$2" --count "$3" --raw "${@:4}" >/dev/null; }

# Limits: several subjects, headers, gaps, a consumer that has acknowledged most of what it got, one that was never asked.
orders() {
  stream ORDERS '"subjects": ["orders.>"], "max_msgs_per_subject": -1, "description": "Grüße ✓", "metadata": {"team": "shop"}'
  # One name only: the client writes several in an order of its own.
  publish 'orders.new.{{Count}}' 200 'order {{Count}}' --header 'Order:{{Count}}' --header 'Order:again'
  publish 'orders.paid' 100 'paid {{Count}}'
  publish 'orders.empty' 1 ''
  for ((n = 0; n < $1; n++)); do
    text $((n * 400)) 200 250 | lines orders.shipped --header "Unit:$n"
    text $((n * 400 + 200)) 200 250 | lines orders.returned
  done
  consumer ORDERS billing '"filter_subjects": ["orders.new.>", "orders.paid"], "description": "sends bills"'
  consumer ORDERS idle '"deliver_policy": "by_start_sequence", "opt_start_seq": 20, "filter_subject": "orders.shipped"'
  take ORDERS billing 50
  take ORDERS billing 5 --no-ack
  for n in 7 60 250; do api STREAM.MSG.DELETE.ORDERS "{\"seq\": $n}"; done
  api STREAM.PURGE.ORDERS '{"seq": 4}'
}

# Work queue: what is acknowledged is gone, in order and out of order. Interest: gone when both have acknowledged it.
queues() {
  stream JOBS '"subjects": ["jobs.*"], "retention": "workqueue", "discard": "new", "max_msgs": 1000000'
  consumer JOBS runner '"filter_subject": "jobs.build"'
  publish jobs.build 100 'build {{Count}}'
  publish jobs.later 10 'later {{Count}}'
  take JOBS runner 40
  take JOBS runner 3 --no-ack
  take JOBS runner 2
  stream NOTICES '"subjects": ["notices"], "retention": "interest"'
  consumer NOTICES mailer '"max_deliver": 7'
  consumer NOTICES logger '"deliver_policy": "all"'
  publish notices 50 'notice {{Count}}'
  take NOTICES mailer 20
  take NOTICES logger 10
}

buckets() {
  nats kv add CONFIG --history 5 --storage file --description 'what the shop reads' >/dev/null
  publish '$KV.CONFIG.key.{{Count}}' 50 'first {{Count}}'
  publish '$KV.CONFIG.key.{{Count}}' 20 'second {{Count}}'
  publish '$KV.CONFIG.often' 12 'value {{Count}}'
  nats kv del CONFIG key.3 --force >/dev/null
  nats object add FILES --storage file >/dev/null
  for ((n = 0; n < $1; n++)); do
    text "$n" 1600 32 >"$WORK/file"
    nats object put FILES "$WORK/file" --name "manual $n.pdf" --description 'several chunks' --force --no-progress >/dev/null
  done
}

# A mirror, a stream with a source, one with other names for its subjects, one that is compressed.
relatives() {
  stream ORDERS_COPY '"mirror": {"name": "ORDERS"}'
  stream RETURNS '"subjects": ["returns.by.hand"], "sources": [{"name": "ORDERS", "filter_subject": "orders.returned"}]'
  stream Audit-Trail_2 '"subjects": ["legacy.*.done", "trail.>"], "compression": "s2", "deny_purge": true, "allow_msg_ttl": true'
  publish 'legacy.{{Count}}.done' 30 'done {{Count}}'
  publish trail.a 20 'again and again and again and again'
  stream RENAMED '"subjects": ["in.*"], "subject_transform": {"src": "in.*", "dest": "stored.{{wildcard(1)}}"}'
  publish 'in.{{Count}}' 10 'renamed {{Count}}'
}

other() {
  stream ORDERS '"subjects": ["orders"]'
  publish orders 25 'another account, the same name {{Count}}'
  consumer ORDERS reader '"deliver_policy": "all"'
  take ORDERS reader 7
  stream METRICS '"subjects": ["metrics.>"], "max_msgs_per_subject": 2'
  publish 'metrics.{{Count}}' 15 'old'
  publish 'metrics.{{Count}}' 15 'new'
  publish 'metrics.{{Count}}' 15 'newest'
  stream WITNESS '"subjects": ["witness"], "allow_direct": true'
}

# sequence STREAM: its last.
sequence() { nats request --raw "\$JS.API.STREAM.INFO.$1" '' | sed -nE 's/.*"last_seq":([0-9]+).*/\1/p'; }

# What copies has caught up; it comes by itself, a little later.
await_copies() {
  local waited=0 wanted
  wanted=$(sequence ORDERS)
  until [ "$(sequence ORDERS_COPY)" = "$wanted" ] && [ "$(sequence RETURNS)" = $((200 * $1)) ]; do
    [ "$waited" -lt 600 ] || { echo 'the copies do not catch up' >&2; return 1; }
    sleep 0.1
    waited=$((waited + 1))
  done
}

main() {
  WORK=$(mktemp -d)
  ERRORS=$WORK/errors
  until [ "$(nats request --raw --timeout=2s "\$JS.API.STREAM.INFO.SEEDED" '' 2>/dev/null | grep -c '"err_code":10059')" = 1 ]; do
    [ $((tries += 1)) -lt 50 ] || { echo 'this NATS is seeded already, or does not answer' >&2; exit 1; }
    sleep 0.1
  done
  orders "$1"
  queues
  buckets "$1"
  relatives
  (NATS_USER=other NATS_PASSWORD=$NATS_OTHER_PASSWORD && export NATS_USER NATS_PASSWORD && other)
  await_copies "$1"
  stream WITNESS '"subjects": ["witness"], "allow_direct": true'
  # The mark that the seed is whole (images/witness/stores/nats.sh waits for it).
  stream SEEDED '"subjects": ["seeded"]'
  rm -rf "$WORK"
}
tries=0
main "$@" </dev/null
