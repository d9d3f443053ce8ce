"""Which failed messages a person may have tried again. Pure but for a piece of SQL.

Owns the rule (docs/breaker.md): the carrier has said for good that the message did not arrive, its
cause may pass (`carrier_codes.Retry`), and nothing shows that the person got it after all. What is
`unknown` is never among them: nobody has proven that it did not go out.
"""

from typing import Any, Final

from messaging.carrier_codes import Retry, known
from messaging.choices import ChunkState, MessageState, Reason

STATES: Final = (MessageState.UNDELIVERED, MessageState.FAILED, MessageState.REFUSED)

_LATER: Final = [code.code for code in known() if code.retry == Retry.LATER]
# It may have gone out; as `refused` the message stands only once it is proven that it did not.
_PROVEN: Final = [code.code for code in known() if code.retry == Retry.AMBIGUOUS]

# Reasons that a message which may be tried again can have: where kept counts show none, no row
# needs to be read.
REASONS: Final = frozenset(
    code.reason for code in known() if code.retry in (Retry.LATER, Retry.AMBIGUOUS)
)

# Of `messaging_message m`. People who left or were deleted, and those texted from a number that was
# given up, are left out: the gate would refuse them, and how their first text ended would be
# forgotten. So are those in a window that is out;
# asked once for all of them, since the planner would look at every chunk for every message.
IS_RETRYABLE: Final = """
    m.batch_id = %(batch)s
    AND (m.state = ANY(%(taken)s) AND m.carrier_code = ANY(%(later)s)
         OR m.state = %(refused)s AND (m.carrier_code = ANY(%(later)s || %(proven)s)
                                       OR m.carrier_code = '' AND m.reason = %(provider)s))
    AND m.human_click_at IS NULL AND m.replied_at IS NULL AND m.opted_out_at IS NULL
    AND NOT EXISTS (SELECT FROM contacts_optout o
                    WHERE o.account_id = m.account_id AND o.phone = m.phone)
    AND NOT EXISTS (SELECT FROM contacts_contact p
                    WHERE p.id = m.contact_id AND p.deleted_at IS NOT NULL)
    AND NOT EXISTS (SELECT FROM messaging_batch b JOIN accounts_account a ON a.id = b.account_id
                    WHERE b.id = %(batch)s AND (b.texts_removed_at IS NOT NULL
                        OR a.keep_bodies_days > 0
                        AND b.settled_at < now() - make_interval(days => a.keep_bodies_days)))
    AND m.our_number IN (SELECT n.phone FROM messaging_sendernumber n
                         JOIN messaging_batch b ON b.account_id = n.account_id
                         WHERE b.id = %(batch)s AND n.released_at IS NULL)
    AND NOT m.recipient_no <@ (
        SELECT coalesce(range_agg(int4range(c.next_no, c.window_last_no, '[]')), '{}')
        FROM messaging_chunk c
        WHERE c.batch_id = %(batch)s AND c.state = %(leased)s AND c.window_last_no >= c.next_no)
"""


def parameters(batch_id: int) -> dict[str, Any]:
    """What `IS_RETRYABLE` asks for."""
    return {
        "batch": batch_id,
        "taken": [MessageState.UNDELIVERED, MessageState.FAILED],
        "refused": MessageState.REFUSED,
        "later": _LATER,
        "proven": _PROVEN,
        "provider": Reason.PROVIDER,
        "leased": ChunkState.LEASED,
    }
