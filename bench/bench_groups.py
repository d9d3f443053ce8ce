"""`make bench-groups`: counting a smart group, against SQL written by hand for the same question.

Five rules, nested, over BENCH_CONTACTS people (1,000,000) and BENCH_MESSAGES texts (10,000,000).
The baseline is the faster of two ways to write the question by hand. See docs/performance.md.
"""

import os
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.management import call_command
from django.db import connection

from accounts.models import Account, User
from accounts.services import account_create
from bench.figures import Figure, report
from campaigns.models import Blast, Campaign
from common.clock import now
from contacts.membership import rule_count
from contacts.models import Group
from contacts.rules import parse
from messaging.choices import BatchKind
from messaging.models import Batch, CarrierAccount, SenderNumber

CONTACTS: Final = int(os.environ.get("BENCH_CONTACTS", "1000000"))
MESSAGES: Final = int(os.environ.get("BENCH_MESSAGES", "10000000"))
ROUNDS: Final = 5
BLASTS: Final = 10
# Neither side reads these two, and filling ten million rows with them takes minutes more.
_UNREAD: Final = ("message_log", "message_by_phone")
# Made after the rows, which is twice as fast.
_UNIQUE: Final = "message_recipient_unique"

_EXISTS: Final = """
    SELECT count(*) FROM contacts_contact c
    WHERE c.account_id = %(account)s AND c.deleted_at IS NULL AND c.line_type = 'mobile'
      AND (c.timezone IN ('America/New_York', 'America/Chicago')
           OR EXISTS (SELECT FROM contacts_groupmember g
                      WHERE g.group_id = %(group)s AND g.contact_id = c.id))
      AND EXISTS (SELECT FROM messaging_message m WHERE m.account_id = %(account)s
                  AND m.contact_id = c.id AND m.human_click_at >= %(since)s)
      AND NOT EXISTS (SELECT FROM messaging_message m WHERE m.batch_id = %(batch)s
                      AND m.contact_id = c.id AND m.replied_at IS NOT NULL)
"""
_SETS: Final = """
    SELECT count(*) FROM contacts_contact c
    JOIN (SELECT DISTINCT contact_id FROM messaging_message
          WHERE account_id = %(account)s AND human_click_at >= %(since)s) clicked
      ON clicked.contact_id = c.id
    LEFT JOIN contacts_groupmember g ON g.group_id = %(group)s AND g.contact_id = c.id
    LEFT JOIN (SELECT DISTINCT contact_id FROM messaging_message
               WHERE batch_id = %(batch)s AND replied_at IS NOT NULL) replied
      ON replied.contact_id = c.id
    WHERE c.account_id = %(account)s AND c.deleted_at IS NULL AND c.line_type = 'mobile'
      AND (c.timezone IN ('America/New_York', 'America/Chicago') OR g.id IS NOT NULL)
      AND replied.contact_id IS NULL
"""


def main() -> None:
    """Fill the tables, ask the same three ways, report."""
    call_command("migrate", verbosity=0)
    moment = now()
    start = time.perf_counter()
    account, group, blast = _shop(moment)
    print(f"filled in {time.perf_counter() - start:,.0f} s", flush=True)
    rule = parse(
        {
            "all": [
                {"field": "line_type", "op": "is", "value": "mobile"},
                {"did": "clicked", "days": 30},
                {
                    "any": [
                        {"group": group.pk},
                        {
                            "field": "timezone",
                            "op": "one_of",
                            "value": ["America/New_York", "America/Chicago"],
                        },
                    ]
                },
                {"not": {"did": "replied", "blast": blast.pk}},
            ]
        }
    )
    asked = {
        "account": account.pk,
        "group": group.pk,
        "batch": blast.batch_id,
        "since": moment - timedelta(days=30),
    }
    ways: dict[str, Callable[[], int]] = {
        "smart": lambda: rule_count(account=account, rule=rule, moment=moment),
        "exists": lambda: _asked(_EXISTS, asked),
        "sets": lambda: _asked(_SETS, asked),
    }
    took, count = _rounds(ways)
    by_hand = min(("exists", "sets"), key=lambda name: took[name])
    note = (
        f"by hand ({by_hand}), {count:,} of {CONTACTS:,} people, {MESSAGES:,} texts,"
        f" {ROUNDS} rounds"
    )
    report(
        "groups",
        [Figure("smart_group", took["smart"], "s", took[by_hand], 1.2, "lower", note=note)],
    )


def _rounds(ways: dict[str, Callable[[], int]]) -> tuple[dict[str, float], int]:
    """Median seconds of each way, in turn; all must find the same number of people."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    counts = set()
    for _ in range(ROUNDS + 1):  # the first warms the caches of all of them
        for name, count in ways.items():
            start = time.perf_counter()
            counts.add(count())
            took[name].append(time.perf_counter() - start)
            print(f"{name}: {took[name][-1]:.2f} s", flush=True)
    (count_of_all,) = counts
    return {name: statistics.median(seconds[1:]) for name, seconds in took.items()}, count_of_all


def _asked(text: str, params: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(text, params)
        (count,) = cursor.fetchone()
    return int(count)


def _shop(moment: datetime) -> tuple[Account, Group, Blast]:
    """An account with people, a group of a third of them, and blasts over the last 100 days."""
    owner = User.objects.create_user("bench@example.com")
    account = account_create(name="Bench", owner=owner)
    campaign = Campaign.objects.create(account=account, name="Bench")
    carrier = CarrierAccount.objects.create(
        name="None", external_id="AC1", secret_encrypted=b"", api_base_url="http://127.0.0.1:9"
    )
    sender = SenderNumber.objects.create(
        account=account, carrier_account=carrier, phone="+12025550100"
    )
    group = Group.objects.create(account=account, name="Regulars")
    with connection.cursor() as cursor:
        cursor.execute(_CONTACTS, {"account": account.pk, "count": CONTACTS})
        cursor.execute(_MEMBERS, {"account": account.pk, "group": group.pk})
        cursor.execute(f"ALTER TABLE messaging_message DROP CONSTRAINT {_UNIQUE}")
        for name in _UNREAD:
            cursor.execute(f"DROP INDEX {name}")
    for no in range(BLASTS):
        blast = _blast(account, sender, campaign, no, moment)
        print(f"blast {no + 1} of {BLASTS}", flush=True)
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        unique = f"CONSTRAINT {_UNIQUE} UNIQUE (batch_id, recipient_no)"
        cursor.execute(f"ALTER TABLE messaging_message ADD {unique}")
        cursor.execute("VACUUM ANALYZE contacts_contact, contacts_groupmember, messaging_message")
    return account, group, blast


def _blast(
    account: Account, sender: SenderNumber, campaign: Campaign, no: int, moment: datetime
) -> Blast:
    """A blast to everybody, the tenth of all texts; the last went out ten days ago."""
    launched_at = moment - timedelta(days=10 * (BLASTS - no))
    batch = Batch.objects.create(
        account=account,
        kind=BatchKind.BLAST,
        body="Hello",
        sender=sender,
        size=MESSAGES // BLASTS,
        request_key=f"bench:{no}",
        launched_at=launched_at,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _TEXTS,
            {
                "account": account.pk,
                "batch": batch.pk,
                "at": launched_at,
                "limit": MESSAGES // BLASTS,
                "no": no,
            },
        )
    return Blast.objects.create(account=account, campaign=campaign, name=f"B{no}", batch=batch)


_CONTACTS: Final = """
    INSERT INTO contacts_contact (account_id, phone, first_name, last_name, email, timezone, custom,
        line_type, region, consent, created_at, updated_at)
    SELECT %(account)s, '+1' || (2012000000 + no), 'Ann' || no, 'Lee', '',
        (ARRAY['America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles', ''])
            [1 + no %% 5],
        '{}', CASE WHEN no %% 10 = 0 THEN 'landline' ELSE 'mobile' END, 'US', 'unknown', now(),
        now()
    FROM generate_series(1, %(count)s) AS no
"""
_MEMBERS: Final = """
    INSERT INTO contacts_groupmember (account_id, group_id, contact_id, added_at)
    SELECT account_id, %(group)s, id, now() FROM contacts_contact
    WHERE account_id = %(account)s AND id %% 3 = 0 ORDER BY id
"""
# hashint8 spreads who clicks and replies; a tenth clicks each time, one in fifty replies.
_TEXTS: Final = """
    INSERT INTO messaging_message (account_id, batch_id, recipient_no, contact_id, direction, phone,
        our_number, body, segments, credits, state, rank, reason, carrier_code, attempts,
        created_at, accepted_at, sent_at, final_at, first_click_at, human_click_at,
        clicks, replied_at)
    SELECT %(account)s, %(batch)s, no, id, 'out', phone, '+12025550100',
        'Hello, this is the text of a benchmark, as long as such texts are.', 1, 2,
        CASE WHEN h %% 20 = 0 THEN 'undelivered' ELSE 'delivered' END, 4,
        CASE WHEN h %% 20 = 0 THEN 'unreachable' ELSE '' END, '', 1,
        %(at)s, %(at)s, %(at)s, %(at)s,
        CASE WHEN h %% 10 = 1 THEN %(at)s END, CASE WHEN h %% 10 = 1 THEN %(at)s END,
        (h %% 10 = 1)::int, CASE WHEN h %% 50 = 2 THEN %(at)s END
    FROM (SELECT id, phone, row_number() OVER (ORDER BY id) AS no,
                 abs(hashint8(id * 10 + %(no)s)::bigint) AS h
          FROM (SELECT id, phone FROM contacts_contact WHERE account_id = %(account)s
                ORDER BY id LIMIT %(limit)s) c) p
"""
