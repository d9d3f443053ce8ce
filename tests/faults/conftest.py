"""A blast under way on real workers, and the carrier's own record as the judge of its outcome."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection, transaction
from django.db.utils import InterfaceError, OperationalError

from accounts.models import Account, CreditEntry, User
from contacts.models import Contact
from messaging.choices import BatchKind
from messaging.evidence import unknown_look_up
from messaging.judge import leases_judge
from messaging.models import Batch, BatchTally, CarrierAccount, Message, SenderNumber
from messaging.services import batch_launch
from messaging.services.finish import batches_finish
from tests.stack import Stack

# What a crash costs is minutes in production and seconds here.
HASTY = {
    "SEND_LEASE_S": "4",
    "SEND_MARGIN_S": "0.5",
    "CARRIER_REQUEST_TIMEOUT_S": "1.5",
    "CARRIER_LIST_DELAY_S": "1",
    "SEND_WINDOW": "100",
}
TAKEN = ("accepted", "sent", "delivered", "undelivered", "failed")


@dataclass
class Blast:
    """One batch on its way, and the questions a judge asks about it."""

    stack: Stack
    account: Account
    batch: Batch

    def accepted(self) -> int:
        """Messages the carrier has taken so far."""
        return int(self.stack.carriersim.summary()["accepted"])

    def wait_accepted(self, least: int) -> None:
        """Wait until the carrier has taken so many."""
        self.stack.wait_until(
            lambda: self.accepted() >= least, timeout_s=180, what=f"{least} messages to be taken"
        )

    def wait_settled(self, *, timeout_s: float = 300) -> None:
        """Wait until nothing is pending or in doubt and the credits are settled.

        The judge's sweeps are also made here, more often than beat makes them.
        """
        self.stack.wait_until(self._is_settled, timeout_s=timeout_s, what="the end of the batch")

    def _is_settled(self) -> bool:
        leases_judge()
        unknown_look_up()
        batches_finish()
        self.batch.refresh_from_db()
        return self.batch.settled_at is not None

    def states(self) -> dict[str, int]:
        """Messages by state, recounted from rows."""
        counts: dict[str, int] = {}
        for state in Message.objects.filter(batch=self.batch).values_list("state", flat=True):
            counts[state] = counts.get(state, 0) + 1
        return counts

    def _kept_and_recounted(self) -> tuple[dict[str, int], dict[str, int]]:
        """Both as of one moment: callbacks may still be coming in."""
        kept: dict[str, int] = {}
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for row in BatchTally.objects.filter(batch=self.batch, messages__gt=0):
                kept[row.state] = kept.get(row.state, 0) + row.messages
            return kept, self.states()

    def judge(self) -> tuple[int, int]:
        """(recipients who got it more than once, recipients who should have it and have not)."""
        got = self.stack.carriersim.recipients()
        asked = set(
            Message.objects.filter(batch=self.batch, state__in=TAKEN).values_list(
                "phone", flat=True
            )
        )
        doubled = sum(1 for times in got.values() if times > 1)
        missed = len(asked - set(got)) + len(set(got) - asked)
        return doubled, missed

    def assert_exact(self) -> None:
        """Everybody once, kept counts equal to rows, credits balanced to the last one."""
        assert self.judge() == (0, 0)
        kept, recounted = self._kept_and_recounted()
        assert kept == recounted
        self.account.refresh_from_db()
        entries = CreditEntry.objects.filter(batch_id=self.batch.pk)
        assert self.account.credit_held == 0
        assert sum(entries.values_list("held", flat=True)) == 0
        taken = Message.objects.filter(batch=self.batch, state__in=TAKEN)
        assert -sum(entries.values_list("available", flat=True)) == sum(
            taken.values_list("credits", flat=True)
        )
        assert self.batch.credits_settled == sum(taken.values_list("segments", flat=True))


MakeBlast = Callable[..., Blast]

_TOLD = pytest.StashKey[list[tuple[str, int, int, int, str]]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`tell(fault, times, blast, note)`: a line of the table that is printed at the end."""
    told = request.config.stash.setdefault(_TOLD, [])

    def _tell(fault: str, times: int, blast: Blast, note: str = "") -> None:
        told.append((fault, times, *blast.judge(), note))

    return _tell


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what was done to running blasts, and what came of it."""
    told = config.stash.get(_TOLD, [])
    if not told:
        return
    terminalreporter.section("faults, judged by the carrier's record")
    terminalreporter.write_line(f"{'fault':<48}{'times':>6}{'duplicates':>12}{'missed':>8}")
    for fault, times, doubled, missed, note in told:
        terminalreporter.write_line(f"{fault:<48}{times:>6}{doubled:>12}{missed:>8}  {note}")


@pytest.fixture
def hasty_stack(stack: Stack, settings: Any) -> Stack:
    """The stack without a worker yet; `start(..., settings=HASTY)` brings one up."""
    for name, value in HASTY.items():
        setattr(settings, name, type(getattr(settings, name))(float(value)))
    stack.kill("sender", "worker")
    stack.carriersim.set(speed=50)
    return stack


def confirm(user: User) -> None:
    """Let `user` have confirmed their address, without which nobody may send."""
    EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )


@pytest.fixture
def make_blast(
    hasty_stack: Stack, account: Account, alice: User, sender: SenderNumber
) -> MakeBlast:
    """`make_blast(1000)`: launched to as many ordinary phones, with nobody to send it yet."""
    confirm(alice)
    CarrierAccount.objects.update(list_delay_s=1.0)

    def make(size: int, *, rate_per_s: float = 1000, body: str = "") -> Blast:
        SenderNumber.objects.filter(pk=sender.pk).update(rate_per_s=rate_per_s)
        Contact.objects.bulk_create(
            Contact(account=account, phone=f"+1415{2_000_000 + at}", first_name=f"Ann{at}")
            for at in range(size)
        )
        batch = batch_launch(
            account=account,
            actor=alice,
            kind=BatchKind.BLAST,
            name="Fault",
            body=body or "Hi {{first_name}}, fresh tulips today",
            sender=sender,
            audience=Contact.objects.filter(account=account),
            request_key=f"fault-{time.monotonic_ns()}",
        )
        return Blast(hasty_stack, account, batch)

    return make


def crash_database(application: str) -> None:
    """Kill a server process of `application` outright.

    PostgreSQL then ends all sessions at once and recovers from its log, exactly as after a stop in
    immediate mode; returns when it answers again. The database of the tests answers before it has
    written (`synchronous_commit = off`), so that whatever is not asked to be safe is lost, too.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name LIKE %s LIMIT 1",
            [application + "%"],
        )
        os.kill(cursor.fetchone()[0], signal.SIGKILL)
    limit = time.monotonic() + 60
    while _answers():
        assert time.monotonic() < limit, "PostgreSQL did not crash"
    while not _answers():
        assert time.monotonic() < limit, "PostgreSQL did not come back"


def _answers() -> bool:
    time.sleep(0.05)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return True
    except (OperationalError, InterfaceError):
        connection.close()
        return False


def cut_database_connections(application: str) -> int:
    """End the database sessions of processes whose name begins so; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name LIKE %s",
            [application + "%"],
        )
        return int(cursor.fetchone()[0])
