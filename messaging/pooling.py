"""Which of several numbers each person of a batch is texted from.

Owns the rule: the number they know (the last one between them and the account, where it is one of
these), else the number that is through its work soonest. Sending itself goes by chunk, and a chunk
has one number, so recipients are counted off number by number.
"""

from collections.abc import Sequence

from django.db import connection

from common.sql import Sql
from messaging.models import SenderNumber


def pooled(chosen: Sql, *, account_id: int, senders: Sequence[SenderNumber]) -> Sql:
    """People with the number each is texted from, counted off anew: number by number.

    Args:
        chosen: Of `recipients.people`: no, id, phone, timezone, merge, reason.
        account_id: The tenant.
        senders: At least one, the first preferred where all are equal.

    Returns:
        A query of no, id, phone, timezone, merge, reason, our_number; `no` is without gaps, and the
        people of one number follow one another.
    """
    if len(senders) == 1:
        text = f"SELECT p.*, %s::text AS our_number FROM ({chosen.text}) p"
        return Sql(text, [senders[0].phone, *chosen.params])
    numbers = [sender.phone for sender in senders]
    known = _with_known(chosen, account_id, numbers)
    ends = _ends(known, senders)
    return Sql(
        f"""
        SELECT row_number() OVER (ORDER BY place, no) AS no, id, phone, timezone, merge,
               reason, (%s::text[])[place] AS our_number
        FROM (
            SELECT k.*, coalesce(known, 1 + width_bucket(row_number() OVER (
                PARTITION BY known IS NULL ORDER BY reason <> '', no), %s::bigint[])) AS place
            FROM ({known.text}) k
        ) placed
        """,
        [numbers, ends, *known.params],
    )


def _with_known(chosen: Sql, account_id: int, numbers: list[str]) -> Sql:
    """People with the place in `numbers` (from 1) of the number they know, or NULL."""
    return Sql(
        f"""
        SELECT p.*, array_position(%s::text[], (
            SELECT m.our_number FROM messaging_message m
            WHERE m.account_id = %s AND m.phone = p.phone AND m.our_number = ANY(%s)
            ORDER BY m.id DESC LIMIT 1)::text) AS known
        FROM ({chosen.text}) p
        """,
        [numbers, account_id, numbers, *chosen.params],
    )


def _ends(known: Sql, senders: Sequence[SenderNumber]) -> list[int]:
    """Where the next number begins among those who know none, ascending; one fewer than numbers."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT known, count(*) FROM ({known.text}) k WHERE reason = '' GROUP BY 1",
            known.params,
        )
        counts = dict(cursor.fetchall())
        cursor.execute(
            "SELECT sender_id, sum(last_no - next_no + 1) FROM messaging_chunk "
            "WHERE sender_id = ANY(%s) AND state <> 'done' GROUP BY 1",
            [[sender.pk for sender in senders]],
        )
        waiting = dict(cursor.fetchall())
    loads = [
        int(waiting.get(sender.pk, 0)) + counts.get(place, 0)
        for place, sender in enumerate(senders, 1)
    ]
    rates = [sender.rate_per_s for sender in senders]
    ends, end = [], 1
    for share in shares(people=counts.get(None, 0), loads=loads, rates=rates)[:-1]:
        end += share
        ends.append(end)
    return ends


def shares(*, people: int, loads: Sequence[int], rates: Sequence[float]) -> list[int]:
    """Divide people so that all numbers are through as early as possible. Pure.

    Args:
        people: How many are to be divided.
        loads: What waits for each number already.
        rates: Messages a second of each, above 0.

    Returns:
        People for each number, in the same order; they add up to `people`.
    """
    # As if filling vessels of different widths: the level rises until everybody has a place.
    order = sorted(range(len(loads)), key=lambda at: loads[at] / rates[at])
    level, width, left = 0.0, 0.0, float(people)
    for at, nxt in zip(order, [*order[1:], None], strict=True):
        level = loads[at] / rates[at]
        width += rates[at]
        room = width * (loads[nxt] / rates[nxt] - level) if nxt is not None else left
        if room >= left:
            level += left / width
            break
        left -= room
    found = [max(0, int(level * rate - load)) for load, rate in zip(loads, rates, strict=True)]
    rest = people - sum(found)
    for at in order:
        # Rounding down leaves at most one a number.
        found[at] += (extra := min(rest, 1 if rest > 0 else 0))
        rest -= extra
    found[order[0]] += rest
    return found
