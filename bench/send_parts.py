"""What `make bench-send` is made of: a shop, workers, the sink, and the clocks."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
from django.conf import settings
from django.db import connection
from redis import Redis

from accounts.choices import AccountStatus
from accounts.models import Account, User
from accounts.services import account_create
from bench import naive
from common.clock import now
from common.crypto import encrypt
from contacts.models import Contact
from messaging.choices import BatchKind
from messaging.content import content_of, link_codes, link_ids
from messaging.gateways.twilio import TwilioGateway
from messaging.models import Batch, BatchTally, CarrierAccount, Chunk, Message, SenderNumber
from messaging.services import batch_launch
from smsplatform.local import ports, processes
from smsplatform.local.places import ROOT

BODY = (
    "Hi {{first_name|there}}, Mother's Day sale: 20% off everything today only! "
    "Shop now https://shop.example.com/sale - reply STOP to end"
)
_NOT_BINDING = 1_000_000.0


@contextmanager
def sink() -> Iterator[str]:
    """The bare server; yields its address."""
    port = ports.free()
    process = subprocess.Popen([sys.executable, "-m", "bench.sink", str(port)], cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(url), "the sink")
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        arrivals(url)
    except OSError:
        return False
    return True


def arrivals(url: str) -> dict[str, dict[int, int]]:
    """Sender to requests by hundredth of a second, since the last call."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        told = json.load(answer)
    return {
        sender.replace("%2B", "+"): {int(slot): n for slot, n in slots.items()}
        for sender, slots in told.items()
    }


def fullest_second(slots: dict[int, int]) -> int:
    """The most requests in any hundred consecutive hundredths."""
    most = 0
    for start in slots:
        most = max(most, sum(slots.get(at, 0) for at in range(start, start + 100)))
    return most


@dataclass
class Worker:
    """A Celery worker with its sending processes."""

    process: subprocess.Popen[bytes]

    def peak_mb(self) -> float:
        """The most memory a sending process has held, in MB."""
        peaks = []
        for child in psutil.Process(self.process.pid).children():
            status = Path(f"/proc/{child.pid}/status").read_text()
            peaks.append(int(status.split("VmHWM:")[1].split()[0]) / 1024)
        return max(peaks)


@contextmanager
def worker(concurrency: int, *, queues: str = "send") -> Iterator[Worker]:
    """A worker on the send queue, or others, ready when the block begins."""
    Redis.from_url(settings.REDIS_URL).flushdb()
    command = [
        *processes.module("celery", "-A", "smsplatform", "worker", "-Q", queues),
        *("--concurrency", str(concurrency), "--loglevel", "ERROR"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    yield from _running(command, "worker")


def _running(command: list[str], name: str) -> Iterator[Worker]:
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        until(lambda: psutil.Process(process.pid).children() or None, name)
        time.sleep(2)
        yield Worker(process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(what: Callable[[], object], name: str, timeout_s: float = 120) -> None:
    """Wait until `what()` is true.

    Raises:
        TimeoutError: naming what was waited for.
    """
    limit = time.monotonic() + timeout_s
    while not what():
        if time.monotonic() > limit:
            raise TimeoutError(name)
        time.sleep(0.02)


def pending(batch: Batch) -> int:
    """Messages of the batch that wait, by the kept counts."""
    rows = BatchTally.objects.filter(batch=batch, state="pending")
    return sum(rows.values_list("messages", flat=True))


def wait_idle() -> None:
    """Wait until no lease is out."""
    until(lambda: not Chunk.objects.filter(state="leased").exists(), "the last lease")


def forget(batch: Batch) -> None:
    """Delete a batch's messages and work, so that the next round starts alike.

    Each deleted message is looked for once more, for those that refer to it: by any index that
    has its id, a million times, if PostgreSQL believes that the table is empty.
    """
    with connection.cursor() as cursor:
        for table in ("messaging_message", "messaging_chunk"):
            cursor.execute(f"ANALYZE {table}")
            cursor.execute(f"DELETE FROM {table} WHERE batch_id = %s", [batch.pk])
            cursor.execute(f"VACUUM {table}")


def bare_insert_s(batch: Batch) -> float:
    """Seconds to insert the batch's rows into a table with the same columns and indexes."""
    columns = ", ".join(
        str(field.column) for field in Message._meta.concrete_fields if field.column != "id"
    )
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_message")
        cursor.execute(
            "CREATE TABLE bench_message (LIKE messaging_message INCLUDING ALL) "
            "WITH (fillfactor = 40)"
        )
        start = time.perf_counter()
        cursor.execute(
            f"INSERT INTO bench_message ({columns}) "
            f"SELECT {columns} FROM messaging_message WHERE batch_id = %s",
            [batch.pk],
        )
        elapsed = time.perf_counter() - start
        cursor.execute("DROP TABLE bench_message")
    return elapsed


def libcurl(url: str, path: Path) -> float:
    """Requests a second of the bare loop."""
    told = subprocess.run(
        processes.module("bench.libcurl", url, str(path), str(settings.SEND_CONCURRENCY)),
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return float(told.stdout)


def _zones_awake() -> list[str]:
    """IANA zones in which it is early afternoon: the law allows texts for hours, on Sundays too."""
    moment = now()
    return sorted(
        zone
        for zone in zoneinfo.available_timezones()
        if "/" in zone and 13 <= moment.astimezone(zoneinfo.ZoneInfo(zone)).hour < 17
    )


@dataclass
class Shop:
    """An account with contacts and a number whose rate does not bind."""

    account: Account
    owner: User
    number: SenderNumber
    send_url: str

    @classmethod
    def open(cls, url: str, *, people: int) -> "Shop":
        """Open a shop that texts through the sink, with everything the gate asks in force."""
        owner = User.objects.create_user(f"{uuid4().hex}@example.com")
        account = account_create(
            name="Bench", owner=owner, status=AccountStatus.ACTIVE, trial_credits=100_000_000
        )
        # Hours are kept, and nobody sleeps, whenever this runs: the gate asks for every recipient.
        account.quiet_start, account.quiet_end = "03:00:00", "03:00:01"
        account.save()
        carrier, _ = CarrierAccount.objects.get_or_create(
            external_id="AC" + "0" * 32,
            defaults={
                "name": "Sink",
                "secret_encrypted": encrypt("secret"),
                "api_base_url": url,
            },
        )
        number = cls._number(account, carrier, _NOT_BINDING)
        zones = _zones_awake()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO contacts_contact (account_id, phone, first_name, last_name, email, "
                "timezone, custom, line_type, region, consent, created_at, updated_at) "
                "SELECT %s, '+1' || (2012000000 + no::bigint * 7919 %% 7000000000), "
                "'Ann' || no, 'Lee', "
                "'', (%s::text[])[1 + no %% %s], '{}', 'mobile', 'US', 'unknown', now(), now() "
                "FROM generate_series(1, %s) AS no",
                [account.pk, zones, len(zones), people],
            )
            cursor.execute("VACUUM ANALYZE contacts_contact")
        gateway = cls._gateway(carrier)
        return cls(account, owner, number, gateway.sending.url)

    @staticmethod
    def _number(account: Account, carrier: CarrierAccount, rate_per_s: float) -> SenderNumber:
        phone = f"+1202{time.monotonic_ns() // 1000 % 10_000_000:07d}"
        return SenderNumber.objects.create(
            account=account, carrier_account=carrier, phone=phone, rate_per_s=rate_per_s
        )

    @staticmethod
    def _gateway(carrier: CarrierAccount) -> TwilioGateway:
        return TwilioGateway(
            account_sid=carrier.external_id,
            auth_token="secret",
            api_base_url=carrier.api_base_url,
            callback_base=f"{settings.EDGE_URL}/webhooks/twilio/{carrier.pk}/status/",
        )

    def sender(self, rate_per_s: float) -> SenderNumber:
        """One more number, with a rate of its own."""
        return self._number(self.account, self.number.carrier_account, rate_per_s)

    def launch(self, size: int, *, sender: SenderNumber | None = None) -> Batch:
        """Launch to the first `size` contacts."""
        everybody = Contact.objects.filter(account=self.account)
        return batch_launch(
            account=self.account,
            actor=None,
            kind=BatchKind.BLAST,
            name="Bench",
            body=BODY,
            sender=sender or self.number,
            audience=everybody.order_by("pk")[:size],
            request_key=uuid4().hex,
        )

    def send(self, size: int) -> float:
        """Messages a second, from the launch to the commit of the last row."""
        batch = self.launch(size)
        start = time.perf_counter()
        until(lambda: not pending(batch), "the end of a blast", 300)
        elapsed = time.perf_counter() - start
        taken = Message.objects.filter(batch=batch, state="accepted").count()
        if taken != size:
            raise RuntimeError(f"{taken} of {size} were taken")
        return size / elapsed

    def time_to_last(self) -> float:
        """Seconds from launching to ten people to the commit of the last row."""
        start = time.perf_counter()
        batch = self.launch(10)
        while pending(batch):
            time.sleep(0.005)
        return time.perf_counter() - start

    def requests(self, size: int) -> Iterator[bytes]:
        """The bytes of the requests that a launch of this size makes."""
        batch = Batch.objects.filter(account=self.account, size=size).latest("id")
        content, gateway = content_of(batch), self._gateway(self.number.carrier_account)
        rows = list(
            Message.objects.filter(batch=batch)
            .order_by("recipient_no")
            .values_list("id", "recipient_no", "phone", "merge")
        )
        (codes,) = link_codes([([no or 0 for _, no, _, _ in rows], link_ids(batch.pk))])
        wires = content.wires([row[3] for row in rows], codes, gateway.encode)
        for (message_id, _, phone, _), wire in zip(rows, wires, strict=True):
            yield gateway.request(
                to=phone,
                our_number=self.number.phone,
                encoded_body=wire,
                ref=f"{message_id}-1",
            )

    def naive(self, size: int) -> float:
        """Messages a second of a task per message, between its first and its last commit."""
        batch = self.launch(size)
        Batch.objects.filter(pk=batch.pk).update(state="paused")
        content = content_of(batch)
        rows = list(
            Message.objects.filter(batch=batch)
            .order_by("recipient_no")
            .values_list("id", "recipient_no", "phone", "merge")
        )
        (codes,) = link_codes([([no or 0 for _, no, _, _ in rows], link_ids(batch.pk))])
        texts = content.texts([row[3] for row in rows], codes)
        for (message_id, _, phone, _), text in zip(rows, texts, strict=True):
            callback = f"{settings.EDGE_URL}/webhooks/twilio/1/status/{message_id}-1"
            naive.send.delay(message_id, phone, self.number.phone, text, callback)
        os.environ["SINK_URL"] = self.number.carrier_account.api_base_url
        command = [
            *processes.module("celery", "-A", "bench.naive", "worker", "-Q", "naive"),
            *("--concurrency", "1", "--loglevel", "ERROR", "--without-gossip"),
            *("--without-mingle", "--without-heartbeat"),
        ]
        own = Message.objects.filter(batch=batch)
        with contextmanager(_running)(command, "naive worker"):
            until(lambda: not own.filter(state="pending").exists(), "the naive way", 300)
        times = [at.timestamp() for at in own.values_list("accepted_at", flat=True) if at]
        return (size - 1) / (max(times) - min(times))
