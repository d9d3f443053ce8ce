"""A sender's rate: a token bucket in Redis, in segments, nearly one second deep.

Owns the buckets only. Redis is not the truth of anything: a missing bucket (a new sender, a wiped
Redis) starts empty, so that losing Redis never lets a sender go faster, and without Redis nothing
is sent (`LimiterAway`). Daily caps are in PostgreSQL (`SenderDay`).

A carrier's 429s lower a sender's rate by the share of requests that met one, at most by half at
once; it recovers by a tenth of the full rate each second.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from messaging.errors import LimiterAway

_TIMEOUT_S: Final = 2.0
_BURST_S: Final = 0.9

# Common to all scripts: bring the bucket up to date by Redis' own clock, the only one all workers
# share. Nothing newer than Redis 6.2 is used.
_REFILL: Final = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local function refill(key, rate, capacity)
  local b = redis.call('HMGET', key, 'tokens', 'at', 'factor', 'slowed')
  local factor = 1
  if b[3] then factor = math.min(1, b[3] + (now - b[4]) * 0.1) end
  local tokens = 0
  if b[2] then
    tokens = math.min(capacity, b[1] + math.max(0, now - b[2]) * rate * factor)
  end
  return tokens, factor
end
local function store(key, tokens)
  redis.call('HSET', key, 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
  redis.call('EXPIRE', key, 3600)
end
"""

# KEYS: buckets. ARGV: rate and capacity of each. Returns tokens and factor of each.
_PEEK: Final = (
    _REFILL
    + """
local out = {}
for i, key in ipairs(KEYS) do
  local tokens, factor = refill(key, tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i]))
  store(key, tokens)
  out[2 * i - 1] = tostring(tokens)
  out[2 * i] = tostring(factor)
end
return out
"""
)

# ARGV: rate, capacity and sizes (in order, joined by commas: five hundred arguments would cost ten
# times as much) of each. Returns how many of the sizes fit, for each. One that is larger than the
# bucket goes when the bucket is full, and leaves a debt.
_TAKE: Final = (
    _REFILL
    + """
local out = {}
for i, key in ipairs(KEYS) do
  local capacity = tonumber(ARGV[3 * i - 1])
  local tokens = refill(key, tonumber(ARGV[3 * i - 2]), capacity)
  local n = 0
  for digits in string.gmatch(ARGV[3 * i], '%d+') do
    local size = tonumber(digits)
    if tokens + 0.000001 < math.min(size, capacity) then break end
    tokens = tokens - size
    n = n + 1
  end
  store(key, tokens)
  out[i] = n
end
return out
"""
)

# ARGV: rate, capacity, share. At most once a second: several windows bring 429s of one cause.
_SLOW: Final = (
    _REFILL
    + """
local tokens, factor = refill(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]))
local last = redis.call('HGET', KEYS[1], 'slowed')
if not last or now - last > 1 then
  factor = math.max(0.05, factor * (1 - math.min(0.5, ARGV[3])))
  redis.call('HSET', KEYS[1], 'factor', tostring(factor), 'slowed', string.format('%.6f', now))
end
store(KEYS[1], tokens)
return 1
"""
)


class Bucket(NamedTuple):
    """What a sender may send: `tokens` segments now, and `rate_per_s` more each second."""

    tokens: float
    rate_per_s: float


def capacity(rate_per_s: float) -> float:
    """How many segments a bucket holds: nearly one second's worth, and one at least.

    The carrier counts arrivals; what was taken over a second may arrive a little closer together.
    """
    return max(rate_per_s * _BURST_S, 1.0)


def peek(senders: Sequence[tuple[int, float]]) -> list[Bucket]:
    """How full the buckets of (sender id, segments per second) are. Takes nothing.

    Raises:
        LimiterAway: Redis does not answer.
    """
    args: list[Any] = []
    for _, rate in senders:
        args += [rate, capacity(rate)]
    found = _run(_PEEK, [_key(sender_id) for sender_id, _ in senders], args)
    return [
        Bucket(float(found[2 * at]), rate * float(found[2 * at + 1]))
        for at, (_, rate) in enumerate(senders)
    ]


class Wanted(NamedTuple):
    """What a sender would send: segments of its messages, in order."""

    sender_id: int
    rate_per_s: float
    sizes: Sequence[int]


def take(wanted: Sequence[Wanted]) -> list[int]:
    """Take, for each sender, the first of its sizes that its bucket allows. One call of Redis.

    Returns:
        How many messages each may send now.

    Raises:
        LimiterAway: Redis does not answer.
    """
    args: list[Any] = []
    for _, rate_per_s, sizes in wanted:
        args += [rate_per_s, capacity(rate_per_s), ",".join(map(str, sizes))]
    return [int(n) for n in _run(_TAKE, [_key(one.sender_id) for one in wanted], args)]


def slow(*, sender_id: int, rate_per_s: float, share: float) -> None:
    """The carrier said 429 to `share` (0 to 1) of the sender's requests: go slower for a while.

    Raises:
        LimiterAway: Redis does not answer.
    """
    _run(_SLOW, [_key(sender_id)], [rate_per_s, capacity(rate_per_s), share])


def _key(sender_id: int) -> str:
    return f"rate:{sender_id}"


@lru_cache(maxsize=1)
def _redis() -> Redis:
    return Redis.from_url(
        settings.REDIS_URL, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
    )


@lru_cache(maxsize=8)
def _script(text: str) -> Any:
    return _redis().register_script(text)


def _run(text: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
    try:
        return _script(text)(keys=keys, args=args)
    except RedisError as error:
        raise LimiterAway from error
