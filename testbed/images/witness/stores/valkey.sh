# shellcheck shell=bash
# Every database that the seed made has a hash `witness`: one field per tick with the tick's SHA-1 in it, never changed. The seed sets the
# field 0, since an empty hash cannot be.

VALKEY_DATABASES=(0 1 3)
export REDISCLI_AUTH=${WITNESS_VALKEY_PASSWORD:-}

valkey() { timeout 5 valkey-cli -h "${WITNESS_VALKEY_HOST:-}" "$@" 2>/dev/null; }

# The seed's last act is the key `seeded` in database 0: from then on a database without a witness is a loss.
valkey_ready() { [ "$(valkey EXISTS seeded)" = 1 ]; }

valkey_last() {
  # shellcheck disable=SC2016 # it is Lua
  valkey EVAL_RO '
    local lines = {}
    for _, database in ipairs(ARGV) do
      redis.call("SELECT", database)
      local fields, last, whole = redis.pcall("HGETALL", "witness"), -1, true
      for i = 1, #fields, 2 do
        last = math.max(last, tonumber(fields[i]) or 0)
        whole = whole and fields[i + 1] == redis.sha1hex(fields[i])
      end
      local seen = last
      if fields.err or not whole or (last >= 0 and #fields / 2 ~= last + 1) then seen = "damaged"
      elseif last < 0 then seen = "missing" end
      lines[#lines + 1] = "valkey/" .. database .. " " .. seen
    end
    return lines' 0 "${VALKEY_DATABASES[@]}" || echo "valkey unreadable"
}

# One script for all databases: the tick is in all of them or in none.
valkey_write() {
  # shellcheck disable=SC2016 # it is Lua
  [ "$(valkey EVAL '
    for i = 2, #ARGV do
      redis.call("SELECT", ARGV[i])
      if redis.call("HEXISTS", "witness", "0") == 0 then return redis.error_reply("no witness in " .. ARGV[i]) end
    end
    for i = 2, #ARGV do
      redis.call("SELECT", ARGV[i])
      redis.call("HSET", "witness", ARGV[1], redis.sha1hex(ARGV[1]))
    end
    return "whole"' 0 "$1" "${VALKEY_DATABASES[@]}")" = whole ]
}
