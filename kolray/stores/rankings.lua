-- Rankings: a KOL's value in the sorted sets of all, of its platform, of its category and of both.
-- ARGV: what to do, then its rows. Keys are made here: this Redis is one server, not a Redis Cluster.

local SEGMENTS, DUE, NOW = 'ranking:segments', 'ranking:due', 'ranking:hour'
local SLOT, DAY = '<I4i6i6i6', 24 -- hour, interactions, first and last followers (-1: not seen)
local SLOT_BYTES = 22
local NOTHING = string.rep('\0', DAY * SLOT_BYTES)

local function sets(by, segment)
  local all = 'rank:' .. by
  local keys = {all}
  if segment then
    local platform, category = string.match(segment, '^(.-)\31(.*)$')
    if platform ~= '' then keys[#keys + 1] = all .. ':p:' .. platform end
    if category ~= '' then keys[#keys + 1] = all .. ':c:' .. category end
    if #keys == 3 then keys[#keys + 1] = all .. ':pc:' .. segment end
  end
  return keys
end

local function put(by, kol, value, segment)
  segment = segment or redis.call('HGET', SEGMENTS, kol)
  for _, key in ipairs(sets(by, segment)) do
    if value then redis.call('ZADD', key, value, kol) else redis.call('ZREM', key, kol) end
  end
end

local function place(kol, segment, rankings)
  local held = redis.call('HGET', SEGMENTS, kol)
  if held == segment then return end
  redis.call('HSET', SEGMENTS, kol, segment)
  for _, by in ipairs(rankings) do
    local value = redis.call('ZSCORE', 'rank:' .. by, kol)
    if value then
      for _, key in ipairs(sets(by, held)) do redis.call('ZREM', key, kol) end
      for _, key in ipairs(sets(by, segment)) do redis.call('ZADD', key, value, kol) end
    end
  end
end

-- Engagement and growth over the 24 hours that end with `now`, from the ring of the KOL's hours.
local function rerank(kol, ring, now)
  local total, oldest, newest, first, last = 0, nil, nil, nil, nil
  local first_at, last_at = math.huge, -1
  for slot = 0, DAY - 1 do
    local hour, count, before, after = struct.unpack(SLOT, ring, slot * SLOT_BYTES + 1)
    if hour > now - DAY and hour <= now then
      total = total + count
      if not oldest or hour < oldest then oldest = hour end
      if before >= 0 and hour < first_at then first, first_at = before, hour end
      if after >= 0 and hour > last_at then last, last_at = after, hour end
    end
  end
  if not oldest then
    put('engagement', kol, nil)
    put('growth', kol, nil)
    redis.call('ZREM', DUE, kol)
    redis.call('DEL', 'hours:' .. kol)
    return
  end
  local segment = redis.call('HGET', SEGMENTS, kol)
  put('engagement', kol, total, segment)
  put('growth', kol, first and first > 0 and last and (last - first) / first or nil, segment)
  redis.call('ZADD', DUE, oldest + DAY, kol)
end

local function newest_hour(hour)
  local held = tonumber(redis.call('GET', NOW) or '-1')
  if hour > held then redis.call('SET', NOW, hour) return hour end
  return held
end

local run = {}

function run.put(by) -- by, then KOL and value
  for i = 3, #ARGV, 2 do put(by, ARGV[i], ARGV[i + 1]) end
end

function run.drop(by) -- by, then KOLs
  for i = 3, #ARGV do put(by, ARGV[i], nil) end
end

function run.place(rankings) -- the rankings by commas, then KOL and segment
  local all = {}
  for by in string.gmatch(rankings, '[^,]+') do all[#all + 1] = by end
  for i = 3, #ARGV, 2 do place(ARGV[i], ARGV[i + 1], all) end
end

function run.hours(newest) -- the newest hour, then KOL, hour, interactions, first and last followers; a KOL's together
  local now = newest_hour(tonumber(newest))
  local kol, ring
  local function done()
    if kol then
      redis.call('SET', 'hours:' .. kol, ring)
      rerank(kol, ring, now)
    end
  end
  for i = 3, #ARGV, 5 do
    if ARGV[i] ~= kol then
      done()
      kol = ARGV[i]
      ring = redis.call('GET', 'hours:' .. kol) or NOTHING
    end
    local hour = tonumber(ARGV[i + 1])
    local at = (hour % DAY) * SLOT_BYTES
    if hour > now - DAY and struct.unpack('<I4', ring, at + 1) <= hour then
      local slot = struct.pack(SLOT, hour, ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
      ring = string.sub(ring, 1, at) .. slot .. string.sub(ring, at + SLOT_BYTES + 1)
    end
  end
  done()
end

function run.sweep(limit) -- reranks those whose oldest hour is over; returns how many
  local now = newest_hour(-1)
  local due = redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, limit)
  for _, kol in ipairs(due) do
    rerank(kol, redis.call('GET', 'hours:' .. kol) or NOTHING, now)
  end
  return #due
end

return run[ARGV[1]](ARGV[2])
