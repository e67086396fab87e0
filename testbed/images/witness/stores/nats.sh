# shellcheck shell=bash
# Two accounts have a stream WITNESS (the seed makes it): tick N is its message N, with the tick and its SHA-256 in it.

NATS_ACCOUNTS=(APP OTHER)

# in_account ACCOUNT WORDS…: the stock CLI as that account's user.
in_account() {
  local user=app password=${WITNESS_NATS_APP_PASSWORD:-}
  if [ "$1" = OTHER ]; then user=other password=${WITNESS_NATS_OTHER_PASSWORD:-}; fi
  shift
  NATS_URL=${WITNESS_NATS_URL:-} NATS_USER=$user NATS_PASSWORD=$password timeout 8 nats --timeout=5s "$@" 2>/dev/null
}

# nats_state ACCOUNT STREAM: "<messages> <last sequence>", or "missing"; nothing where nobody answers.
nats_state() {
  in_account "$1" request --raw "\$JS.API.STREAM.INFO.$2" '' | sed -nE '
    s/.*"state":\{"messages":([0-9]+),.*"last_seq":([0-9]+).*/\1 \2/p
    s/.*"err_code":10059.*/missing/p'
}

# The seed's last act is the stream SEEDED in APP: from then on an account without its WITNESS is a loss.
nats_ready() { [ "$(nats_state APP SEEDED)" = '0 0' ]; }

nats_last() {
  local account messages last seen
  for account in "${NATS_ACCOUNTS[@]}"; do
    read -r messages last <<<"$(nats_state "$account" WITNESS)"
    seen=${last:-${messages:-unreadable}}
    if [ "$messages" != "${last:-$messages}" ]; then
      seen=damaged
    elif [ "${last:-0}" -gt 0 ] && [ "$(nats_text "$account" "$last")" != "$(nats_proof "$last")" ]; then
      seen=damaged
    fi
    echo "nats/$account $seen"
  done
}

nats_proof() { echo "$1 $(printf %s "$1" | sha256sum | cut -d' ' -f1)"; }

nats_text() { in_account "$1" stream get WITNESS "$2" --json | sed -n 's/.*"data": "\(.*\)".*/\1/p' | base64 -d; }

# A tick is refused where it is not the next one; it may be there already, and then it was ours.
nats_publish() {
  in_account "$1" publish --jetstream witness "$(nats_proof "$2")" \
    --header "Nats-Expected-Last-Sequence:$(($2 - 1))" >/dev/null || [ "$(nats_state "$1" WITNESS)" = "$2 $2" ]
}

# Both accounts at once: a tick takes as long as one of them.
nats_write() {
  local account failed=0 pids=()
  for account in "${NATS_ACCOUNTS[@]}"; do
    nats_publish "$account" "$1" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return "$failed"
}
