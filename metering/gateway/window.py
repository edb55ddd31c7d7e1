"""What a key has used in the last minute: a sliding window, once in Python and once in Lua, for Redis to share.

Uses of the same second share an entry, and an entry leaves a minute after its last use. So no minute, wherever it
starts, holds more than a limit; what is refused could have passed at most a second earlier than it will.
"""

from __future__ import annotations

from collections import deque
from typing import Final

MINUTE: Final = 60_000
SECOND: Final = 1_000


class Window:
    """The last minute of one key, in this process. All times are milliseconds of one clock that never goes back."""

    __slots__ = ("entries", "requests", "tokens")

    def __init__(self) -> None:
        self.entries: deque[tuple[int, int, int]] = deque()  # the moment of the last use, requests, tokens
        self.requests = 0
        self.tokens = 0

    def take(self, now: int, most_requests: int | None, most_tokens: int | None, requests: int, tokens: int) -> int:
        """Add a use if the minute then holds at most `most_…` (None: no limit), else nothing.

        Returns 0, or in how many milliseconds there would be room: a minute where there never is.
        """
        self._forget(now)
        requests_over = 0 if most_requests is None else self.requests + requests - most_requests
        tokens_over = 0 if most_tokens is None else self.tokens + tokens - most_tokens
        if requests_over > 0 or tokens_over > 0:
            return self._wait(now, requests_over, tokens_over)
        self._add(now, requests, tokens)
        return 0

    def give_back(self, now: int, age: int, tokens: int) -> None:
        """Take tokens off again that were added at most `age` milliseconds ago; what has left already is left alone."""
        for number, (moment, requests, taken) in enumerate(self.entries):
            if moment >= now - age:
                back = min(tokens, taken)
                self.entries[number] = (moment, requests, taken - back)
                self.tokens -= back
                tokens -= back

    def idle(self, now: int) -> bool:
        """Whether nothing of it counts any more."""
        return not self.entries or self.entries[-1][0] <= now - MINUTE

    def _add(self, now: int, requests: int, tokens: int) -> None:
        self.requests += requests
        self.tokens += tokens
        if self.entries and self.entries[-1][0] // SECOND == now // SECOND:
            _, earlier_requests, earlier_tokens = self.entries.pop()
            requests += earlier_requests
            tokens += earlier_tokens
        self.entries.append((now, requests, tokens))

    def _forget(self, now: int) -> None:
        while self.entries and self.entries[0][0] <= now - MINUTE:
            _, requests, tokens = self.entries.popleft()
            self.requests -= requests
            self.tokens -= tokens

    def _wait(self, now: int, requests_over: int, tokens_over: int) -> int:
        for moment, requests, tokens in self.entries:
            requests_over -= requests
            tokens_over -= tokens
            if requests_over <= 0 and tokens_over <= 0:
                return moment + MINUTE - now
        return MINUTE


# A list of entries, oldest first; the newest one also tells the requests and tokens of all. A whole use is one command
# for Redis, so nothing comes between its two limits.

TAKE: Final = """
-- deadline (ms since the epoch), most requests, most tokens ('' for none), requests, tokens
-- returns 0, the milliseconds to wait, or -1 when the deadline has passed; only 0 has taken anything
local key, time = KEYS[1], redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > (tonumber(ARGV[1]) or math.huge) then return -1 end

local moment, requests, tokens, all_requests, all_tokens = 0, 0, 0, 0, 0
local newest = redis.call('LINDEX', key, -1)
if newest then moment, requests, tokens, all_requests, all_tokens = cmsgpack.unpack(newest) end
if moment > now + 1000 then  -- the clock was set back: better forget than hold for longer than a minute
  redis.call('DEL', key)
  newest, moment, all_requests, all_tokens = false, 0, 0, 0
end
now = math.max(now, moment)

local oldest = newest and redis.call('LINDEX', key, 0)
local forgotten = false
while oldest do
  local left, left_requests, left_tokens = cmsgpack.unpack(oldest)
  if left > now - 60000 then break end
  redis.call('LPOP', key)
  all_requests, all_tokens, forgotten = all_requests - left_requests, all_tokens - left_tokens, true
  oldest = redis.call('LINDEX', key, 0)
end

local more_requests, more_tokens = tonumber(ARGV[4]), tonumber(ARGV[5])
local requests_over = all_requests + more_requests - (tonumber(ARGV[2]) or math.huge)
local tokens_over = all_tokens + more_tokens - (tonumber(ARGV[3]) or math.huge)
if requests_over > 0 or tokens_over > 0 then
  if oldest and forgotten then
    redis.call('LSET', key, -1, cmsgpack.pack(moment, requests, tokens, all_requests, all_tokens))
  end
  for _, entry in ipairs(redis.call('LRANGE', key, 0, -1)) do
    local leaves, entry_requests, entry_tokens = cmsgpack.unpack(entry)
    requests_over, tokens_over = requests_over - entry_requests, tokens_over - entry_tokens
    if requests_over <= 0 and tokens_over <= 0 then return leaves + 60000 - now end
  end
  return 60000
end

all_requests, all_tokens = all_requests + more_requests, all_tokens + more_tokens
if oldest and math.floor(moment / 1000) == math.floor(now / 1000) then
  local entry = cmsgpack.pack(now, requests + more_requests, tokens + more_tokens, all_requests, all_tokens)
  redis.call('LSET', key, -1, entry)
else
  redis.call('RPUSH', key, cmsgpack.pack(now, more_requests, more_tokens, all_requests, all_tokens))
  redis.call('PEXPIRE', key, 61000)
end
return 0
"""

GIVE_BACK: Final = """
-- age (ms), tokens
local key, time = KEYS[1], redis.call('TIME')
local since = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[1])
local wanted, given = tonumber(ARGV[2]), 0
local entries = redis.call('LRANGE', key, 0, -1)
for number, entry in ipairs(entries) do
  local moment, requests, tokens, all_requests, all_tokens = cmsgpack.unpack(entry)
  local back = moment >= since and math.min(tokens, wanted - given) or 0
  given = given + back
  if back > 0 or number == #entries then
    entry = cmsgpack.pack(moment, requests, tokens - back, all_requests, all_tokens - given)
    redis.call('LSET', key, number - 1, entry)
  end
end
return given
"""
