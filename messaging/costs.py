"""What texts really cost: the carrier's price and its count of segments, told by its list later.

Owns both columns of `Attempt`, `BatchCost`, and the correction of credits to the carrier's count.
Reading the list is `messaging.reconcile`'s, of one-to-one texts `messaging.single_costs`'. A
carrier sets prices hours after a text has gone, so whatever is still without one is asked about
again, at ever longer intervals.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from accounts.choices import CreditKind
from accounts.models import CreditEntry
from accounts.services import credits_adjust
from common.sql import unguessed
from messaging.choices import Outcome
from messaging.gateways.base import Listed
from messaging.models import Attempt, Batch, BatchCost, SenderNumber

_AT_ONCE: Final = 2000
# What we counted: an attempt that was tried again keeps what its message counted until then.
_SEGMENTS: Final = "coalesce(a.segments, m.segments)"
_CREDITS: Final = "coalesce(a.credits, m.credits)"


def costs_keep(
    *,
    batch_ids: Sequence[int],
    sender: SenderNumber,
    listed: Mapping[str, Listed],
    asked_at: datetime,
) -> None:
    """Store what the carrier says of batches' texts from one number, and sum it up for each.

    Args:
        batch_ids: Batches of one account.
        sender: A number of theirs.
        listed: The carrier's list by its id. What is not in it keeps what is known.
        asked_at: When the carrier was asked.

    Side effects: one UPDATE for each two thousand texts of which it says something new.
    """
    rows = Attempt.objects.filter(
        message__batch__in=batch_ids,
        message__our_number=sender.phone,
        carrier_account=unguessed(sender.carrier_account_id),
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
    _sum(batch_ids, sender, currency, asked_at)


def _chunks(news: list[Any]) -> list[list[Any]]:
    return [news[start : start + _AT_ONCE] for start in range(0, len(news), _AT_ONCE)]


def _write(news: list[tuple[int, int | None, int | None]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH held AS MATERIALIZED (
                SELECT v.*
                FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS v(id, segments, micros)
                CROSS JOIN LATERAL (
                    SELECT FROM messaging_attempt WHERE id = v.id FOR NO KEY UPDATE
                ) a
            )
            UPDATE messaging_attempt a
            SET carrier_segments = v.segments, cost_micros = v.micros
            FROM held v WHERE a.id = v.id
            """,
            [[one[place] for one in sorted(news)] for place in range(3)],
        )


def _sum(batch_ids: Sequence[int], sender: SenderNumber, currency: str, asked_at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO messaging_batchcost AS c (batch_id, our_number, currency, asked_at, texts,
                priced, segments, our_segments, micros, credits, retried_credits)
            SELECT m.batch_id, %(number)s, %(currency)s, %(at)s, count(*), count(a.cost_micros),
                   coalesce(sum(a.carrier_segments), 0),
                   coalesce(sum({_SEGMENTS}) FILTER (WHERE a.carrier_segments IS NOT NULL), 0),
                   coalesce(sum(a.cost_micros), 0),
                   coalesce(sum({_CREDITS}), 0),
                   coalesce(sum({_CREDITS}) FILTER (WHERE a.retried_at IS NOT NULL), 0)
            FROM messaging_message m JOIN messaging_attempt a ON a.message_id = m.id
            WHERE m.batch_id = ANY(%(batches)s) AND m.our_number = %(number)s
              AND a.outcome = %(accepted)s
            GROUP BY m.batch_id
            ON CONFLICT (batch_id, our_number) DO UPDATE SET
                currency = coalesce(nullif(excluded.currency, ''), c.currency),
                asked_at = excluded.asked_at,
                texts = excluded.texts, priced = excluded.priced, segments = excluded.segments,
                our_segments = excluded.our_segments, micros = excluded.micros,
                credits = excluded.credits, retried_credits = excluded.retried_credits
            """,
            {
                "batches": list(batch_ids),
                "number": sender.phone,
                "currency": currency,
                "at": asked_at,
                "accepted": Outcome.ACCEPTED,
            },
        )


@transaction.atomic
def credits_follow(batch_id: int) -> int:
    """Charge or give back what the carrier's count of a settled batch's segments differs by.

    What the platform bore is neither charged later nor given back.

    Returns:
        Credits that were charged, or given back (negative); 0 where nothing moved.

    Locks: batch, account.
    """
    batch = (
        Batch.objects.select_for_update(of=("self",), no_key=True)
        .select_related("account")
        .get(pk=batch_id)
    )
    if batch.settled_at is None or not batch.credits_reserved:
        return 0
    by_number = _differences(batch)
    differs = sum(by_number.values())
    more = differs - batch.credits_adjusted - batch.credits_borne
    if not more:
        return 0
    # Of what is less by now, what the platform bore goes first.
    asked = more if more > 0 else min(differs - batch.credits_adjusted, 0)
    moved = _adjust(batch, asked) if asked else 0
    batch.credits_adjusted += moved
    batch.credits_borne = differs - batch.credits_adjusted
    batch.save(update_fields=["credits_adjusted", "credits_borne"])
    _share(batch, by_number)
    return moved


def _share(batch: Batch, by_number: Mapping[str, int]) -> None:
    """Keep what was charged, or given back, by number; what was borne is in none of it.

    It is taken from the first that cost more. The last has the rest, which may be all that was
    given back before: what the rows say is what the ledger says.
    """
    rows = list(BatchCost.objects.filter(batch=batch).order_by("our_number"))
    left, borne = batch.credits_adjusted, batch.credits_borne
    for row in rows:
        credits_of = by_number.get(row.our_number, 0)
        share = min(max(credits_of, 0), borne)
        borne -= share
        row.adjusted_credits = left if row is rows[-1] else credits_of - share
        left -= row.adjusted_credits
    BatchCost.objects.bulk_update(rows, ["adjusted_credits"])


def _adjust(batch: Batch, credits: int) -> int:
    """Charge `credits`, or give them back; returns what of that the balance could bear."""
    # Under the batch's lock the number of corrections before this one is its name.
    earlier = CreditEntry.objects.filter(batch_id=batch.pk, kind=CreditKind.ADJUST).count()
    entry = credits_adjust(
        account=batch.account,
        batch_id=batch.pk,
        credits=credits,
        key=f"adjust:{batch.pk}:{earlier}",
    )
    return -entry.available


def _differences(batch: Batch) -> dict[str, int]:
    """Credits by which the carrier's segments cost more than ours, by our number.

    At each text's own price, which is what it was charged for each of its segments: the number it
    went to may be erased by now.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT t.our_number, coalesce(sum((t.carriers - t.ours) * (t.credits / t.ours)), 0)
            FROM (
                SELECT m.our_number, a.carrier_segments AS carriers, {_SEGMENTS} AS ours,
                       {_CREDITS} AS credits
                FROM messaging_message m JOIN messaging_attempt a ON a.message_id = m.id
                WHERE m.batch_id = %s AND a.outcome = %s AND a.carrier_segments > 0
            ) t
            WHERE t.credits > 0 AND t.ours > 0
            GROUP BY 1
            """,
            [batch.pk, Outcome.ACCEPTED],
        )
        return {number: int(credits) for number, credits in cursor.fetchall()}
