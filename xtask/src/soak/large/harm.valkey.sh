# A part is lost, another is changed, and some expiries are taken away.
set -e
valkey-cli -e EVAL '
  for i = 0, 299999 do
    redis.call("UNLINK", "session:" .. i)
    redis.call("PERSIST", "session:" .. i + 300000)
  end
  for i = 0, 99999 do redis.call("SET", "rubbish:" .. i, i) end' 0 >/dev/null
valkey-cli -e FUNCTION DELETE library_7 >/dev/null
