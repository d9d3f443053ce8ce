"""What `make bench-reports` is made of: an account with a long history, pages, and the clocks."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.choices import AccountStatus
from accounts.models import Account, User
from accounts.services import account_create
from campaigns.models import Blast, Campaign
from campaigns.services import campaign_create
from common.clock import now
from common.crypto import encrypt
from exports.lists import export_lines
from messaging.activity import activity_rewrite
from messaging.choices import BatchKind, BatchState
from messaging.models import Batch, CarrierAccount, Message, SenderNumber
from tracking.services import links_create

# However many messages there are: twenty blasts, the largest a tenth of all.
BLASTS: Final = 20
_BODY: Final = "Hi {{first_name|there}}, 20% off today only! https://shop.example.com/sale"

# As a blast ends: most delivered within the hours of its sending, some of them do something within
# days, one in nine fails for reasons of its own. Deterministic, so both sizes are made alike.
_FILL: Final = """
INSERT INTO messaging_message (account_id, batch_id, recipient_no, direction, phone, our_number,
    created_by_id, body, segments, credits, state, rank, reason, carrier_code, attempts, created_at,
    accepted_at, sent_at, final_at, first_click_at, human_click_at, clicks, replied_at,
    opted_out_at)
SELECT %(account)s, %(batch)s, no, 'out', '+1415' || lpad((no %% 10000000)::text, 7, '0'),
    %(number)s, %(user)s,
    'Hi there, 20%% off today only! https://go.example.com/' || md5(no::text)
        || CASE WHEN no %% 50000 = 77 THEN ' peonies' ELSE '' END,
    1, 1, state, 4, reason, code, 1, at, took, took, took + interval '3 seconds',
    CASE WHEN hit THEN done END, CASE WHEN clicked THEN done END, hit::int,
    CASE WHEN no %% 97 = 3 THEN done END, CASE WHEN no %% 211 = 5 THEN done END
FROM (
    SELECT no, %(at)s::timestamptz AS at,
        %(at)s::timestamptz + interval '4 hours' * no / %(size)s AS took,
        %(at)s::timestamptz + interval '4 hours' + interval '5 days' * power(no %% 1009 / 1009.0, 3)
            AS done,
        CASE no %% 27 WHEN 0 THEN 'undelivered' WHEN 9 THEN 'failed' WHEN 18 THEN 'refused'
            ELSE 'delivered' END AS state,
        CASE no %% 27 WHEN 0 THEN 'unreachable' WHEN 9 THEN 'filtered' WHEN 18 THEN 'landline'
            ELSE '' END AS reason,
        CASE no %% 27 WHEN 0 THEN '30003' WHEN 9 THEN '30007' WHEN 18 THEN '21614' ELSE '' END
            AS code,
        no %% 7 = 1 AS hit, no %% 14 = 1 AS clicked
    FROM generate_series(%(first)s, %(last)s) AS no
) AS made
"""

_TALLIES: Final = """
INSERT INTO messaging_batchtally (batch_id, state, reason, messages, segments, credits)
SELECT batch_id, state, reason, count(*), sum(segments), sum(credits)
FROM messaging_message WHERE batch_id = ANY(%s) GROUP BY 1, 2, 3
"""

_TOTALS: Final = """
INSERT INTO messaging_batchtotals (batch_id, clicked, hit, clicks_total, clicks_human, replied,
    opted_out, retried_segments, retried_credits)
SELECT batch_id, count(human_click_at), count(first_click_at), count(first_click_at),
    count(human_click_at), count(replied_at), count(opted_out_at), 0, 0
FROM messaging_message WHERE batch_id = ANY(%s) GROUP BY 1
"""


@dataclass
class History:
    """An account that has sent for a while, and somebody of it who looks at reports."""

    account: Account
    user: User
    sender: SenderNumber
    campaign: Campaign
    client: Client
    messages: int = 0
    largest: Blast | None = None

    @classmethod
    def open(cls, name: str) -> "History":
        """A new account without a message."""
        user = User.objects.create_user(f"{name}@example.com", name="Alice Adams")
        account = account_create(
            name=name, owner=user, status=AccountStatus.ACTIVE, trial_credits=1_000_000
        )
        carrier, _ = CarrierAccount.objects.get_or_create(
            external_id=settings.TWILIO_ACCOUNT_SID,
            defaults={
                "name": "Bench",
                "secret_encrypted": encrypt(settings.TWILIO_AUTH_TOKEN),
                "api_base_url": settings.TWILIO_API_BASE_URL,
            },
        )
        sender = SenderNumber.objects.create(
            account=account,
            carrier_account=carrier,
            phone=f"+1202555{SenderNumber.objects.count():04d}",
            is_default=True,
        )
        campaign = campaign_create(account=account, actor=user, name="Spring")
        client = Client()
        client.force_login(user)
        return cls(account, user, sender, campaign, client)

    def fill(self, messages: int, *, limit_s: float = 1e9) -> list[tuple[int, float]]:
        """Make blasts of so many messages together, with every index in place.

        Stops early, with the blasts as they then are, once `limit_s` is over; the largest comes
        first, so that it is whole.

        Returns:
            (messages so far, rows a second) of each slice of up to 500,000 rows.
        """
        sizes = [messages // 10] + [messages * 9 // 10 // (BLASTS - 1)] * (BLASTS - 1)
        sizes[-1] += messages - sum(sizes)
        speeds: list[tuple[int, float]] = []
        end = time.monotonic() + limit_s
        batches: list[int] = []
        for place, size in enumerate(sizes):
            if time.monotonic() > end:
                break
            blast = self._blast(place, size)
            self.largest = self.largest or blast
            batches.append(blast.batch_id or 0)
            for first in range(1, size + 1, 500_000):
                start = time.perf_counter()
                last = min(first + 499_999, size)
                self._insert(blast, first, last, size)
                self.messages += last - first + 1
                speeds.append((self.messages, (last - first + 1) / (time.perf_counter() - start)))
                if time.monotonic() > end:
                    Batch.objects.filter(pk=blast.batch_id or 0).update(size=last)
                    break
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE messaging_message")
            cursor.execute(_TALLIES, [batches])
            cursor.execute(_TOTALS, [batches])
            activity_rewrite(batches)
            cursor.execute("ANALYZE")
        return speeds

    def _blast(self, place: int, size: int) -> Blast:
        at = now() - timedelta(days=8 + place)
        batch = Batch.objects.create(
            account=self.account,
            kind=BatchKind.BLAST,
            name=f"Tulips {place}",
            body=_BODY,
            sender=self.sender,
            created_by=self.user,
            state=BatchState.DONE,
            size=size,
            request_key=f"bench-{place}",
            launched_at=at,
            finished_at=at + timedelta(hours=4),
            settled_at=at + timedelta(hours=5),
        )
        links_create(
            account=self.account,
            batch_id=batch.pk,
            destinations=["https://shop.example.com/sale"],
            label=batch.name,
            recipients=size,
        )
        return Blast.objects.create(
            account=self.account,
            campaign=self.campaign,
            name=batch.name,
            body=_BODY,
            sender=self.sender,
            state="launched",
            batch=batch,
            created_by=self.user,
            sent_by=self.user,
        )

    def _insert(self, blast: Blast, first: int, last: int, size: int) -> None:
        batch = blast.batch
        assert batch is not None
        with connection.cursor() as cursor:
            cursor.execute(
                _FILL,
                {
                    "account": self.account.pk,
                    "batch": batch.pk,
                    "number": self.sender.phone,
                    "user": self.user.pk,
                    "at": batch.launched_at,
                    "first": first,
                    "last": last,
                    "size": size,
                },
            )

    def blast_id(self) -> int:
        """The largest blast."""
        assert self.largest is not None
        return self.largest.pk

    def before(self, rows: int) -> int:
        """The id before which the log goes on after so many rows, or after nearly all it has."""
        skipped = min(rows, self.messages - 50)
        newest = Message.objects.filter(account=self.account).order_by("-pk")
        return newest.values_list("pk", flat=True)[skipped - 1 : skipped].get()

    def seconds(self, url: str, *, rounds: int) -> float:
        """The median time of a page, after three that warm up."""
        times: list[float] = []
        for count in range(rounds + 3):
            start = time.perf_counter()
            response = self.client.get(url)
            b"".join(response)
            if count >= 3:
                times.append(time.perf_counter() - start)
            assert response.status_code == 200, (url, response.status_code)
        return statistics.median(times)

    def queries(self, url: str) -> int:
        """How many statements a page runs."""
        asked: list[str] = []

        def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            asked.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(note):
            b"".join(self.client.get(url))
        return len(asked)


class Counted:
    """A file that only counts lines."""

    lines = 0

    def write(self, block: bytes) -> int:
        """Count and drop."""
        self.lines += block.count(b"\n")
        return len(block)


def export_per_s(history: History, rows: int) -> float:
    """Rows a second of the largest blast's people as CSV, as every export makes it."""
    start = time.perf_counter()
    params = {"blast": str(history.blast_id())}
    lines = 0
    for block in export_lines(account=history.account, kind="people", params=params):
        lines += block.count("\n")
        if lines > rows:
            break
    return (lines - 1) / (time.perf_counter() - start)


_COPY: Final = """
COPY (
    SELECT m.phone, c.first_name, c.last_name, m.direction, m.our_number, b.name, u.name, m.state,
        m.reason, m.carrier_code, m.segments, m.credits, m.created_at, m.accepted_at, m.sent_at,
        m.final_at, m.clicks, m.human_click_at, m.replied_at, m.opted_out_at, m.body
    FROM messaging_message m LEFT JOIN contacts_contact c ON c.id = m.contact_id
    LEFT JOIN messaging_batch b ON b.id = m.batch_id
    LEFT JOIN accounts_user u ON u.id = m.created_by_id
    WHERE m.batch_id = {batch} ORDER BY m.recipient_no LIMIT {rows}
) TO STDOUT WITH (FORMAT csv, HEADER)
"""


def copy_per_s(history: History, rows: int) -> float:
    """Rows a second of COPY TO of the same columns of the same people."""
    assert history.largest is not None
    counted = Counted()
    start = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.cursor.copy_expert(
            _COPY.format(batch=int(history.largest.batch_id or 0), rows=int(rows)), counted
        )
    return (counted.lines - 1) / (time.perf_counter() - start)


def sizes() -> dict[str, tuple[int, int]]:
    """Bytes of the tables that grow with messages: (table, its indexes)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class "
            "WHERE relname IN ('messaging_message', 'messaging_batchactivity')"
        )
        return {name: (table, indexes) for name, table, indexes in cursor.fetchall()}
