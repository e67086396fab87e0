#!/usr/bin/env bash
# valkey.sh SCALE: fills an empty Valkey at 127.0.0.1 through its stock client. The same scale gives the same keys: whatever would be the
# clock's or chance's is a fixed number, and no expiry is earlier than the year 2100. About 2.5 MB for each unit of scale.
set -euo pipefail

valkey() { valkey-cli -e "$@" >/dev/null; }

# Once: every type, every encoding that is small enough to be cheap, names that are no names, a library of functions.
oddities() {
  valkey -n 3 EVAL '
    local call, far = redis.call, 4102444800000
    for name, value in pairs({
      ["name with spaces"] = "spaces", ["quote\"d \39name\39"] = "quotes", ["line\nbreak\tand tab"] = "control characters",
      ["100% of %41"] = "percent", ["back\\slash"] = "backslash", ["{tag}:of:a:slot"] = "tag", ["Grüße ✓"] = "text",
      ["\255\254\0\1no UTF-8"] = "\0\255\254\r\nno UTF-8", [""] = "the empty name", ["empty value"] = "",
      ["number"] = "-9007199254740993", ["embedded"] = string.rep("e", 44), ["raw"] = string.rep("r", 45),
    }) do call("SET", name, value) end
    call("SET", "expires at a millisecond", "x", "PXAT", far + 7)
    call("SETBIT", "bitmap", 100000, 1)
    call("GEOADD", "geo", "8.5417", "47.3769", "Zürich", "7.4474", "46.9480", "Bern")
    call("SADD", "set of numbers", 3, 1, 2, -5)
    call("SADD", "set of bytes", "\0", "\255", "", "text")
    call("ZADD", "scores", "-inf", "least", "inf", "most", "0.1", "a tenth", "1e300", "big")
    call("HSET", "hash of bytes", "\0field", "\255value", "", "empty name", "empty value", "")
    call("RPUSH", "list of bytes", "", "\0", "\255\254", "text")
    for i = 1, 3000 do
      call("PFADD", "cardinality", i)
      call("RPUSH", "long list", string.rep(redis.sha1hex(i), 2))
    end
    call("PEXPIREAT", "long list", far)' 0
  # From Valkey 9 on a field can expire by itself.
  if [ -n "$(valkey-cli COMMAND INFO HPEXPIREAT)" ]; then
    valkey -n 3 HSET 'fields that expire' early 1 late 2 never 3
    valkey -n 3 HPEXPIREAT 'fields that expire' 4102444800001 FIELDS 1 early
    valkey -n 3 HPEXPIREAT 'fields that expire' 4102444900002 FIELDS 1 late
  fi
  valkey -x FUNCTION LOAD REPLACE <<'LUA'
#!lua name=orders
local function total(keys, args)
  local sum = 0
  for _, price in ipairs(redis.call('HVALS', keys[1])) do sum = sum + tonumber(price) end
  return tostring(sum) -- Grüße ✓
end
redis.register_function('order_total', total)
redis.register_function{ function_name = 'order_count', callback = function(keys) return redis.call('HLEN', keys[1]) end, flags = { 'no-writes' } }
LUA
}

# Once: a stream with two groups. One has entries delivered and not acknowledged, at fixed times, some of them twice.
queue() {
  valkey -n 1 EVAL '
    local call, stream = redis.call, "queue:mail"
    for i = 1, 200 do call("XADD", stream, "1760000000000-" .. i, "to", "user" .. i .. "@example.org", "body", redis.sha1hex(i)) end
    for _, i in ipairs({ 7, 50, 199, 200 }) do call("XDEL", stream, "1760000000000-" .. i) end
    call("XGROUP", "CREATE", stream, "senders", "0")
    call("XGROUP", "CREATE", stream, "auditors", "1760000000000-150", "ENTRIESREAD", 149)
    call("XGROUP", "CREATECONSUMER", stream, "auditors", "idle one")
    for worker = 1, 3 do
      local got = call("XREADGROUP", "GROUP", "senders", "worker " .. worker, "COUNT", 20, "STREAMS", stream, ">")[1][2]
      for i, entry in ipairs(got) do
        if i <= 12 then call("XACK", stream, "senders", entry[1])
        else call("XCLAIM", stream, "senders", "worker " .. worker, 0, entry[1], "TIME", 1760000000000 + i, "RETRYCOUNT", 1 + i % 3, "JUSTID") end
      end
    end' 0
}

# For each unit: what an application would keep.
unit() {
  valkey EVAL '
    local call, n, far = redis.call, tonumber(ARGV[1]), 4102444800
    local function text(i, times)
      local parts = {}
      for part = 1, times do parts[part] = redis.sha1hex(i .. "/" .. part) end
      return table.concat(parts)
    end
    for i = n * 600, n * 600 + 599 do
      call("SET", "session:" .. i, text(i, 40))
      if i % 3 == 0 then call("EXPIREAT", "session:" .. i, far + i) end
    end
    for i = n * 100, n * 100 + 99 do
      call("HSET", "user:" .. i, "name", "User " .. i, "mail", "user" .. i .. "@example.org", "about", text(i, 5), "visits", i * 7)
      call("SADD", "tags:" .. i, "tag" .. i % 7, "tag" .. i % 11, "tag" .. i % 13, text(i, 1))
      call("ZADD", "board:" .. i % 10, i / 8, "user:" .. i)
      for item = 1, 10 do call("RPUSH", "cart:" .. i, text(i * item, 2)) end
    end
    call("SELECT", 1)
    for i = n * 100, n * 100 + 99 do call("SET", "cache:page:" .. i, text(i, 250), "EXAT", far + i) end
    for i = n * 500 + 1, n * 500 + 500 do call("XADD", "events:" .. i % 4, "1760000000000-" .. i, "what", "click", "at", text(i, 2)) end
    call("SELECT", 3)
    for i = n * 50, n * 50 + 49 do
      local fields = {}
      for field = 1, 200 do fields[2 * field - 1], fields[2 * field] = "item " .. field, (i * field) % 997 end
      call("HSET", "order:" .. i, unpack(fields))
    end' 0 "$1"
}

# The witness's place in every database, then the mark that the seed is whole (images/witness/stores/valkey.sh waits for it).
witness() {
  local database
  for database in 0 1 3; do
    valkey -n "$database" HSET witness 0 "$(printf 0 | sha1sum | cut -d' ' -f1)"
  done
  valkey SET seeded "$1"
}

main() {
  if [ "$(valkey-cli -e EXISTS seeded)" != 0 ]; then
    echo 'this Valkey is seeded already' >&2
    exit 1
  fi
  oddities
  queue
  for ((n = 0; n < $1; n++)); do unit "$n"; done
  witness "$1"
}
main "$@" </dev/null
