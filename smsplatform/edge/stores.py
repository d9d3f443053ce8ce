"""What the edge writes: carrier events with their queue rows, and hits on short links.

Owns the two INSERT statements, prepared once a connection since planning was a sixth of them, and
the throttled hints that follow a commit. The rows' meaning is `messaging.receipts`'; nothing is
applied here.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Final, NamedTuple

from celery import current_app
from kombu.exceptions import OperationalError
from psycopg2.extensions import cursor as Cursor
from redis.exceptions import RedisError

from messaging.choices import EventKind
from messaging.models import CarrierEvent, CarrierEventQueue
from tracking.choices import Verdict
from tracking.models import Click

log = logging.getLogger(__name__)

# Applying is by the batch: more hints a second would only make smaller batches.
HINT_EVERY_S: Final = 0.2


class Said(NamedTuple):
    """What many webhooks of a commit say alike, in the order of the statement's parameters."""

    carrier_account_id: str
    kind: str
    account_ref: str
    word: str = ""
    state: str = ""
    code: str = ""
    reason: str = ""


class EventRow(NamedTuple):
    """A webhook about to be stored; "0" where it names no message.

    Numbers are digits already: they travel as text.
    """

    said: Said
    message_id: str
    attempt_n: str
    carrier_id: str
    payload: str


class ClickRow(NamedTuple):
    """A hit about to be stored, in the order of the INSERT. Numbers are digits already."""

    account_id: str
    link_id: str
    recipient_no: str
    at_ms: str
    browser_headers: str
    method: str
    user_agent: str
    ip_hash_hex: str


# Texts travel as one parameter a column, cut apart by PostgreSQL: adapting a list costs twenty
# times as much. This sign stands in no JSON and is taken out of everything else; NUL, which
# PostgreSQL refuses, out of everything.
_SEPARATOR: Final = "\x1f"
_TEXTS_3: Final = ", ".join(f"string_to_array(${place}, chr(31))" for place in range(6, 9))

# What many rows say alike is sent once, as short columns of its own, and looked up there by place:
# a column of a hundred rows costs more. Rows are stored in the order they came.
_SAID: Final = ", ".join(
    f"coalesce((SELECT string_to_array(${place}, chr(31)))[said], '')" for place in range(7, 13)
)
# The queue rows go with their events in one statement, so neither exists without the other: one
# for all status callbacks, one for each of the others, which are applied one by one, in the order
# they came: a STOP and a START may be of one commit.
PREPARE_EVENTS: Final = f"""
PREPARE store_events (integer[], bigint[], smallint[], text, text, bigint[],
    text, text, text, text, text, text) AS
WITH stored AS (
    INSERT INTO {CarrierEvent._meta.db_table} (
        carrier_account_id, kind, account_ref, word, state, code, reason, message_id, attempt_n,
        carrier_id, payload, received_at, ended, error)
    SELECT $6[said], {_SAID}, NULLIF(message_id, 0), NULLIF(attempt_n, 0),
        coalesce(carrier_id, ''), coalesce(payload, ''), statement_timestamp(), '', ''
    FROM unnest($1, $2, $3, string_to_array($4, chr(31)), string_to_array($5, chr(31)))
        AS r(said, message_id, attempt_n, carrier_id, payload)
    RETURNING id, kind
)
INSERT INTO {CarrierEventQueue._meta.db_table} (event_ids, kind)
SELECT array_agg(id), kind FROM stored
GROUP BY kind, CASE kind WHEN '{EventKind.STATUS.value}' THEN 0 ELSE id END
ORDER BY min(id)
"""

PREPARE_CLICKS: Final = f"""
PREPARE store_clicks (bigint[], bigint[], integer[], bigint[], smallint[], text, text, text) AS
INSERT INTO {Click._meta.db_table} (
    account_id, link_id, recipient_no, at, browser_headers, method, user_agent, ip_hash,
    verdict, reasons, rules_version)
SELECT account_id, link_id, recipient_no, to_timestamp(at_ms / 1000.0), browser_headers <> 0,
    method, coalesce(user_agent, ''), decode(ip_hash, 'hex'), '{Verdict.PENDING.value}', '[]', 0
FROM unnest($1, $2, $3, $4, $5, {_TEXTS_3})
    AS r(account_id, link_id, recipient_no, at_ms, browser_headers, method, user_agent, ip_hash)
"""


def write_events(cursor: Cursor, rows: Sequence[EventRow]) -> None:
    """Store events and queue them, in the order they came. Builds on PREPARE_EVENTS."""
    said, *others = zip(*rows, strict=True)
    places: dict[Said, str] = {}
    column = [places.setdefault(one, str(len(places) + 1)) for one in said]
    parameters = [
        *_columns([column, *others], numbers=3),
        *_columns(list(zip(*places, strict=True)), numbers=1),
    ]
    _execute(cursor, "store_events", parameters)


def write_clicks(cursor: Cursor, rows: Sequence[ClickRow]) -> None:
    """Store hits; the partial index on pending ones is their queue. Builds on PREPARE_CLICKS."""
    _execute(cursor, "store_clicks", _columns(list(zip(*rows, strict=True)), numbers=5))


def _execute(cursor: Cursor, name: str, parameters: Sequence[str]) -> None:
    cursor.execute(f"EXECUTE {name} ({', '.join(['%s'] * len(parameters))})", parameters)


def _columns(columns: Sequence[Sequence[str]], *, numbers: int) -> list[str]:
    """One parameter a column: the first `numbers` as array literals, the others as texts."""
    return [
        *("{" + ",".join(column) + "}" for column in columns[:numbers]),
        *map(_joined, columns[numbers:]),
    ]


def _joined(texts: Sequence[str]) -> str:
    joined = _SEPARATOR.join(texts)
    if joined.count(_SEPARATOR) != len(texts) - 1:
        joined = _SEPARATOR.join([text.replace(_SEPARATOR, " ") for text in texts])
    return joined.replace("\0", "")


class Hinter:
    """Tells Celery that there is work, at most every HINT_EVERY_S, from a thread of its own.

    A broker that is away costs nobody anything: the hint is lost and beat's sweep finds the work.
    """

    def __init__(self, task_name: str) -> None:
        self._task_name = task_name
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"hint {task_name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a hint still wanted is dropped."""
        self._stopping.set()
        self._wanted.set()

    def want(self) -> None:
        """There is work. Never blocks."""
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            if self._stopping.is_set():
                return
            self._wanted.clear()
            try:
                current_app.send_task(self._task_name, retry=False)
            except (OperationalError, RedisError, OSError) as error:
                log.warning(
                    "hint %s lost, the sweep will find the work: %s", self._task_name, error
                )
            self._stopping.wait(HINT_EVERY_S)
