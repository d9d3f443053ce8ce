"""A bucket in a real Redis: never faster than its rate, also when Redis forgets."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from messaging import rate
from messaging.errors import LimiterAway

_IDS = itertools.count(10_000_000)


@pytest.fixture
def sender_id() -> int:
    return next(_IDS)


@pytest.fixture
def redis(settings: Any) -> Iterator[Redis]:
    with Redis.from_url(settings.REDIS_URL) as redis:
        yield redis


def take(sender_id: int, rate_per_s: float, sizes: list[int]) -> int:
    """Take for one sender."""
    (granted,) = rate.take([rate.Wanted(sender_id, rate_per_s, sizes)])
    return granted


def fill(sender_id: int, rate_per_s: float) -> None:
    """Wait until the bucket is as full as it gets."""
    rate.peek([(sender_id, rate_per_s)])
    time.sleep(1.05)


def test_a_new_bucket_is_empty(sender_id: int):
    assert take(sender_id, 10, [1, 1, 1]) == 0


def test_a_bucket_fills_at_its_rate(sender_id: int):
    began = time.monotonic()
    rate.peek([(sender_id, 50)])
    time.sleep(0.3)

    (bucket,) = rate.peek([(sender_id, 50)])

    elapsed = time.monotonic() - began
    assert 0.3 * 50 - 1 <= bucket.tokens <= elapsed * 50 + 1
    assert bucket.rate_per_s == 50


def test_a_bucket_holds_nearly_one_second(sender_id: int):
    fill(sender_id, 100)
    time.sleep(0.5)

    taken = take(sender_id, 100, [1] * 200)

    assert taken == 90


def test_segments_are_counted_not_messages(sender_id: int):
    fill(sender_id, 10)

    assert take(sender_id, 10, [3, 3, 3, 3]) == 3


def test_a_message_larger_than_the_bucket_goes_when_it_is_full_and_leaves_a_debt(sender_id: int):
    fill(sender_id, 1)
    began = time.monotonic()

    taken = take(sender_id, 1, [3, 3])

    assert taken == 1
    (bucket,) = rate.peek([(sender_id, 1)])
    assert -2.0 <= bucket.tokens <= -2.0 + time.monotonic() - began


def test_over_time_no_more_goes_than_the_rate_allows(sender_id: int):
    began = time.monotonic()
    rate.peek([(sender_id, 40)])
    filled_from = time.monotonic()
    taken, asked = 0, filled_from
    while asked - began < 1.5:
        asked = time.monotonic()
        taken += take(sender_id, 40, [1] * 40)
        time.sleep(0.01)
    elapsed = time.monotonic() - began

    assert (asked - filled_from) * 40 * 0.9 <= taken <= elapsed * 40 + 1


def test_a_wiped_redis_starts_empty(sender_id: int, redis: Redis):
    fill(sender_id, 30)
    redis.delete(f"rate:{sender_id}")

    assert take(sender_id, 30, [1]) == 0


def test_slowing_down_and_recovering(sender_id: int):
    fill(sender_id, 100)
    began = time.monotonic()

    rate.slow(sender_id=sender_id, rate_per_s=100, share=0.9)
    rate.slow(sender_id=sender_id, rate_per_s=100, share=0.9)

    (slowed,) = rate.peek([(sender_id, 100)])
    slowed_s = time.monotonic() - began
    time.sleep(1.0)
    (later,) = rate.peek([(sender_id, 100)])
    later_s = time.monotonic() - began
    assert 50 <= slowed.rate_per_s <= 50 + 10 * slowed_s
    assert 60 <= later.rate_per_s <= 50 + 10 * later_s


def test_without_redis_nothing_may_be_sent(monkeypatch: pytest.MonkeyPatch, sender_id: int):
    def away(*_: Any, **__: Any) -> None:
        raise RedisAway

    monkeypatch.setattr(rate, "_script", lambda text: away)

    with pytest.raises(LimiterAway):
        take(sender_id, 1, [1])
    with pytest.raises(LimiterAway):
        rate.peek([(sender_id, 1)])


def test_senders_are_served_from_their_own_buckets_at_once():
    full, empty = next(_IDS), next(_IDS)
    fill(full, 5)

    granted = rate.take([rate.Wanted(empty, 5, [1]), rate.Wanted(full, 5, [2, 2, 2])])

    assert granted == [0, 2]
