from datetime import UTC, datetime, timedelta

from common import clock


def test_now_is_aware_utc() -> None:
    before = datetime.now(UTC)

    seen = clock.now()

    assert seen.utcoffset() == timedelta(0)
    assert before <= seen <= before + timedelta(seconds=5)


def test_boot_clock_only_goes_forward() -> None:
    seen = [clock.boot_s() for _ in range(1000)]

    assert seen == sorted(seen)
    assert seen[-1] > seen[0] > 0
