# Streams whose messages go by age: all of a stream's, each by its own time, and each leaving a marker that the server writes.
stream() {
  nats request --raw "\$JS.API.STREAM.CREATE.$1" "{\"name\": \"$1\", \"storage\": \"file\", $2}" | grep -q '"state"' || exit 1
}
set -e
for age in 4 8 12 16 20; do stream "SOAK_AGED_$age" "\"subjects\": [\"soak.aged.$age\"], \"max_age\": ${age}000000000"; done
stream SOAK_EACH '"subjects": ["soak.each.*"], "allow_msg_ttl": true'
stream SOAK_MARKED '"subjects": ["soak.marked.*"], "allow_msg_ttl": true, "subject_delete_marker_ttl": 1000000000'
stream SOAK_STILL '"subjects": ["soak.still"]'
stream SOAK_OUTSIDE '"subjects": ["soak.outside"]'
nats request --raw '$JS.API.CONSUMER.DURABLE.CREATE.SOAK_STILL.push' '{"stream_name": "SOAK_STILL", "config":
  {"durable_name": "push", "deliver_subject": "soak.push", "deliver_policy": "new", "ack_policy": "explicit", "ack_wait": 2000000000}}' | grep -q '"created"'
