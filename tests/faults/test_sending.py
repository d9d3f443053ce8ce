"""What is killed, cut, forgotten or repeated while a blast runs: nobody gets it twice or never.

The quick forms run with every `make test`, the long ones with `make faults`. Judge is carriersim's
record. At the end a table is printed: fault, times, duplicates, missed.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from accounts.models import Account, User
from campaigns.services import blast_create, blast_schedule, campaign_create
from contacts.choices import ConsentSource
from contacts.models import Contact, Group, GroupMember
from contacts.services import consent_revoke
from messaging.choices import Outcome
from messaging.models import Attempt, Batch, Message, SenderNumber
from messaging.services import batch_cancel, batch_pause, batch_resume
from smsplatform.celery import app as celery
from smsplatform.local import ports
from smsplatform.local.redis import EmbeddedRedis
from tests.faults.conftest import (
    HASTY,
    Blast,
    MakeBlast,
    confirm,
    crash_database,
    cut_database_connections,
)
from tests.stack import Stack

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]


Tell = Callable[..., None]


def worker_processes() -> list[psutil.Process]:
    """The processes that send: the children of every Celery worker this test run started."""
    found = []
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if "--hostname" in process.cmdline():
                found += process.children()
    return found


def test_workers_killed_while_they_send(
    make_blast: MakeBlast, hasty_stack: Stack, long_form: bool, tell: Tell
):
    size, kills = (10_000, 200) if long_form else (2_500, 6)
    blast = make_blast(size, rate_per_s=size / (kills * 0.5))
    hasty_stack.start("worker1", settings=HASTY)
    dice = random.Random(7)
    killed = 0

    blast.wait_accepted(50)
    while killed < kills:
        victims = worker_processes()
        if victims:
            with suppress(psutil.NoSuchProcess):
                dice.choice(victims).kill()
                killed += 1
        time.sleep(0.4)
        blast.batch.refresh_from_db()
    blast.wait_settled(timeout_s=400)

    tell("kill -9 of a worker process", killed, blast)
    assert blast.states().keys() <= {"accepted", "sent", "delivered"}
    assert blast.accepted() == size
    blast.assert_exact()


@pytest.fixture
def own_redis(hasty_stack: Stack, tmp_path) -> Iterator[EmbeddedRedis]:
    """A Redis that a test may kill and empty."""
    redis = EmbeddedRedis(tmp_path / "redis", password="secret", port=ports.free())
    redis.start()
    yield redis
    redis.stop()


def forget_everything(redis: EmbeddedRedis) -> None:
    """Stop a Redis, empty it, leave it away for a second and start it again."""
    redis.stop()
    for path in redis.folder.glob("*append*"):
        for part in [path, *path.glob("*")]:
            if part.is_file():
                part.unlink()
    time.sleep(1)
    redis.start()


def test_redis_killed_and_emptied(
    make_blast: MakeBlast,
    hasty_stack: Stack,
    own_redis: EmbeddedRedis,
    long_form: bool,
    tell: Tell,
    tmp_path,
):
    size, times = (10_000, 10) if long_form else (1_500, 2)
    environment = {**HASTY, "REDIS_URL": own_redis.url, "CELERY_BROKER_URL": own_redis.url}
    blast = make_blast(size, rate_per_s=size / (times * 3))
    hasty_stack.kill("beat")
    hasty_stack.start("worker1", "beat", settings=environment)

    for at in range(times):
        blast.wait_accepted(size * (at + 1) // (times + 2))
        forget_everything(own_redis)
    blast.wait_settled(timeout_s=300)

    tell("Redis killed and emptied", times, blast)
    assert blast.accepted() == size
    blast.assert_exact()


def test_database_sessions_cut(
    make_blast: MakeBlast, hasty_stack: Stack, long_form: bool, tell: Tell
):
    size, times = (10_000, 50) if long_form else (2_000, 5)
    blast = make_blast(size, rate_per_s=size / (times * 0.8))
    hasty_stack.start("worker1", settings=HASTY)

    cut = 0
    for at in range(times):
        blast.wait_accepted(size * at // (times + 1))
        cut += cut_database_connections("worker1")
        time.sleep(0.2)
    blast.wait_settled(timeout_s=300)

    tell("database sessions cut", cut, blast)
    assert cut >= times
    assert blast.accepted() == size
    blast.assert_exact()


def test_the_database_and_redis_crash_in_turn(
    make_blast: MakeBlast,
    hasty_stack: Stack,
    own_redis: EmbeddedRedis,
    long_form: bool,
    tell: Tell,
):
    size, times = (10_000, 10) if long_form else (1_500, 2)
    environment = {**HASTY, "REDIS_URL": own_redis.url, "CELERY_BROKER_URL": own_redis.url}
    blast = make_blast(size, rate_per_s=size / (times * 4))
    hasty_stack.kill("beat")
    hasty_stack.start("worker1", "beat", settings=environment)

    for at in range(times):
        blast.wait_accepted(size * (2 * at + 1) // (2 * times + 2))
        crash_database("worker1")
        blast.wait_accepted(size * (2 * at + 2) // (2 * times + 2))
        forget_everything(own_redis)
    blast.wait_settled(timeout_s=300)

    tell("PostgreSQL and Redis crash in turn", 2 * times, blast)
    assert blast.accepted() == size
    blast.assert_exact()


def test_a_carrier_that_fails_in_every_way(
    make_blast: MakeBlast, hasty_stack: Stack, long_form: bool, tell: Tell
):
    size = 10_000 if long_form else 1_500
    hasty_stack.carriersim.set(
        slow_answer_s=3,
        profile={
            "faults": {
                "rate_limited": 0.05,
                "server_error": 0.03,
                "lost_answer": 0.02,
                "slow_answer": 0.01,
            }
        },
    )
    blast = make_blast(size)
    hasty_stack.start("worker1", settings=HASTY)

    blast.wait_settled(timeout_s=400)

    faults = hasty_stack.carriersim.stats()["faults"]
    tell("429, 500, lost and slow answers", sum(faults.values()), blast)
    assert {"rate_limited", "server_error", "lost_cut", "slow"} <= faults.keys()
    assert blast.accepted() == size
    blast.assert_exact()


def test_two_beats_four_workers_and_a_launch_delivered_five_times(
    hasty_stack: Stack,
    account: Account,
    alice: User,
    sender: SenderNumber,
    long_form: bool,
    tell: Tell,
):
    size = 10_000 if long_form else 2_000
    group = Group.objects.create(account=account, name="Everybody")
    people = Contact.objects.bulk_create(
        Contact(account=account, phone=f"+1415{2_000_000 + at}") for at in range(size)
    )
    GroupMember.objects.bulk_create(
        GroupMember(account=account, group=group, contact=contact) for contact in people
    )
    confirm(alice)
    draft = blast_create(
        account=account,
        actor=alice,
        campaign=campaign_create(account=account, actor=alice, name="Spring"),
        body="Fresh tulips today",
        group_ids=[group.pk],
    )
    SenderNumber.objects.update(rate_per_s=size / 4)
    blast_schedule(account=account, actor=alice, blast=draft)
    for _ in range(5):
        celery.send_task("campaigns.launch_due")

    hasty_stack.start("beat2")
    hasty_stack.start("worker1", "worker2", settings=HASTY)  # two processes each
    hasty_stack.wait_until(Batch.objects.exists, what="the launch")
    blast = Blast(hasty_stack, account, Batch.objects.get())
    blast.wait_settled()

    tell("two beats, four workers, launched five times", 5, blast)
    assert Batch.objects.count() == 1
    assert blast.accepted() == size
    blast.assert_exact()


@pytest.mark.parametrize("is_slow", [False, True], ids=["fast", "one a second"])
def test_people_leave_while_the_blast_runs(
    make_blast: MakeBlast,
    hasty_stack: Stack,
    account: Account,
    is_slow: bool,
    long_form: bool,
    tell: Tell,
):
    size, leavers = (10_000, 200) if long_form else (1_000, 40)
    rate_per_s = size / 6
    if is_slow:
        size, leavers, rate_per_s = (100, 50, 1) if long_form else (14, 7, 1)
    # Most answers take a while, so that requests are in flight when people leave.
    hasty_stack.carriersim.set(
        opt_out_block=False, slow_answer_s=0.8, profile={"faults": {"slow_answer": 0.7}}
    )
    blast = make_blast(size, rate_per_s=rate_per_s)
    hasty_stack.start("worker1", settings=HASTY)
    blast.wait_accepted(max(1, size // 20))

    left: dict[str, float] = {}
    phones = Message.objects.filter(batch=blast.batch).values_list("phone", flat=True)
    lasts_s = size / rate_per_s * 0.7
    for phone in random.Random(3).sample(list(phones), leavers):
        consent_revoke(account=account, phone=phone, source=ConsentSource.KEYWORD)
        left[phone] = time.time()
        time.sleep(lasts_s / leavers)
    blast.wait_settled()

    attempts = Attempt.objects.filter(message__phone__in=left, requested_at__isnull=False)
    begun: dict[str, float] = {}
    in_flight = 0
    for attempt in attempts.select_related("message"):
        assert attempt.requested_at is not None
        stopped_at = left[attempt.message.phone]
        begun[attempt.message.phone] = attempt.requested_at.timestamp() - stopped_at
        ended = attempt.answered_at.timestamp() if attempt.answered_at else stopped_at
        in_flight += begun[attempt.message.phone] <= 0 < ended - stopped_at
    late = [after for after in begun.values() if after > 0]
    tell(
        f"texted STOP while the blast ran{', one segment a second' if is_slow else ''}",
        leavers,
        blast,
        f"{in_flight} requests in flight at a STOP, {len(late)} begun within a second of one",
    )
    assert [after for after in late if after > 1] == []
    assert blast.states()["skipped"] == leavers - len(begun)
    blast.assert_exact()


def test_a_worker_frozen_beyond_its_lease(
    make_blast: MakeBlast, hasty_stack: Stack, long_form: bool, tell: Tell
):
    size, times = (10_000, 10) if long_form else (1_000, 1)
    blast = make_blast(size, rate_per_s=size / (times * 3))
    hasty_stack.start("worker1", settings=HASTY)
    hasty_stack.start("worker2", settings=HASTY)

    for at in range(times):
        blast.wait_accepted(size * (at + 1) // (times + 3))
        hasty_stack.freeze("worker1")
        time.sleep(7.5)  # its lease, a request and the list's delay, and more
        hasty_stack.thaw("worker1")
    blast.wait_settled(timeout_s=300)

    tell("a worker frozen beyond its lease", times, blast)
    assert blast.accepted() == size
    # What the frozen worker was answered is stored, however late it came.
    taken = {row["sid"] for row in hasty_stack.carriersim.messages()}
    known = Attempt.objects.filter(message__batch=blast.batch, outcome=Outcome.ACCEPTED)
    assert set(known.values_list("carrier_id", flat=True)) == taken
    blast.assert_exact()


def test_pause_resume_and_cancel_under_load(
    make_blast: MakeBlast, hasty_stack: Stack, alice: User, long_form: bool, tell: Tell
):
    size = 10_000 if long_form else 2_000
    blast = make_blast(size, rate_per_s=size / 4)
    hasty_stack.start("worker1", settings=HASTY)

    blast.wait_accepted(size // 10)
    batch_pause(account=blast.account, actor=alice, batch=blast.batch)
    time.sleep(1.5)
    held = blast.accepted()
    time.sleep(1.0)
    assert blast.accepted() == held < size
    batch_resume(account=blast.account, actor=alice, batch=blast.batch)
    blast.wait_accepted(held + size // 10)
    batch_cancel(account=blast.account, actor=alice, batch=blast.batch)
    blast.wait_settled()

    tell("paused, resumed, canceled", 1, blast)
    states = blast.states()
    assert states["skipped"] == size - blast.accepted()
    assert sum(states.values()) == size
    assert set(
        Message.objects.filter(batch=blast.batch, state="skipped").values_list("reason", flat=True)
    ) == {"canceled"}
    blast.assert_exact()
