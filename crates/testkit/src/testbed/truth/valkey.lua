-- What a Valkey holds, as facts that survive a snapshot: contents by type in their own order, never an encoding. Keys with a common
-- beginning up to a colon are one fact. One JSON document per line: {"place": …, "fact": name, "is": content}. Runs read-only.
-- Left out: the key `witness` (compared by itself), and what a stream's consumer only remembers about the clock.
local call, lines = redis.call, {}

local function tell(place, fact, is)
  lines[#lines + 1] = cjson.encode({ place = place, fact = fact, is = is })
end

local function shown(text)
  return (text:gsub("[^ -~]", function(byte) return ("\\x%02x"):format(byte:byte()) end))
end

-- One text for any answer, in which nothing can be taken for something else.
local forgotten = { ["entries"] = true, ["radix-tree-keys"] = true, ["radix-tree-nodes"] = true, ["seen-time"] = true, ["active-time"] = true }
local function flat(value, named)
  if type(value) ~= "table" then return type(value) .. #tostring(value) .. ":" .. tostring(value) end
  local parts, i = {}, 1
  while i <= #value do
    if named and forgotten[value[i]] then
      i = i + 2
    else
      parts[#parts + 1] = flat(value[i], named)
      i = i + 1
    end
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function pairs_of(list)
  local rows = {}
  for i = 1, #list, 2 do rows[#rows + 1] = flat({ list[i], list[i + 1] }) end
  table.sort(rows)
  return rows
end

local function sorted(list)
  table.sort(list)
  return list
end

-- A field's own expiry, where the server knows such a thing.
local function field_expiries(key)
  local fields = sorted(call("HKEYS", key))
  local times = {}
  for i, field in ipairs(fields) do
    local answer = redis.pcall("HPEXPIRETIME", key, "FIELDS", 1, field)
    if answer.err then return "" end
    times[i] = tostring(answer[1])
  end
  return flat(times)
end

local function groups(place, key)
  for _, group in ipairs(call("XINFO", "GROUPS", key)) do
    local is = {}
    for i = 1, #group, 2 do is[group[i]] = type(group[i + 1]) == "boolean" and "none" or tostring(group[i + 1]) end
    tell(place, "group " .. shown(is.name) .. " of stream " .. shown(key), is)
  end
end

local content = {
  string = function(key) return call("GET", key) end,
  list = function(key) return flat(call("LRANGE", key, 0, -1)) end,
  set = function(key) return flat(sorted(call("SMEMBERS", key))) end,
  hash = function(key) return flat(pairs_of(call("HGETALL", key))) .. field_expiries(key) end,
  zset = function(key) return flat(call("ZRANGE", key, 0, -1, "WITHSCORES")) end,
  stream = function(key)
    return flat(call("XRANGE", key, "-", "+")) .. flat(call("XINFO", "STREAM", key, "FULL", "COUNT", 0), true)
  end,
}

local function database(number)
  local place, families = "valkey/" .. number, {}
  call("SELECT", number)
  for _, key in ipairs(sorted(call("KEYS", "*"))) do
    if key ~= "witness" then
      local kind = call("TYPE", key).ok
      local beginning = key:match("^[%w_-]+:")
      local name = kind .. " " .. shown(beginning and beginning .. "*" or key)
      local family = families[name] or { keys = 0, expiring = 0, content = "", expiry = "" }
      local expiry = call("PEXPIRETIME", key)
      local known = content[kind]
      local text = known and known(key) or "of a module"
      family.keys = family.keys + 1
      if expiry >= 0 then family.expiring = family.expiring + 1 end
      family.content = redis.sha1hex(family.content .. flat(key) .. redis.sha1hex(text))
      family.expiry = redis.sha1hex(family.expiry .. flat(key) .. ("%.0f"):format(expiry))
      families[name] = family
      if kind == "stream" then groups(place, key) end
    end
  end
  for name, family in pairs(families) do tell(place, name, family) end
end

for number in call("INFO", "keyspace"):gmatch("db(%d+):") do database(number) end
return lines
