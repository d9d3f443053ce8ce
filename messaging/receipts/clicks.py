"""Hits on short links: judged, joined to their messages, counted.

Owns what a hit does to the counts of its link and batch and to the marks of its message. The rules
are `tracking.verdicts`'. A hit waits as `pending`, found by a partial index, so nothing is lost
with a broker. Counts move by the difference between rows before and after, so the same statements
serve hits judged for the first time and hits judged anew.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from messaging.activity import ActivityMoves, activity_move
from messaging.choices import Happened
from messaging.totals import totals_move, totals_moves
from tracking.choices import Verdict
from tracking.verdicts import RULES_VERSION, Hit, Judgement, Why, classify

# More costs longer locks on the links of a blast that everybody is opening.
BATCH = 2000

# Held by whoever judges. Of a burst that two judged at once each would leave out what the other had
# not committed, and its first hits would stay a person's; and a hit that is judged anew is locked
# before its message, while one that turns out to be the first of a burst is locked after it.
_LOCK: Final = 0xC11C5

# Rows looked at to count a burst; a storm on one code must not make each of its hits dearer.
_BURST_ROWS = 200

_PENDING = f"""
    SELECT * FROM tracking_click WHERE verdict = '{Verdict.PENDING.value}'
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_JUDGED_BEFORE = f"""
    SELECT * FROM tracking_click WHERE verdict <> '{Verdict.PENDING.value}' AND id > %s
    ORDER BY id LIMIT %s FOR UPDATE
"""

# What a request showed of each hit, in the order of `tracking.verdicts.Hit`.
_SHOWN_SQL = f"""
WITH due AS ({{due}})
SELECT due.id, due.link_id, due.recipient_no, due.method, due.user_agent, due.browser_headers,
    extract(epoch FROM due.at - m.accepted_at)::float8,
    burst.recipients, burst.same_agent, burst.agents
FROM due
CROSS JOIN LATERAL (
    SELECT count(DISTINCT (near.link_id, near.recipient_no)) AS recipients,
        count(DISTINCT (near.link_id, near.recipient_no))
            FILTER (WHERE near.user_agent = due.user_agent) AS same_agent,
        count(DISTINCT near.user_agent) AS agents
    FROM (
        SELECT link_id, recipient_no, user_agent FROM tracking_click
        WHERE ip_hash = due.ip_hash AND at <= due.at AND at > due.at - interval '1 minute'
        ORDER BY at DESC LIMIT {_BURST_ROWS}) AS near) AS burst
LEFT JOIN tracking_link l ON l.id = due.link_id
LEFT JOIN messaging_message m ON m.batch_id = l.batch_id AND m.recipient_no = due.recipient_no
ORDER BY due.id
"""

# The first hits of a burst were judged before it was one. Those of another agent may be people's.
# Of those that are judged just now what they were before says nothing.
_NEIGHBOURS_SQL = f"""
SELECT DISTINCT near.id, near.link_id, near.recipient_no, near.verdict = '{Verdict.PENDING.value}'
FROM tracking_click c
JOIN tracking_click near ON near.ip_hash = c.ip_hash AND near.user_agent = c.user_agent
    AND near.at <= c.at
    AND near.at > c.at - interval '1 minute'
WHERE c.id = ANY(%(scanners)s) AND (near.id = ANY(%(judged)s)
    OR near.verdict <> '{Verdict.PREVIEW.value}' AND near.verdict <> '{Verdict.SCANNER.value}')
"""

_LOCK_MESSAGES_SQL = """
SELECT count(*) FROM (
    SELECT FROM messaging_message WHERE id = ANY (ARRAY(
        SELECT m.id
        FROM unnest(%(links)s::bigint[], %(numbers)s::integer[]) AS p(link, no)
        JOIN tracking_link l ON l.id = p.link
        JOIN messaging_message m ON m.batch_id = l.batch_id AND m.recipient_no = p.no))
    ORDER BY id FOR NO KEY UPDATE) AS messages
"""

_LOCK_TOTALS_SQL = """
SELECT count(*) FROM (
    SELECT FROM messaging_batchtotals WHERE batch_id = ANY (ARRAY(
        SELECT batch_id FROM tracking_link WHERE id = ANY(%(links)s)))
    ORDER BY batch_id FOR NO KEY UPDATE) AS totals
"""

_LOCK_LINKS_SQL = """
SELECT count(*) FROM (
    SELECT FROM tracking_link WHERE id = ANY(%(links)s) ORDER BY id FOR NO KEY UPDATE) AS links
"""

_COUNT_SQL = f"""
SELECT p.link, p.no, count(*), count(*) FILTER (WHERE c.verdict = '{Verdict.HUMAN.value}')
FROM (SELECT DISTINCT * FROM unnest(%(links)s::bigint[], %(numbers)s::integer[]) AS q(link, no)) p
JOIN tracking_click c ON c.link_id = p.link AND c.recipient_no = p.no
    AND c.verdict <> '{Verdict.PENDING.value}'
GROUP BY 1, 2
"""

_WRITE_SQL = """
UPDATE tracking_click c
SET verdict = j.verdict, reasons = j.reasons::jsonb, rules_version = %(version)s
FROM unnest(%(ids)s::bigint[], %(verdicts)s::text[], %(reasons)s::text[])
    AS j(id, verdict, reasons)
WHERE c.id = j.id
"""

_MARK_SQL = f"""
WITH recipients AS (
    SELECT DISTINCT l.batch_id, p.no
    FROM unnest(%(links)s::bigint[], %(numbers)s::integer[]) AS p(link, no)
    JOIN tracking_link l ON l.id = p.link
), counted AS (
    SELECT m.id, m.batch_id, m.first_click_at AS old_hit, m.human_click_at AS old_click,
        count(c.id) AS hits, min(c.at) AS first_at,
        min(c.at) FILTER (WHERE c.verdict = '{Verdict.HUMAN.value}') AS human_at
    FROM recipients r
    JOIN messaging_message m ON m.batch_id = r.batch_id AND m.recipient_no = r.no
    JOIN tracking_link l ON l.batch_id = r.batch_id
    -- OFFSET 0: by the index of both, not all of a link's hits for each of its recipients.
    LEFT JOIN LATERAL (
        SELECT id, at, verdict FROM tracking_click
        WHERE link_id = l.id AND recipient_no = r.no AND verdict <> '{Verdict.PENDING.value}'
        OFFSET 0
    ) c ON true
    GROUP BY m.id, m.batch_id, m.first_click_at, m.human_click_at
), marked AS (
    UPDATE messaging_message m
    SET first_click_at = n.first_at, human_click_at = n.human_at, clicks = n.hits
    FROM counted n WHERE m.id = n.id
    RETURNING n.batch_id, m.our_number,
        (n.first_at IS NOT NULL)::int - (n.old_hit IS NOT NULL)::int AS hit,
        floor(extract(epoch FROM n.old_click) / 60)::bigint AS old_minute,
        floor(extract(epoch FROM n.human_at) / 60)::bigint AS minute
)
SELECT batch_id, our_number, old_minute, minute, sum(hit)::bigint, count(*)
FROM marked GROUP BY 1, 2, 3, 4
"""

_LINKS_SQL = """
UPDATE tracking_link l
SET clicks_total = l.clicks_total + d.total, clicks_human = l.clicks_human + d.human,
    recipients_clicked = l.recipients_clicked + d.recipients,
    recipients_human = l.recipients_human + d.recipients_human
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS d(link, total, human, recipients, recipients_human)
WHERE l.id = d.link
RETURNING l.batch_id, d.total, d.human
"""


_DOUBTFUL = (Verdict.HUMAN, Verdict.UNSURE)
_OF_A_SCANNER = Judgement(Verdict.SCANNER, (Why.MANY_FROM_ONE_ADDRESS,))


class Judged(NamedTuple):
    """A hit with its verdict."""

    click_id: int
    link_id: int
    recipient_no: int
    judgement: Judgement


@transaction.atomic
def clicks_apply(*, limit: int = BATCH) -> int:
    """Judge up to `limit` pending hits and count them. Returns how many were judged.

    Locks: other judges out; the hits (skipping locked ones), messages by id, totals by batch, links
        by id.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        judged = _judge(cursor, _PENDING, [limit])
        if not judged:
            return 0
        judgements_write(cursor, _with_whole_bursts(cursor, judged))
    return len(judged)


@transaction.atomic
def clicks_rejudge(*, after_id: int = 0, limit: int = BATCH) -> int | None:
    """Judge the next hits that were judged before anew, under the rules of today.

    Args:
        after_id: Hits up to this one are done.
        limit: The most to judge.

    Returns:
        The last hit's id, for the next call; None when there are no more.

    Locks: as `clicks_apply`.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        judged = _judge(cursor, _JUDGED_BEFORE, [after_id, limit])
        if not judged:
            return None
        judgements_write(cursor, _with_whole_bursts(cursor, judged))
    return judged[-1].click_id


def _judge(cursor: CursorWrapper, due: str, params: list[int]) -> list[Judged]:
    cursor.execute(_SHOWN_SQL.format(due=due), params)
    return [
        Judged(click_id, link_id, recipient_no, classify(Hit(*shown)))
        for click_id, link_id, recipient_no, *shown in cursor.fetchall()
    ]


def _with_whole_bursts(cursor: CursorWrapper, judged: Sequence[Judged]) -> list[Judged]:
    """`judged`, and beside it the first hits of each burst that is known for a scanner's now.

    They were taken for a person's, before or just now, since the burst was not one yet.
    """
    scanners = [
        one.click_id for one in judged if Why.MANY_FROM_ONE_ADDRESS in one.judgement.reasons
    ]
    if not scanners:
        return list(judged)
    by_id = {one.click_id: one for one in judged}
    cursor.execute(_NEIGHBOURS_SQL, {"scanners": scanners, "judged": list(by_id)})
    for click_id, link_id, recipient_no, is_pending in cursor.fetchall():
        own = by_id.get(click_id)
        is_own_doubtful = own is not None and own.judgement.verdict in _DOUBTFUL
        # A pending hit that is not ours is still to be judged.
        if is_own_doubtful or (own is None and not is_pending):
            by_id[click_id] = Judged(click_id, link_id, recipient_no, _OF_A_SCANNER)
    return list(by_id.values())


def judgements_write(cursor: CursorWrapper, judged: Sequence[Judged]) -> None:
    """Store verdicts and move every mark and count that depends on them.

    Args:
        cursor: Of a transaction.
        judged: Each hit once; also hits that had another verdict before.

    Locks: messages by id, totals by batch, links by id; then the hits, and activity by key.
    """
    pairs = {
        "links": [one.link_id for one in judged],
        "numbers": [one.recipient_no for one in judged],
    }
    for lock in (_LOCK_MESSAGES_SQL, _LOCK_TOTALS_SQL, _LOCK_LINKS_SQL):
        cursor.execute(lock, pairs)
    before = _counts(cursor, pairs)
    cursor.execute(
        _WRITE_SQL,
        {
            "version": RULES_VERSION,
            "ids": [one.click_id for one in judged],
            "verdicts": [one.judgement.verdict.value for one in judged],
            "reasons": [_json(one.judgement.reasons) for one in judged],
        },
    )
    after = _counts(cursor, pairs)
    moves, activity = totals_moves(), ActivityMoves()
    cursor.execute(_MARK_SQL, pairs)
    for batch_id, our_number, old_minute, minute, hit, people in cursor.fetchall():
        moves[batch_id]["hit"] += hit
        clicked = (minute is not None) - (old_minute is not None)
        moves[batch_id]["clicked"] += clicked * people
        activity.happened(batch_id, our_number, Happened.CLICKED, old_minute, -people)
        activity.happened(batch_id, our_number, Happened.CLICKED, minute, people)
    for batch_id, total, human in _move_links(cursor, before, after):
        if batch_id is not None:
            moves[batch_id]["clicks_total"] += total
            moves[batch_id]["clicks_human"] += human
    totals_move(cursor, moves)
    activity_move(cursor, activity.deltas)


Counts = dict[tuple[int, int], tuple[int, int]]  # (link, recipient) to (hits, of people)


def _counts(cursor: CursorWrapper, pairs: dict[str, list[int]]) -> Counts:
    cursor.execute(_COUNT_SQL, pairs)
    return {(link, no): (hits, human) for link, no, hits, human in cursor.fetchall()}


def _move_links(
    cursor: CursorWrapper, before: Counts, after: Counts
) -> list[tuple[int | None, int, int]]:
    """Move the links' counts by what changed; returns (batch, hits, of people) per link."""
    deltas: dict[int, list[int]] = {}
    for pair in before.keys() | after.keys():
        old_hits, old_human = before.get(pair, (0, 0))
        hits, human = after.get(pair, (0, 0))
        delta = deltas.setdefault(pair[0], [0, 0, 0, 0])
        delta[0] += hits - old_hits
        delta[1] += human - old_human
        delta[2] += (hits > 0) - (old_hits > 0)
        delta[3] += (human > 0) - (old_human > 0)
    rows = sorted(deltas.items())
    cursor.execute(
        _LINKS_SQL,
        [
            [link_id for link_id, _ in rows],
            *([delta[place] for _, delta in rows] for place in range(4)),
        ],
    )
    return cursor.fetchall()


def _json(reasons: Sequence[Why]) -> str:
    return "[" + ", ".join(f'"{reason.value}"' for reason in reasons) + "]"
