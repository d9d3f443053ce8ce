"""`make bench-edge`: webhooks in, redirects out, events applied, against the least that could do.

Figures and what they are held against are listed in docs/performance.md.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from accounts.models import Account
from bench.edge_loop import whole_loop
from bench.edge_parts import Sent, callbacks
from bench.environment import PORT
from bench.figures import Figure, report
from bench.load import Outcome, closed_loop, open_loop
from bench.serving import serving
from common.crypto import encrypt
from messaging.activity import activity_rewrite
from messaging.choices import BatchKind, BatchState
from messaging.models import (
    Batch,
    BatchTally,
    BatchTotals,
    CarrierAccount,
    CarrierEvent,
    CarrierEventQueue,
    Message,
    SenderNumber,
)
from messaging.receipts.apply import events_apply
from messaging.receipts.statuses import BATCH
from messaging.recounting import differences
from tracking.codes import encode_pairs
from tracking.models import Click, Link

MESSAGES: Final = 100_000
DJANGO_SAMPLE: Final = 8_000
CONNECTIONS: Final = 256
ROUNDS: Final = 3
P99_ROUNDS: Final = 5
WARMING: Final = 5_000
CALM_MS: Final = 20.0
# Events that one commit of the edge stores under such a load.
COMMIT: Final = 100
EDGE: Final = "smsplatform.edge.app:app"


def main() -> None:
    """Measure everything and report."""
    call_command("migrate", verbosity=0)
    sender, link = _shop()
    carrier = sender.carrier_account
    figures: list[Figure] = []
    print("building signed callbacks ...", flush=True)
    first = _blast(sender)
    sent = callbacks(carrier, _sent(first), "sent")
    intake, verify = _intake(sent)
    figures.append(
        Figure("intake", intake.per_s, "requests/s", verify.per_s, 0.8, note="verify only")
    )
    figures.append(_intake_p99(sent))
    figures.append(_vs_django(sent, intake))
    figures += _applying(sender, intake)
    figures.append(_redirect(link))
    figures.append(whole_loop(PORT, EDGE, rounds=1))
    report("edge", figures)


# ---- what there is ------------------------------------------------------------------------------


def _shop() -> tuple[SenderNumber, Link]:
    call_command("flush", interactive=False, verbosity=0)
    account = Account.objects.create(name="Bench")
    carrier = CarrierAccount.objects.create(
        name="Bench",
        external_id=settings.TWILIO_ACCOUNT_SID,
        secret_encrypted=encrypt(settings.TWILIO_AUTH_TOKEN),
        api_base_url=settings.TWILIO_API_BASE_URL,
    )
    sender = SenderNumber.objects.create(
        account=account, carrier_account=carrier, phone="+12025550100"
    )
    link = Link.objects.create(
        account=account, destination="https://shop.example.com/sale", recipients=MESSAGES
    )
    return sender, link


@transaction.atomic
def _blast(sender: SenderNumber) -> int:
    """A blast whose messages the carrier has accepted; returns the first message's id.

    The carrier's ids begin with SMb: those of the sink, which the loop sends through, do not.
    """
    batch = Batch.objects.create(
        account_id=sender.account_id,
        kind=BatchKind.BLAST,
        body="Hi",
        sender=sender,
        state=BatchState.DONE,
        size=MESSAGES,
        request_key=f"bench {time.monotonic_ns()}",
    )
    BatchTally.objects.create(
        batch=batch, state="accepted", messages=MESSAGES, segments=MESSAGES, credits=MESSAGES
    )
    BatchTotals.objects.create(batch=batch)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO messaging_message (account_id, batch_id, recipient_no, direction, phone,"
            " our_number, body, segments, credits, state, rank, reason, carrier_code, attempts,"
            " created_at, accepted_at, clicks)"
            " SELECT %s, %s, no, 'out', '+1415' || lpad(no::text, 7, '0'), %s,"
            " 'Hi there, fresh tulips today. Reply STOP to end', 1, 1, 'accepted', 2, '', '', 1,"
            " now(), now(), 0 FROM generate_series(1, %s) AS no RETURNING id",
            [sender.account_id, batch.pk, sender.phone, MESSAGES],
        )
        ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "INSERT INTO messaging_attempt (message_id, n, carrier_account_id, carrier_id, outcome,"
            " carrier_code) SELECT id, 1, %s, 'SMb' || lpad(id::text, 31, '0'), 'accepted', ''"
            " FROM messaging_message WHERE batch_id = %s",
            [sender.carrier_account_id, batch.pk],
        )
    assert ids == list(range(ids[0], ids[0] + MESSAGES))
    activity_rewrite([batch.pk])
    return ids[0]


def _sent(first: int) -> Iterator[Sent]:
    """What a blast of `_blast` was taken as."""
    for message_id in range(first, first + MESSAGES):
        phone = f"+1415{message_id % 10_000_000:07d}"
        yield Sent(message_id, f"SMb{message_id:031d}", phone, "+12025550100")


def _alternating(
    ours: Callable[[], Outcome], theirs: Callable[[], Outcome], *, expect: int
) -> tuple[Outcome, Outcome]:
    """Ours and theirs in turn, so that both see the same machine; the pair of the median ratio."""
    pairs = []
    for _ in range(ROUNDS):
        pair = (theirs(), ours())
        for one in pair:
            assert (one.answered, one.other) == (expect, 0), one
        print(f"  {pair[1].per_s:,.0f}/s against {pair[0].per_s:,.0f}/s", flush=True)
        pairs.append((pair[1], pair[0]))
    return sorted(pairs, key=lambda pair: pair[0].per_s / pair[1].per_s)[ROUNDS // 2]


def _forget_events() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE messaging_carrierevent, messaging_carriereventqueue")


def _queued() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(cardinality(event_ids)) FROM messaging_carriereventqueue")
        return int(cursor.fetchone()[0])


# ---- the figures --------------------------------------------------------------------------------


def _intake(requests: list[bytes]) -> tuple[Outcome, Outcome]:
    print("intake against verify only", flush=True)

    def load(port: int) -> Outcome:
        return closed_loop(port, requests, connections=CONNECTIONS, expect=204)

    def stored() -> Outcome:
        _forget_events()
        outcome = load(PORT)
        assert CarrierEvent.objects.count() == _queued() == MESSAGES
        print(f"  {MESSAGES / CarrierEventQueue.objects.count():.0f} rows a commit", flush=True)
        return outcome

    with serving("bench.edge_entry:verify_only") as other, serving(EDGE, port=PORT):
        return _alternating(stored, lambda: load(other), expect=MESSAGES)


def _intake_p99(requests: list[bytes]) -> Figure:
    """Latency at 70 % of what verifying alone can do, sent on time whether answered or not.

    What that is is measured anew before each pair: the speed of a shared machine drifts by more
    than the share that is left free here. A pair whose baseline was behind itself is left out,
    unless all were: against it anything looks good.
    """
    print("intake_p99", flush=True)
    rounds = []
    with serving("bench.edge_entry:verify_only") as other, serving(EDGE, port=PORT):
        for port in (other, PORT):  # connections, caches and imports of a first request
            closed_loop(port, requests[:WARMING], connections=CONNECTIONS, expect=204)
        for _ in range(P99_ROUNDS):
            _forget_events()
            _vacuum()
            most = closed_loop(other, requests, connections=CONNECTIONS, expect=204).per_s
            edge, verify = (_p99_ms(port, requests, most * 0.7) for port in (PORT, other))
            rounds.append((edge, verify, most * 0.7))
            print(f"  {edge:.1f} ms against {verify:.1f} ms at {most * 0.7:,.0f}/s", flush=True)
    calm = [one for one in rounds if one[1] < CALM_MS] or rounds
    edge, verify, rate = sorted(calm, key=lambda one: one[0] / one[1])[len(calm) // 2]
    note = f"verify only, both at {rate:,.0f}/s"
    return Figure("intake_p99", edge, "ms", verify, 2.0, "lower", note)


def _p99_ms(port: int, requests: list[bytes], rate: float) -> float:
    outcome = open_loop(port, requests, connections=CONNECTIONS, expect=204, rate=rate)
    assert outcome.other == 0, outcome
    return outcome.p99_ms


def _vs_django(requests: list[bytes], intake: Outcome) -> Figure:
    some = requests[:DJANGO_SAMPLE]
    with serving("bench.edge_entry:django_wsgi", is_wsgi=True, port=PORT):
        usual = closed_loop(PORT, some, connections=32, expect=204)
    assert (usual.answered, usual.other) == (len(some), 0), usual
    print(f"Django: {usual.per_s:,.0f}/s", flush=True)
    return Figure(
        "vs_django",
        intake.per_s,
        "requests/s",
        usual.per_s,
        10.0,
        note=f"Django view, SDK validator, ORM update; {len(some):,} callbacks",
    )


def _applying(sender: SenderNumber, intake: Outcome) -> list[Figure]:
    """Two equal blasts: one moved by events, one by the plain update of the same values."""
    print("apply against plain updates", flush=True)
    pairs = []
    for _ in range(ROUNDS):
        _forget_events()
        first, plain = _blast(sender), _blast(sender)
        _queue_delivered(sender.carrier_account, first)
        _vacuum()
        began = time.perf_counter()
        _plain_updates(plain)
        between = time.perf_counter()
        applied = events_apply()
        ended = time.perf_counter()
        assert applied == MESSAGES
        assert not CarrierEventQueue.objects.exists()
        batch_id = Message.objects.values_list("batch_id", flat=True).get(pk=first)
        assert differences(batch_id=batch_id) == []
        pairs.append((MESSAGES / (ended - between), MESSAGES / (between - began)))
        print(f"  {pairs[-1][0]:,.0f}/s against {pairs[-1][1]:,.0f}/s", flush=True)
    apply_per_s, update_per_s = sorted(pairs, key=lambda pair: pair[0] / pair[1])[ROUNDS // 2]
    return [
        Figure("apply", apply_per_s, "events/s", update_per_s, 0.6, note="plain HOT updates"),
        Figure("apply_vs_intake", apply_per_s, "events/s", intake.per_s, 1.0, note="intake"),
    ]


def _queue_delivered(carrier: CarrierAccount, first: int) -> None:
    """What the edge would have stored for a `delivered` of each message."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH stored AS (INSERT INTO messaging_carrierevent (carrier_account_id, kind,"
            " message_id, attempt_n, carrier_id, account_ref, word, state, code, reason, payload,"
            " received_at, ended, error)"
            " SELECT %s, 'status', id, 1, 'SMb' || lpad(id::text, 31, '0'), %s, 'delivered',"
            " 'delivered', '', '', format('AccountSid=%%s&ApiVersion=2010-04-01"
            "&From=%%%%2B12025550100&To=%%%%2B14155550100&MessageSid=%%s&SmsSid=%%s&MessageStatus=delivered"
            "&SmsStatus=delivered', %s, 'SMb' || lpad(id::text, 31, '0'),"
            " 'SMb' || lpad(id::text, 31, '0')),"
            " now(), '', '' FROM generate_series(%s::bigint, %s::bigint) AS id RETURNING id)"
            " INSERT INTO messaging_carriereventqueue (event_ids, kind)"
            " SELECT array_agg(id), 'status' FROM stored GROUP BY id / %s",
            [
                carrier.pk,
                carrier.external_id,
                carrier.external_id,
                first,
                first + MESSAGES - 1,
                COMMIT,
            ],
        )


def _vacuum() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE messaging_message, messaging_attempt")
        cursor.execute("VACUUM ANALYZE messaging_carrierevent, messaging_carriereventqueue")
        cursor.execute("CHECKPOINT")


def _plain_updates(first: int) -> None:
    """The same column values for the same number of rows, by the same number, and no more."""
    for start in range(first, first + MESSAGES, BATCH):
        ids = list(range(start, start + BATCH))
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE messaging_message m SET state = v.state, rank = v.rank, reason = '',"
                " carrier_code = '', attempts = 1, accepted_at = now(), sent_at = now(),"
                " final_at = now()"
                " FROM unnest(%s::bigint[], %s::text[], %s::smallint[]) AS v(id, state, rank)"
                " WHERE m.id = v.id",
                [ids, ["delivered"] * BATCH, [4] * BATCH],
            )


def _redirect(link: Link) -> Figure:
    requests = [
        f"GET /{code} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nUser-Agent: Mozilla/5.0 (iPhone; CPU "
        "iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1\r\n"
        "Accept: text/html,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.9\r\n\r\n".encode()
        for code in encode_pairs([(link.pk, no) for no in range(1, MESSAGES + 1)])
    ]

    print("redirect against a bare 302", flush=True)

    def load(port: int) -> Outcome:
        return closed_loop(port, requests, connections=CONNECTIONS, expect=302)

    def recorded() -> Outcome:
        """All hits are in PostgreSQL before the clock stops: each before its own 302."""
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE tracking_click")
        outcome = load(PORT)
        assert Click.objects.count() == MESSAGES
        return outcome

    with serving("bench.edge_entry:redirect_only") as other, serving(EDGE, port=PORT):
        edge, bare = _alternating(recorded, lambda: load(other), expect=MESSAGES)
    return Figure(
        "redirect", edge.per_s, "redirects/s", bare.per_s, 0.4, note="bare 302, nothing recorded"
    )
