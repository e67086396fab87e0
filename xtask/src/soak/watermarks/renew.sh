# What goes by itself in the next standstill: keys, messages, consumers that nobody uses; and messages that nobody acknowledges.
set -e
publish() { nats publish --jetstream --quiet "$@" >/dev/null 2>&1; }
for age in 4 8 12 16 20; do publish "soak.aged.$age" 'goes by age' --count 20; done
publish 'soak.each.{{Count}}' 'goes by its own time' --count 40 --header 'Nats-TTL:{{Count}}s'
publish 'soak.marked.{{Count}}' 'goes, and is marked' --count 40 --header 'Nats-TTL:{{Count}}s'
for seconds in 2 5 8 11 14 17; do
  nats request --raw '$JS.API.CONSUMER.CREATE.SOAK_EACH' '{"stream_name": "SOAK_EACH", "config": {"ack_policy": "none",
    "inactive_threshold": '$seconds'000000000}}' | grep -q '"created"'
  nats request --raw "\$JS.API.CONSUMER.DURABLE.CREATE.SOAK_STILL.idle_$seconds" '{"stream_name": "SOAK_STILL", "config":
    {"durable_name": "idle_'$seconds'", "deliver_policy": "new", "ack_policy": "explicit", "inactive_threshold": '$seconds'000000000}}' |
    grep -q '"created"'
done
publish soak.still 'nobody acknowledges this' --count 3
for stream in SOAK_STILL SOAK_AGED_20; do
  nats request --raw "\$JS.API.CONSUMER.DURABLE.CREATE.$stream.slow" '{"stream_name": "'$stream'", "config":
    {"durable_name": "slow", "ack_policy": "explicit", "ack_wait": 1000000000}}' | grep -q '"created"'
  nats consumer next "$stream" slow --count 2 --no-ack --raw >/dev/null
done
