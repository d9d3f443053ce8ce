"""Which text a reply answers (docs/attribution.md).

The rule: the newest message from the number that was written to, to the phone that wrote, which the
carrier took no longer ago than the account's attribution window (72 hours unless set otherwise).
Automatic answers, questions for an opt-in and codes are no texts one answers.
"""

from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce

from accounts.models import Account
from messaging.choices import BatchKind, ChunkState, Direction, MessageState
from messaging.models import Chunk, Message

# Carriers' lists tell whole seconds, and no two clocks agree.
_SKEW = timedelta(seconds=2)
_UNANSWERABLE = (BatchKind.AUTO, BatchKind.OPTIN, BatchKind.TEST)
# Undelivered too: whoever answers a text has got it, whatever the receipt said.
_GONE_OUT = (
    MessageState.UNKNOWN,
    MessageState.ACCEPTED,
    MessageState.SENT,
    MessageState.DELIVERED,
    MessageState.UNDELIVERED,
)


def message_answered(
    *, account: Account, our_number: str, phone: str, at: datetime
) -> Message | None:
    """The message that a text from `phone` at `at` answers, locked; None where the rule finds none.

    A quick reply may come before the send engine has recorded the window it was in: what is
    pending under a lease counts as gone out.

    Locks: the message.
    """
    being_sent = Chunk.objects.filter(
        batch=OuterRef("batch"),
        state=ChunkState.LEASED,
        first_no__lte=OuterRef("recipient_no"),
        last_no__gte=OuterRef("recipient_no"),
    )
    rows = (
        Message.objects.filter(
            Q(state__in=_GONE_OUT) | Q(Exists(being_sent), state=MessageState.PENDING),
            account=account,
            phone=phone,
            our_number=our_number,
            direction=Direction.OUT,
        )
        .exclude(batch__kind__in=_UNANSWERABLE)
        .annotate(went_out_at=Coalesce("accepted_at", "created_at"))
        .filter(
            went_out_at__gte=at - timedelta(hours=account.attribution_hours),
            created_at__lte=at + _SKEW,
        )
        .order_by(F("went_out_at").desc(), "-id")
    )
    newest = rows.values_list("pk", flat=True).first()
    if newest is None:
        return None
    return Message.objects.select_for_update(no_key=True).get(pk=newest)
