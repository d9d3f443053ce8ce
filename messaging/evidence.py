"""What became of unknown messages: looked up in the carrier's own list.

Owns the standard of proof. Accepted is proven by a message in the list that fits (or by a callback,
which `receipts` applies). Not accepted is proven by absence in two looks, each later than the list
may lag and as far apart, with no callback. Everything else stays unknown and is looked up again,
for three days. Only what is proven not accepted is ever sent again.

Three clocks meet here: the worker's wrote when a request was made, the carrier's when it took it,
the database's decides when the list may be believed. A text that nobody's attempt explains, and
that differs from the one in doubt by the hour alone, is no proof that this is the one, and none
that it is not.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.db import connection

from messaging.choices import MessageState, Outcome
from messaging.gateways.base import Answer, Endpoint, Gateway, Listed
from messaging.gateways.transport import Transport
from messaging.models import Attempt
from messaging.segments import count
from messaging.sending.batches import gateway_if_readable
from messaging.settling import Doubt, absent, accept, looked

_AT_ONCE: Final = 500
_PAGES_MOST: Final = 20
_CONCURRENCY: Final = 16
# Carriers that do not answer hold up one worker process, and for little longer than this.
_SHIFT_S: Final = 20.0
_LOCK: Final = 0x10CA7E
# A carrier's clock is not ours, and it tells whole seconds.
_SKEW: Final = timedelta(seconds=30)
# How wrong a clock may be before a text that was taken could be thought absent.
_CLOCKS_APART: Final = timedelta(hours=1)
_FOR_S: Final = 72 * 3600


def unknown_look_up() -> tuple[int, int]:
    """Look up what is due, at the carriers, and act on what is proven. One process at a time.

    Returns:
        How many were found accepted, and how many are proven not accepted.

    Locks: an advisory lock of this session.
    Side effects: requests to carriers, with no transaction open; hints to send.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0, 0
        try:
            return _look_up()
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _look_up() -> tuple[int, int]:
    _forget_resolved()
    doubts = _due()
    if not doubts:
        return 0, 0
    lists = _lists(doubts)
    found = proven = 0
    for key, own in _by_phone(doubts).items():
        listed = lists.get(key)
        if listed is None:
            continue
        matches, unexplained = _match(key[0], own, listed)
        for doubt in own:
            if doubt.attempt_id in matches:
                found += accept(doubt, matches[doubt.attempt_id])
            elif any(_may_be(doubt, one) for one in unexplained):
                looked(doubt)
            else:
                proven += absent(doubt)
    return found, proven


def _forget_resolved() -> None:
    """Close attempts whose message went on without us: a callback told.

    Locks: the attempts, skipping locked ones: the next look finds them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE messaging_attempt SET outcome = %s
            WHERE id = ANY (ARRAY(
                SELECT a.id FROM messaging_attempt a
                JOIN messaging_message m ON m.id = a.message_id AND m.attempts = a.n
                WHERE a.outcome = %s AND m.rank BETWEEN 2 AND 4 AND m.state NOT IN (%s, %s)
                FOR NO KEY UPDATE OF a SKIP LOCKED))
            """,
            [
                Outcome.ACCEPTED,
                Outcome.UNKNOWN,
                MessageState.REFUSED,
                MessageState.SKIPPED,
            ],
        )


def _due() -> list[Doubt]:
    """Doubts whose next look is due, the carrier accounts' in turn, oldest first.

    In turn, because a look that fails is due again: one account whose list cannot be read must not
    stand before all others. Texts are read of the chosen alone: there may be a hundred thousand.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH due AS MATERIALIZED (
                SELECT own.id, own.turn
                FROM messaging_carrieraccount ca
                CROSS JOIN LATERAL (
                    SELECT a.id, row_number() OVER (ORDER BY a.id) AS turn
                    FROM messaging_attempt a
                    JOIN messaging_message m
                        ON m.id = a.message_id AND m.state = %(state)s AND m.attempts = a.n
                    WHERE a.carrier_account_id = ca.id AND a.outcome = %(outcome)s
                      AND a.requested_at > clock_timestamp() - %(for_s)s * interval '1 second'
                      AND coalesce(a.looked_up_at, a.answered_at)
                          < clock_timestamp() - ca.list_delay_s * interval '1 second'
                    ORDER BY a.id LIMIT %(limit)s
                ) own
                ORDER BY own.turn, own.id LIMIT %(limit)s
            )
            SELECT a.id, m.id, a.n, m.batch_id, m.account_id, a.carrier_account_id, m.phone,
                   m.our_number, m.body, m.segments, b.credits_reserved > 0,
                   a.requested_at, a.answered_at, a.looked_up_at, b.prices::text,
                   cardinality(b.media_ids) > 0
            FROM due
            JOIN messaging_attempt a ON a.id = due.id
            JOIN messaging_message m ON m.id = a.message_id
            JOIN messaging_batch b ON b.id = m.batch_id
            ORDER BY due.turn, due.id
            """,
            {
                "state": MessageState.UNKNOWN,
                "outcome": Outcome.UNKNOWN,
                "for_s": _FOR_S,
                "limit": _AT_ONCE,
            },
        )
        return [Doubt(*row) for row in cursor.fetchall()]


_PhoneKey = tuple[int, str]  # carrier account id, phone


def _by_phone(doubts: Iterable[Doubt]) -> dict[_PhoneKey, list[Doubt]]:
    grouped: dict[_PhoneKey, list[Doubt]] = defaultdict(list)
    for doubt in doubts:
        grouped[doubt.carrier_account_id, doubt.phone].append(doubt)
    return grouped


def _lists(doubts: Sequence[Doubt]) -> dict[_PhoneKey, list[Listed]]:
    """What the carriers list per phone since its oldest doubt; no entry where a look failed."""
    gateways = _gateways({doubt.carrier_account_id for doubt in doubts})
    grouped = {key: own for key, own in _by_phone(doubts).items() if key[0] in gateways}
    since = {key: min(doubt.since for doubt in own) - _CLOCKS_APART for key, own in grouped.items()}
    lists: dict[_PhoneKey, list[Listed]] = {key: [] for key in grouped}
    until_s = time.monotonic() + _SHIFT_S
    urls = {key: gateways[key[0]].list_url(to=key[1]) for key in grouped}
    for _ in range(_PAGES_MOST):
        if not urls:
            return lists
        answers = _ask(urls, gateways, until_s)
        following: dict[_PhoneKey, str] = {}
        for key in urls:
            answer = answers.get(key)
            page = gateways[key[0]].list_page(answer) if answer else None
            if page is None:
                del lists[key]
                continue
            lists[key] += page.messages
            is_old = bool(page.messages) and page.messages[-1].created_at < since[key]
            if page.next_url and not is_old:
                following[key] = page.next_url
        urls = following
    for key in urls:
        del lists[key]
    return lists


def _ask(
    urls: Mapping[_PhoneKey, str], gateways: Mapping[int, Gateway], until_s: float
) -> dict[_PhoneKey, Answer]:
    """The answers to these requests; none is begun late, nor at a carrier that left one open."""
    keys = list(urls)
    answers: dict[_PhoneKey, Answer] = {}
    away: set[int] = set()

    def heard(place: int, answer: Answer, *_: float) -> None:
        answers[keys[place]] = answer
        if not answer.status:
            away.add(keys[place][0])

    _transport().run(
        (
            (place, Endpoint("GET", urls[key], gateways[key[0]].reading.headers), b"")
            for place, key in enumerate(keys)
            if key[0] not in away and time.monotonic() < until_s
        ),
        heard,
    )
    return answers


def _gateways(carrier_account_ids: set[int]) -> dict[int, Gateway]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, gateway, external_id, secret_encrypted, api_base_url "
            "FROM messaging_carrieraccount WHERE id = ANY(%s)",
            [sorted(carrier_account_ids)],
        )
        found = {
            row[0]: gateway_if_readable(row[0], row[1], row[2], bytes(row[3]), row[4])
            for row in cursor.fetchall()
        }
    return {key: gateway for key, gateway in found.items() if gateway is not None}


def _match(
    carrier_account_id: int, doubts: Sequence[Doubt], listed: Sequence[Listed]
) -> tuple[dict[int, Listed], list[Listed]]:
    """Attempt id to the listed message it must be: one to one, oldest with oldest.

    Equal words first, and what has no words last: a picture alone takes no other text's proof.

    Returns:
        The pairs, and the listed messages that no attempt explains.
    """
    known = set(
        Attempt.objects.filter(
            carrier_account_id=carrier_account_id,
            carrier_id__in=[one.carrier_id for one in listed],
        ).values_list("carrier_id", flat=True)
    )
    free = sorted(
        (one for one in listed if one.is_outbound and one.carrier_id not in known),
        key=lambda one: one.created_at,
    )
    matches: dict[int, Listed] = {}
    in_turn = sorted(doubts, key=lambda doubt: (not doubt.body, doubt.since))
    for fits in (_is_equal, _fits):
        for doubt in in_turn:
            if doubt.attempt_id in matches:
                continue
            found = next((one for one in free if fits(doubt, one)), None)
            if found is not None:
                matches[doubt.attempt_id] = found
                free.remove(found)
    return matches, free


def _is_equal(doubt: Doubt, one: Listed) -> bool:
    return _fits(doubt, one) and _plain(doubt.body) == _plain(one.body)


def _fits(doubt: Doubt, one: Listed) -> bool:
    return _is_alike(doubt, one, _SKEW)


def _may_be(doubt: Doubt, one: Listed) -> bool:
    return _is_alike(doubt, one, _CLOCKS_APART)


def _is_alike(doubt: Doubt, one: Listed, apart: timedelta) -> bool:
    return (
        doubt.since - apart <= one.created_at <= doubt.until + apart
        and one.our_number in ("", doubt.our_number)
        and (one.media > 0) == doubt.has_media
        and (not one.body or _plain(doubt.body) in _plain(one.body))
    )


def _plain(text: str) -> str:
    """A text as far as carriers leave it alone: they prefix it, and replace look-alikes."""
    for change in count(text).forcing:
        if change.replacement is not None:
            text = text.replace(change.char, change.replacement)
    return " ".join(text.split())


@lru_cache(maxsize=1)
def _transport() -> Transport:
    return Transport(concurrency=_CONCURRENCY, timeout_s=settings.CARRIER_REQUEST_TIMEOUT_S)
