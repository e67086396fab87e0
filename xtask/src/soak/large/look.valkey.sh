# What is in the keys, as lines `<fact> <value>`: the counts of the server, a hash of each 100,000 keys by name with contents, expiries and
# groups, a hash of the functions. The testbed's own truth sorts all names first and takes minutes here.
set -e
valkey-cli INFO keyspace | tr -d '\r' | sed -nE 's/^(db[0-9]+):keys=([0-9]+),expires=([0-9]+).*/\1:keys \2\n\1:expires \3/p'
for ((unit = 0; unit < 50; unit++)); do
  echo "unit:$unit $(valkey-cli -e EVAL_RO '
    local call, unit, all, parts = redis.call, tonumber(ARGV[1]), "", {}
    local function flat(value)
      if type(value) ~= "table" then return tostring(value) end
      local inner = {}
      for i, one in ipairs(value) do inner[i] = flat(one) end
      return "[" .. table.concat(inner, ",") .. "]"
    end
    for i = unit * 100000, unit * 100000 + 99999 do
      if i % 100 == 7 then
        local name = "stream:" .. i
        parts[#parts + 1] = flat(call("XRANGE", name, "-", "+"))
        if i % 1000 == 7 then parts[#parts + 1] = flat(call("XPENDING", name, "workers")) end
      elseif i % 5 == 0 then parts[#parts + 1] = tostring(call("GET", "lasting:" .. i))
      else
        local name = "session:" .. i
        parts[#parts + 1] = tostring(call("GET", name))
        parts[#parts + 1] = ("%.0f"):format(call("PEXPIRETIME", name))
      end
      if #parts > 4000 then all, parts = redis.sha1hex(all .. table.concat(parts, ",")), {} end
    end
    return redis.sha1hex(all .. table.concat(parts, ","))' 0 "$unit")"
done
# A server lists them in an order of its own.
echo "functions $(valkey-cli FUNCTION LIST WITHCODE | LC_ALL=C sort | sha1sum | cut -d' ' -f1)"
