# 5,000,000 keys by 50 scripts: strings of which 4 of 5 expire, in the year 2100 and later; a hundredth are streams, with groups.
set -e
for ((unit = 0; unit < 50; unit++)); do
  valkey-cli -e EVAL '
    local call, unit, far = redis.call, tonumber(ARGV[1]), 4102444800000
    for i = unit * 100000, unit * 100000 + 99999 do
      if i % 100 == 7 then
        local name = "stream:" .. i
        call("XADD", name, "1760000000000-1", "what", "click", "at", redis.sha1hex(i))
        call("XADD", name, "1760000000000-2", "what", "key", "at", i)
        if i % 1000 == 7 then
          call("XGROUP", "CREATE", name, "workers", "0")
          call("XREADGROUP", "GROUP", "workers", "one", "COUNT", 1, "STREAMS", name, ">")
          call("XCLAIM", name, "workers", "one", 0, "1760000000000-1", "TIME", 1760000000000, "RETRYCOUNT", 1, "JUSTID")
        end
      elseif i % 5 == 0 then call("SET", "lasting:" .. i, redis.sha1hex(i))
      else call("SET", "session:" .. i, redis.sha1hex(i), "PXAT", far + i) end
    end' 0 "$unit" >/dev/null
done
for ((library = 0; library < 50; library++)); do
  valkey-cli -e FUNCTION LOAD "#!lua name=library_$library
redis.register_function('function_$library', function(keys, args) return redis.call('GET', keys[1]) end)" >/dev/null
done
