"""What tests of the send engine share: carriersim as a process, and engine runs in this one."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings as django_settings
from redis import Redis

from accounts.models import Account, User
from carriersim.client import Client
from carriersim.process import running
from common.crypto import encrypt
from contacts.models import Contact
from messaging import rate
from messaging.choices import BatchKind
from messaging.models import Batch, CarrierAccount, Message, SenderNumber
from messaging.sending.claim import claim
from messaging.sending.drain import drain, serve_window
from messaging.sending.leases import Window
from messaging.services import batch_launch
from messaging.services.finish import batches_finish

T = TypeVar("T")

Launch = Callable[..., Batch]
People = Callable[..., list[Contact]]


@pytest.fixture(scope="session")
def _carriersim() -> Iterator[Client]:
    accounts = {django_settings.TWILIO_ACCOUNT_SID: django_settings.TWILIO_AUTH_TOKEN}
    with running(accounts=accounts) as client:
        yield client


@pytest.fixture
def sim(_carriersim: Client) -> Client:
    """carriersim with nothing recorded; it sends no callbacks unless a test says so."""
    _carriersim.reset(settings=True)
    _carriersim.set(callbacks=False)
    return _carriersim


@pytest.fixture(autouse=True)
def _quick(settings: Any) -> None:
    """What waits for minutes in production waits for seconds, and no bucket is left over."""
    settings.CARRIER_REQUEST_TIMEOUT_S = 2.0
    settings.SEND_LEASE_S = 10.0
    settings.SEND_MARGIN_S = 1.0
    with Redis.from_url(settings.REDIS_URL) as redis:
        for key in redis.scan_iter("rate:*"):
            redis.delete(key)


@pytest.fixture
def sender(account: Account, sim: Client) -> SenderNumber:
    """Alice's number at carriersim, fast enough not to be what a test waits for."""
    return make_sender(account, sim, phone="+12025550100")


def make_sender(
    account: Account, sim: Client, *, phone: str, rate_per_s: float = 50_000, **fields: Any
) -> SenderNumber:
    """A number of `account` at carriersim."""
    carrier, _ = CarrierAccount.objects.get_or_create(
        external_id=django_settings.TWILIO_ACCOUNT_SID,
        defaults={
            "name": "carriersim",
            "secret_encrypted": encrypt(django_settings.TWILIO_AUTH_TOKEN),
            "api_base_url": sim.base_url,
            "list_delay_s": 0.0,
            "is_simulated": True,
        },
    )
    return SenderNumber.objects.create(
        account=account, carrier_account=carrier, phone=phone, rate_per_s=rate_per_s, **fields
    )


@pytest.fixture
def alice(db: None) -> User:
    """Owner of `account`, with a confirmed address."""
    user = User.objects.create_user("alice@example.com", name="Alice Adams")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@pytest.fixture
def people(account: Account) -> People:
    """`people(5)`: contacts in order; `people(phones=[...])`: with these numbers."""

    def make(count: int = 0, *, phones: Sequence[str] = (), **fields: Any) -> list[Contact]:
        start = Contact.objects.count()
        numbers = list(phones) or [f"+1415{2_000_000 + start + i}" for i in range(count)]
        owner = fields.pop("account", account)
        return Contact.objects.bulk_create(
            Contact(account=owner, phone=phone, **{"first_name": f"Ann{i}", **fields})
            for i, phone in enumerate(numbers)
        )

    return make


@pytest.fixture
def launch(account: Account, alice: User, sender: SenderNumber) -> Launch:
    """`launch(body=...)`: a blast to all of the account's contacts."""

    def make(**fields: Any) -> Batch:
        owner = fields.get("account", account)
        return batch_launch(
            **{
                "account": owner,
                "actor": alice,
                "kind": BatchKind.BLAST,
                "name": "Flowers",
                "body": "Fresh tulips today",
                "sender": sender,
                "audience": Contact.objects.filter(account=owner),
                "request_key": "k1",
                **fields,
            }
        )

    return make


def claim_soon() -> Window:
    """Claim a window; a sender's first bucket needs a moment to fill."""
    return _soon(claim)


def serve_soon() -> int:
    """Claim and send one window, as soon as there is one; returns how many requests were made."""
    return _soon(serve_window)


def _soon(act: Callable[[], T | None]) -> T:
    end = time.monotonic() + 20
    while (answer := act()) is None:
        assert time.monotonic() < end, "there was nothing to claim"
        time.sleep(0.01)
    return answer


def send_all(*, timeout_s: float = 20.0) -> None:
    """Run the engine here until nothing is ready, and finish what can be finished."""
    end = time.monotonic() + timeout_s
    while drain(shift_s=timeout_s) and time.monotonic() < end:
        pass
    batches_finish()


def states(batch: Batch) -> dict[tuple[str, str], int]:
    """How many messages stand where: (state, reason) to count, recounted from rows."""
    counts: dict[tuple[str, str], int] = {}
    for key in Message.objects.filter(batch=batch).values_list("state", "reason"):
        counts[key] = counts.get(key, 0) + 1
    return counts


def tallies(batch: Batch) -> dict[tuple[str, str], int]:
    """The kept counts in the same form, without the empty ones."""
    return {(row.state, row.reason): row.messages for row in batch.tallies.all() if row.messages}


@pytest.fixture
def capped(account: Account, sender: SenderNumber) -> Account:
    """Alice's people get one blast in seven days.

    Her number's bucket is full, so that a window is never cut short in the middle of a blast.
    """
    rate.peek([(sender.pk, sender.rate_per_s)])
    time.sleep(0.1)
    account.cap_texts, account.cap_days = 1, 7
    account.save(update_fields=["cap_texts", "cap_days"])
    return account
