"""Moves what has really happened back in time, keeping its order.

Owns the one place that rewrites times. Sends are stretched evenly over minutes; what people did
(clicks, replies, opt-outs) by the fourth power of its distance, so that most of it falls into the
first hours and some of it days later, as with real texts. The mapping is monotonic and the same for
all tables, so a click never comes before its text nor a reply before its delivery.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction

from messaging.activity import activity_rewrite
from messaging.models import Batch

SEND_STRETCH = 20.0
LONGEST_REACTION = timedelta(days=3)

# Seconds since launch -> seconds since the told launch; both grow with time, reactions faster.
_MOVED = """%(told)s + make_interval(secs =>
    greatest(extract(epoch FROM {at} - %(launched)s), 0) * %(send_stretch)s)"""
_REACTED = """%(told)s + make_interval(secs =>
    greatest(extract(epoch FROM {at} - %(launched)s), 0) * %(send_stretch)s
    + pow(greatest(extract(epoch FROM {at} - %(launched)s), 0), 4) * %(reaction_stretch)s)"""


def _assign(columns: str, how: str) -> str:
    moved = (
        f"CASE WHEN {name} IS NOT NULL THEN {how.format(at=name)} END" for name in columns.split()
    )
    return ", ".join(f"{name} = {how}" for name, how in zip(columns.split(), moved, strict=True))


def _statements() -> list[str]:
    ours = "batch_id = %(batch)s"
    answers = "(SELECT id FROM messaging_message WHERE answers_batch_id = %(batch)s)"
    batch_messages = "(SELECT id FROM messaging_message WHERE batch_id = %(batch)s)"
    links = "(SELECT id FROM tracking_link WHERE batch_id = %(batch)s)"
    phones = """(SELECT phone FROM messaging_message
                 WHERE batch_id = %(batch)s AND opted_out_at IS NOT NULL)"""
    since = "AND {at} >= %(launched)s"
    return [
        f"UPDATE messaging_message SET "
        f"{_assign('created_at accepted_at sent_at final_at', _MOVED)}, "
        f"{_assign('first_click_at human_click_at replied_at opted_out_at', _REACTED)} "
        f"WHERE {ours}",
        f"UPDATE messaging_message SET {_assign('created_at', _REACTED)} WHERE id IN {answers}",
        f"UPDATE messaging_attempt SET {_assign('requested_at answered_at', _MOVED)} "
        f"WHERE message_id IN {batch_messages}",
        f"UPDATE messaging_carrierevent SET {_assign('received_at', _MOVED)} "
        f"WHERE message_id IN {batch_messages}",
        f"UPDATE tracking_click SET {_assign('at', _REACTED)} WHERE link_id IN {links}",
        f"UPDATE tracking_link SET created_at = %(told)s WHERE {ours}",
        f"UPDATE contacts_consentevent SET {_assign('at', _REACTED)} "
        f"WHERE account_id = %(account)s AND phone IN {phones} {since.format(at='at')}",
        f"UPDATE contacts_optout SET {_assign('at', _REACTED)} "
        f"WHERE account_id = %(account)s AND phone IN {phones} {since.format(at='at')}",
        f"UPDATE contacts_contact SET {_assign('consent_at', _REACTED)} "
        f"WHERE account_id = %(account)s AND phone IN {phones} {since.format(at='consent_at')}",
        f"UPDATE accounts_creditentry SET {_assign('created_at', _MOVED)} WHERE {ours}",
        "UPDATE campaigns_blast SET created_at = %(told)s - interval '1 day', "
        "updated_at = %(told)s - interval '1 hour', scheduled_at = %(told)s "
        "WHERE batch_id = %(batch)s",
        f"UPDATE messaging_batch SET {_assign('finished_at settled_at', _MOVED)}, "
        "launched_at = %(told)s WHERE id = %(batch)s",
        """UPDATE inbox_conversation c SET last_message_at = m.created_at
           FROM messaging_message m WHERE m.id = c.last_message_id
           AND c.account_id = %(account)s""",
    ]


@transaction.atomic
def batch_backdate(*, batch: Batch, told: datetime) -> None:
    """Move a finished batch, and everything that came of it, to have been launched at `told`.

    Args:
        batch: Done, with no event, click or reply of it outstanding.
        told: When it shall have been launched; at least LONGEST_REACTION ago, or reactions are
            squeezed into what has passed since.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() - %s", [batch.launched_at])
        (elapsed,) = cursor.fetchone()
        room = min(LONGEST_REACTION, (batch.launched_at + elapsed - told) * 0.9)
        seconds = elapsed.total_seconds()
        stretch = max(room.total_seconds() - seconds * SEND_STRETCH, 0) / seconds**4
        values = {
            "batch": batch.pk,
            "account": batch.account_id,
            "told": told,
            "launched": batch.launched_at,
            "send_stretch": SEND_STRETCH,
            "reaction_stretch": stretch,
        }
        for statement in _statements():
            cursor.execute(statement, values)
    activity_rewrite([batch.pk])
