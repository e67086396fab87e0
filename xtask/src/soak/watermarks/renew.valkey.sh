valkey-cli -e EVAL 'for i = 1, 400 do redis.call("SET", "soak:" .. i, i, "PX", i * 100) end' 0 >/dev/null
