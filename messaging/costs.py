"""What texts really cost: the carrier's price and its count of segments, told by its list later.

Owns both columns of `Attempt`, `BatchCost`, and the correction of credits to the carrier's count.
Reading the list is `messaging.reconcile`'s. A carrier sets prices hours after a text has gone, so
whatever is still without one is asked about again, at ever longer intervals.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Sum

from accounts.choices import CreditKind
from accounts.models import CreditEntry
from accounts.services import credits_adjust
from messaging.choices import Outcome
from messaging.gateways.base import Listed
from messaging.models import Attempt, Batch, SenderNumber

_AT_ONCE: Final = 2000


def costs_keep(*, batch: Batch, sender: SenderNumber, listed: Mapping[str, Listed]) -> None:
    """Store what the carrier says of a batch's texts from one number, and sum it up.

    Args:
        batch: The batch.
        sender: One of its numbers.
        listed: The carrier's list by its id. What is not in it keeps what is known.

    Side effects: one UPDATE for each two thousand texts of which it says something new.
    """
    rows = Attempt.objects.filter(
        message__batch=batch,
        message__our_number=sender.phone,
        carrier_account=sender.carrier_account,
        carrier_id__isnull=False,
    ).values_list("pk", "carrier_id", "carrier_segments", "cost_micros")
    news: list[tuple[int, int | None, int | None]] = []
    for pk, carrier_id, segments, micros in rows.iterator(chunk_size=5000):
        one = listed.get(carrier_id or "")
        if one is None:
            continue
        # No price, or no count, is no news: it may have been asked for too early.
        said = (one.segments or segments, micros if one.cost_micros is None else one.cost_micros)
        if said != (segments, micros):
            news.append((pk, *said))
    currency = next((one.currency for one in listed.values() if one.cost_micros is not None), "")
    for some in _chunks(news):
        _write(some)
    _sum(batch, sender, currency)


def _chunks(news: list[Any]) -> list[list[Any]]:
    return [news[start : start + _AT_ONCE] for start in range(0, len(news), _AT_ONCE)]


def _write(news: list[tuple[int, int | None, int | None]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE messaging_attempt a
            SET carrier_segments = v.segments, cost_micros = v.micros
            FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS v(id, segments, micros)
            WHERE a.id = v.id
            """,
            [[one[place] for one in news] for place in range(3)],
        )


def _sum(batch: Batch, sender: SenderNumber, currency: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO messaging_batchcost AS c (batch_id, our_number, currency, texts, priced,
                                                  segments, our_segments, micros)
            SELECT %(batch)s, %(number)s, %(currency)s, count(*), count(a.cost_micros),
                   coalesce(sum(a.carrier_segments), 0),
                   coalesce(sum(coalesce(a.segments, m.segments))
                            FILTER (WHERE a.carrier_segments IS NOT NULL), 0),
                   coalesce(sum(a.cost_micros), 0)
            FROM messaging_message m JOIN messaging_attempt a ON a.message_id = m.id
            WHERE m.batch_id = %(batch)s AND m.our_number = %(number)s AND a.outcome = %(accepted)s
            HAVING count(*) > 0
            ON CONFLICT (batch_id, our_number) DO UPDATE SET
                currency = coalesce(nullif(excluded.currency, ''), c.currency),
                texts = excluded.texts, priced = excluded.priced, segments = excluded.segments,
                our_segments = excluded.our_segments, micros = excluded.micros
            """,
            {
                "batch": batch.pk,
                "number": sender.phone,
                "currency": currency,
                "accepted": Outcome.ACCEPTED,
            },
        )


@transaction.atomic
def credits_follow(batch_id: int) -> int:
    """Charge or give back what the carrier's count of a settled batch's segments differs by.

    Returns:
        Credits: more than was charged before, or less (negative); 0 where nothing changed.

    Locks: batch, account.
    """
    batch = (
        Batch.objects.select_for_update(of=("self",), no_key=True)
        .select_related("account")
        .get(pk=batch_id)
    )
    if batch.settled_at is None or not batch.credits_reserved:
        return 0
    differs = _difference(batch)
    credits = differs - batch.credits_adjusted
    if credits < 0:
        # What the platform bore was never paid, so it is not given back.
        entries = CreditEntry.objects.filter(batch_id=batch.pk, kind=CreditKind.ADJUST)
        charged = -(entries.aggregate(moved=Sum("available"))["moved"] or 0)
        credits = min(differs - charged, 0)
    if credits:
        # Under the batch's lock the number of corrections before this one is its name.
        earlier = CreditEntry.objects.filter(batch_id=batch.pk, kind=CreditKind.ADJUST).count()
        credits_adjust(
            account=batch.account,
            batch_id=batch.pk,
            credits=credits,
            key=f"adjust:{batch.pk}:{earlier}",
        )
        batch.credits_adjusted = differs
        batch.save(update_fields=["credits_adjusted"])
    return credits


def _difference(batch: Batch) -> int:
    """Credits that the carrier's segments cost beyond ours, at each text's own price.

    Which is what it was charged for each of its segments: the number may be erased by now.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(sum((t.carriers - t.ours) * (t.credits / t.ours)), 0)
            FROM (
                SELECT a.carrier_segments AS carriers, coalesce(a.segments, m.segments) AS ours,
                       coalesce(a.credits, m.credits) AS credits
                FROM messaging_message m JOIN messaging_attempt a ON a.message_id = m.id
                WHERE m.batch_id = %s AND a.outcome = %s AND a.carrier_segments > 0
            ) t
            WHERE t.credits > 0 AND t.ours > 0
            """,
            [batch.pk, Outcome.ACCEPTED],
        )
        return int(cursor.fetchone()[0])
