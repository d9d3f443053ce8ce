"""What is killed, cut, forgotten or repeated while a blast runs: nobody gets it twice or never.

The quick forms run with every `make test`, the long ones with `make faults`. Judge is carriersim's
record. Each prints a line: fault, times, doubled, missed.
"""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import pytest
from django.db import connection

from accounts.models import Account, User
from contacts.choices import ConsentSource
from contacts.models import Contact
from contacts.services import consent_revoke
from messaging.choices import BatchKind
from messaging.models import Attempt, Batch, Message, SenderNumber
from messaging.services import batch_cancel, batch_launch, batch_pause, batch_resume
from smsplatform.local import ports
from smsplatform.local.redis import EmbeddedRedis
from tests.faults.conftest import HASTY, Blast, MakeBlast, cut_database_connections
from tests.stack import Stack

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(600)]


def tell(fault: str, times: int, blast: Blast) -> None:
    doubled, missed = blast.judge()
    print(f"\n{fault:<46}{times:>6} times {doubled:>6} doubled {missed:>6} missed")


def worker_processes() -> list[psutil.Process]:
    """The processes that send: the children of every Celery worker this test run started."""
    found = []
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if "--hostname" in process.cmdline():
                found += process.children()
    return found


def test_workers_killed_while_they_send(make_blast: MakeBlast, hasty_stack: Stack, long_form: bool):
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


def test_redis_killed_and_emptied(
    make_blast: MakeBlast,
    hasty_stack: Stack,
    own_redis: EmbeddedRedis,
    long_form: bool,
    tmp_path,
):
    size, times = (10_000, 10) if long_form else (1_500, 2)
    environment = {**HASTY, "REDIS_URL": own_redis.url, "CELERY_BROKER_URL": own_redis.url}
    blast = make_blast(size, rate_per_s=size / (times * 3))
    hasty_stack.kill("beat")
    hasty_stack.start("worker1", "beat", settings=environment)

    for at in range(times):
        blast.wait_accepted(size * (at + 1) // (times + 2))
        own_redis.stop()
        for path in own_redis.folder.glob("*append*"):
            for part in [path, *path.glob("*")]:
                if part.is_file():
                    part.unlink()
        time.sleep(1)
        own_redis.start()
    blast.wait_settled(timeout_s=300)

    tell("Redis killed and emptied", times, blast)
    assert blast.accepted() == size
    blast.assert_exact()


def test_database_sessions_cut(make_blast: MakeBlast, hasty_stack: Stack, long_form: bool):
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


def test_a_carrier_that_fails_in_every_way(
    make_blast: MakeBlast, hasty_stack: Stack, long_form: bool
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


def test_four_workers_and_a_launch_asked_for_five_times(
    hasty_stack: Stack, make_blast: MakeBlast, alice: User, sender: SenderNumber, long_form: bool
):
    size = 10_000 if long_form else 3_000
    blast = make_blast(size)
    names = ["worker1", "worker2"]

    def again(_: int) -> int:
        try:
            return batch_launch(
                account=blast.account,
                actor=alice,
                kind=BatchKind.BLAST,
                name="Again",
                body="Something else",
                sender=sender,
                audience=Contact.objects.all(),
                request_key=blast.batch.request_key,
            ).pk
        finally:
            connection.close()

    hasty_stack.start(*names, settings=HASTY)  # two processes each
    with ThreadPoolExecutor(5) as pool:
        found = set(pool.map(again, range(5)))
    blast.wait_settled()

    tell("four workers, launched five times", 5, blast)
    assert found == {blast.batch.pk}
    assert Batch.objects.count() == 1
    assert blast.accepted() == size
    blast.assert_exact()


def test_people_leave_while_the_blast_runs(
    make_blast: MakeBlast, hasty_stack: Stack, account: Account, long_form: bool
):
    size, leavers = (10_000, 200) if long_form else (1_000, 30)
    hasty_stack.carriersim.set(opt_out_block=False)
    blast = make_blast(size, rate_per_s=size / 6)
    hasty_stack.start("worker1", settings=HASTY)
    blast.wait_accepted(size // 20)

    left: dict[str, float] = {}
    phones = Message.objects.filter(batch=blast.batch).values_list("phone", flat=True)
    for phone in random.Random(3).sample(list(phones), leavers):
        consent_revoke(account=account, phone=phone, source=ConsentSource.KEYWORD)
        left[phone] = time.time()
        time.sleep(4 / leavers)
    blast.wait_settled()

    begun = {
        phone: at.timestamp()
        for phone, at in Attempt.objects.filter(message__phone__in=left).values_list(
            "message__phone", "requested_at"
        )
        if at is not None
    }
    after = {phone: at - left[phone] for phone, at in begun.items() if at > left[phone]}
    tell("texted STOP while the blast ran", leavers, blast)
    print(f"{len(after)} requests were on their way at the moment of a STOP")
    assert [late for late in after.values() if late > 1] == []
    assert blast.states()["skipped"] == leavers - len(begun)
    blast.assert_exact()


def test_a_worker_frozen_beyond_its_lease(
    make_blast: MakeBlast, hasty_stack: Stack, long_form: bool
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
    blast.assert_exact()


def test_pause_resume_and_cancel_under_load(
    make_blast: MakeBlast, hasty_stack: Stack, alice: User, long_form: bool
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
