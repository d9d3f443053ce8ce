"""Proof that kept totals equal a recount of rows.

Owns the recounts behind `manage.py verify_reports`, one query a kept total; each compares in the
database and returns only what differs. Read in one REPEATABLE READ transaction, so that traffic
while it runs is no difference.
"""

from typing import Final, NamedTuple

from django.db import connection, transaction

from messaging.activity import COUNTED_SQL


class Difference(NamedTuple):
    """A kept total that is not what the rows say."""

    table: str
    row: str
    column: str
    kept: int
    counted: int


_TALLY_SQL: Final = """
WITH kept AS (
    SELECT batch_id, state, reason, messages, segments, credits FROM messaging_batchtally
    WHERE %(batch)s::bigint IS NULL OR batch_id = %(batch)s
), counted AS (
    SELECT batch_id, state, reason, count(*) AS messages, sum(segments) AS segments,
        sum(credits) AS credits
    FROM messaging_message
    WHERE batch_id IS NOT NULL AND direction = 'out'
        AND (%(batch)s::bigint IS NULL OR batch_id = %(batch)s)
    GROUP BY 1, 2, 3
)
SELECT 'messaging_batchtally', format('batch %%s %%s %%s', batch_id, state, reason),
    c.name, c.kept, c.counted
FROM kept k FULL JOIN counted n USING (batch_id, state, reason),
LATERAL (VALUES
    ('messages', coalesce(k.messages, 0), coalesce(n.messages, 0)),
    ('segments', coalesce(k.segments, 0), coalesce(n.segments, 0)),
    ('credits', coalesce(k.credits, 0), coalesce(n.credits, 0))
) AS c(name, kept, counted)
WHERE c.kept <> c.counted
ORDER BY 2, 3
"""

_TOTALS_SQL: Final = """
WITH counted AS (
    SELECT batch_id,
        count(*) FILTER (WHERE human_click_at IS NOT NULL) AS clicked,
        count(*) FILTER (WHERE first_click_at IS NOT NULL) AS hit,
        count(*) FILTER (WHERE replied_at IS NOT NULL) AS replied,
        count(*) FILTER (WHERE opted_out_at IS NOT NULL) AS opted_out
    FROM messaging_message
    WHERE batch_id IS NOT NULL AND direction = 'out'
        AND (%(batch)s::bigint IS NULL OR batch_id = %(batch)s)
    GROUP BY 1
), hits AS (
    SELECT l.batch_id, count(*) AS total, count(*) FILTER (WHERE c.verdict = 'human') AS human
    FROM tracking_click c JOIN tracking_link l ON l.id = c.link_id
    WHERE c.verdict <> 'pending' AND l.batch_id IS NOT NULL
        AND (%(batch)s::bigint IS NULL OR l.batch_id = %(batch)s)
    GROUP BY 1
), retried AS (
    SELECT m.batch_id, sum(a.segments) AS segments, sum(a.credits) AS credits
    FROM messaging_attempt a JOIN messaging_message m ON m.id = a.message_id
    WHERE a.retried_at IS NOT NULL AND (%(batch)s::bigint IS NULL OR m.batch_id = %(batch)s)
    GROUP BY 1
), kept AS (
    SELECT * FROM messaging_batchtotals WHERE %(batch)s::bigint IS NULL OR batch_id = %(batch)s
)
SELECT 'messaging_batchtotals', format('batch %%s', batch_id), c.name, c.kept, c.counted
FROM kept k FULL JOIN counted n USING (batch_id) FULL JOIN hits h USING (batch_id)
    FULL JOIN retried r USING (batch_id),
LATERAL (VALUES
    ('clicked', coalesce(k.clicked, 0), coalesce(n.clicked, 0)),
    ('hit', coalesce(k.hit, 0), coalesce(n.hit, 0)),
    ('clicks_total', coalesce(k.clicks_total, 0), coalesce(h.total, 0)),
    ('clicks_human', coalesce(k.clicks_human, 0), coalesce(h.human, 0)),
    ('replied', coalesce(k.replied, 0), coalesce(n.replied, 0)),
    ('opted_out', coalesce(k.opted_out, 0), coalesce(n.opted_out, 0)),
    ('retried_segments', coalesce(k.retried_segments, 0), coalesce(r.segments, 0)),
    ('retried_credits', coalesce(k.retried_credits, 0), coalesce(r.credits, 0))
) AS c(name, kept, counted)
WHERE c.kept <> c.counted
ORDER BY 2, 3
"""

_ACTIVITY_SQL: Final = f"""
WITH kept AS (
    SELECT batch_id, account_id, our_number, what, slot_at, people FROM messaging_batchactivity
    WHERE %(batch)s::bigint IS NULL OR batch_id = %(batch)s
), counted AS ({COUNTED_SQL})
SELECT 'messaging_batchactivity',
    format('batch %%s %%s %%s %%s', batch_id, our_number, what,
        to_char(slot_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')),
    'people', coalesce(k.people, 0), coalesce(n.people, 0)
FROM kept k FULL JOIN counted n USING (batch_id, account_id, our_number, what, slot_at)
WHERE coalesce(k.people, 0) <> coalesce(n.people, 0)
ORDER BY 2
"""

_LINKS_SQL: Final = """
WITH recipients AS (
    SELECT c.link_id, c.recipient_no, count(*) AS total,
        count(*) FILTER (WHERE c.verdict = 'human') AS human
    FROM tracking_click c WHERE c.verdict <> 'pending' GROUP BY 1, 2
), counted AS (
    SELECT link_id, sum(total) AS total, sum(human) AS human, count(*) AS recipients,
        count(*) FILTER (WHERE human > 0) AS recipients_human
    FROM recipients GROUP BY 1
)
SELECT 'tracking_link', format('link %%s', l.id), c.name, c.kept, c.counted
FROM tracking_link l LEFT JOIN counted n ON n.link_id = l.id,
LATERAL (VALUES
    ('clicks_total', l.clicks_total, coalesce(n.total, 0)),
    ('clicks_human', l.clicks_human, coalesce(n.human, 0)),
    ('recipients_clicked', l.recipients_clicked, coalesce(n.recipients, 0)),
    ('recipients_human', l.recipients_human, coalesce(n.recipients_human, 0))
) AS c(name, kept, counted)
WHERE c.kept <> c.counted AND (%(batch)s::bigint IS NULL OR l.batch_id = %(batch)s)
ORDER BY 2, 3
"""

# What a message says of its own hits, held against the hits.
_MARKS_SQL: Final = """
WITH counted AS (
    SELECT l.batch_id, c.recipient_no, count(*) AS hits,
        count(*) FILTER (WHERE c.verdict = 'human') AS human
    FROM tracking_click c JOIN tracking_link l ON l.id = c.link_id
    WHERE c.verdict <> 'pending' AND l.batch_id IS NOT NULL
        AND (%(batch)s::bigint IS NULL OR l.batch_id = %(batch)s)
    GROUP BY 1, 2
), marked AS (
    SELECT id, batch_id, recipient_no, clicks, first_click_at, human_click_at
    FROM messaging_message
    WHERE batch_id IS NOT NULL AND (clicks > 0 OR first_click_at IS NOT NULL)
        AND (%(batch)s::bigint IS NULL OR batch_id = %(batch)s)
)
SELECT 'messaging_message', format('message %%s', m.id), c.name, c.kept, c.counted
FROM marked m FULL JOIN counted n USING (batch_id, recipient_no),
LATERAL (VALUES
    ('clicks', coalesce(m.clicks, 0), coalesce(n.hits, 0)),
    ('first_click_at', (m.first_click_at IS NOT NULL)::int::bigint, (n.hits > 0)::int::bigint),
    ('human_click_at', (m.human_click_at IS NOT NULL)::int::bigint, (n.human > 0)::int::bigint)
) AS c(name, kept, counted)
WHERE c.kept IS DISTINCT FROM c.counted
ORDER BY 2, 3
"""

# What an account may spend and has reserved, held against its ledger.
_CREDITS_SQL: Final = """
SELECT 'accounts_account', format('account %%s', a.id), c.name, c.kept, c.counted
FROM accounts_account a
LEFT JOIN (
    SELECT account_id, sum(available) AS available, sum(held) AS held, sum(owed) AS owed
    FROM accounts_creditentry GROUP BY 1
) e ON e.account_id = a.id,
LATERAL (VALUES
    ('credit_balance', a.credit_balance, coalesce(e.available, 0)),
    ('credit_held', a.credit_held, coalesce(e.held, 0)),
    ('credit_owed', a.credit_owed, coalesce(e.owed, 0))
) AS c(name, kept, counted)
WHERE c.kept <> c.counted AND %(batch)s::bigint IS NULL
ORDER BY 2, 3
"""

# What a batch that is paid for reserved, used and gave back, held against its movements. Once it is
# settled nothing of it is held any more.
_BATCHES_SQL: Final = """
WITH moved AS (
    SELECT batch_id,
        -sum(available) FILTER (WHERE kind = 'reserve') AS reserved,
        -sum(held) FILTER (WHERE kind = 'settle') AS settled,
        sum(available) FILTER (WHERE kind = 'release') AS released,
        -sum(available) FILTER (WHERE kind = 'adjust') AS adjusted,
        sum(held) AS held
    FROM accounts_creditentry
    WHERE batch_id IS NOT NULL AND (%(batch)s::bigint IS NULL OR batch_id = %(batch)s)
    GROUP BY 1
), used AS (
    SELECT batch_id, sum(credits) AS credits FROM messaging_batchtally
    WHERE %(batch)s::bigint IS NULL OR batch_id = %(batch)s
    GROUP BY 1
)
SELECT 'messaging_batch', format('batch %%s', b.id), c.name, c.kept, c.counted
FROM messaging_batch b
LEFT JOIN moved m ON m.batch_id = b.id
LEFT JOIN used u ON u.batch_id = b.id
LEFT JOIN messaging_batchtotals t ON t.batch_id = b.id,
LATERAL (VALUES
    ('credits_reserved', b.credits_reserved, coalesce(m.reserved, 0)),
    ('credits_released', b.credits_released, coalesce(m.released, 0)),
    ('credits_adjusted', b.credits_adjusted, coalesce(m.adjusted, 0)),
    ('credits_used', coalesce(u.credits, 0) + coalesce(t.retried_credits, 0),
        coalesce(m.settled, 0)),
    ('credits_held', 0, CASE WHEN b.settled_at IS NULL THEN 0 ELSE coalesce(m.held, 0) END)
) AS c(name, kept, counted)
WHERE c.kept <> c.counted AND (%(batch)s::bigint IS NULL OR b.id = %(batch)s)
    AND (b.credits_reserved > 0 OR m.batch_id IS NOT NULL)
ORDER BY 2, 3
"""

# What was charged for a batch by the carrier's count, by number, held against what it says in all.
# Of a batch whose carrier was not asked there are no rows.
_COSTS_SQL: Final = """
SELECT 'messaging_batchcost', format('batch %%s', b.id), 'adjusted_credits', c.adjusted,
    b.credits_adjusted
FROM (
    SELECT batch_id, sum(adjusted_credits)::bigint AS adjusted FROM messaging_batchcost
    WHERE %(batch)s::bigint IS NULL OR batch_id = %(batch)s
    GROUP BY 1
) c JOIN messaging_batch b ON b.id = c.batch_id
WHERE c.adjusted <> b.credits_adjusted
ORDER BY 2
"""

# What each movement says was left after it, held against all before it.
_LEFT_SQL: Final = """
SELECT 'accounts_creditentry', format('movement %%s', id), 'balance_after', balance_after, counted
FROM (
    SELECT id, balance_after, sum(available) OVER (PARTITION BY account_id ORDER BY id) AS counted
    FROM accounts_creditentry WHERE %(batch)s::bigint IS NULL
) e
WHERE balance_after <> counted
ORDER BY id
"""

RECOUNTS: Final = (
    _TALLY_SQL,
    _TOTALS_SQL,
    _ACTIVITY_SQL,
    _LINKS_SQL,
    _MARKS_SQL,
    _CREDITS_SQL,
    _BATCHES_SQL,
    _COSTS_SQL,
    _LEFT_SQL,
)


def differences(*, batch_id: int | None = None) -> list[Difference]:
    """Every kept total that is not what a recount says; none is the proof.

    Args:
        batch_id: Only this batch's.
    """
    found: list[Difference] = []
    is_own_transaction = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_own_transaction:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for query in RECOUNTS:
            cursor.execute(query, {"batch": batch_id})
            found += [Difference(*row) for row in cursor.fetchall()]
    return found
