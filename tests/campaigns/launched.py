"""Launched blasts whose messages ended as a test says, with kept totals to match."""

from datetime import datetime

from django.db.models import Count, Sum

from accounts.models import Account, User
from campaigns import services
from campaigns.models import Blast
from common.clock import now
from messaging.activity import activity_rewrite
from messaging.choices import BatchState, MessageState
from messaging.models import Batch, BatchTally, BatchTotals, Message


def launched(account: Account, actor: User, draft: Blast) -> Blast:
    """`draft`, scheduled and launched: nothing is with the carrier yet."""
    services.blast_schedule(account=account, actor=actor, blast=draft)
    moment = Blast.objects.get(pk=draft.pk).scheduled_at
    assert services.blast_launch(blast_id=draft.pk, moment=moment)
    return Blast.objects.select_related("batch").get(pk=draft.pk)


def finished(blast: Blast, *, at: datetime | None = None) -> list[Message]:
    """Its five texts ended: two delivered (one clicked, one replied), three failed three ways.

    The messages, in the order of their recipients; the second person had opted out.
    """
    moment = at or now()
    assert blast.batch is not None
    messages = list(Message.objects.filter(batch=blast.batch).order_by("recipient_no"))
    first, skipped, second, landline, filtered, refused = messages
    assert skipped.state == MessageState.SKIPPED
    done = {"segments": 1, "credits": 1, "accepted_at": moment, "final_at": moment}
    delivered = {**done, "state": MessageState.DELIVERED}
    failed = {**done, "state": MessageState.UNDELIVERED}
    _update(first, delivered, human_click_at=moment, first_click_at=moment, clicks=2, body="Hi Ann")
    _update(second, delivered, replied_at=moment, first_click_at=moment, body="=Hi Cleo")
    _update(landline, failed, reason="landline", carrier_code="30006")
    _update(filtered, failed, reason="filtered", carrier_code="30007", opted_out_at=moment)
    _update(refused, {"state": MessageState.REFUSED, "reason": "invalid_number"})
    Batch.objects.filter(pk=blast.batch.pk).update(
        state=BatchState.DONE, launched_at=moment, finished_at=moment
    )
    _recount(blast.batch.pk)
    return messages


def _update(message: Message, common: dict[str, object], **more: object) -> None:
    Message.objects.filter(pk=message.pk).update(**{**common, **more})


def _recount(batch_id: int) -> None:
    rows = Message.objects.filter(batch_id=batch_id)
    BatchTally.objects.filter(batch_id=batch_id).delete()
    counts = rows.values("state", "reason").annotate(
        messages=Count("pk"), all_segments=Sum("segments"), all_credits=Sum("credits")
    )
    for row in counts.order_by():
        BatchTally.objects.create(
            batch_id=batch_id,
            state=row["state"],
            reason=row["reason"],
            messages=row["messages"],
            segments=row["all_segments"],
            credits=row["all_credits"],
        )
    BatchTotals.objects.filter(batch_id=batch_id).update(
        clicked=rows.filter(human_click_at__isnull=False).count(),
        hit=rows.filter(first_click_at__isnull=False).count(),
        clicks_total=3,
        clicks_human=2,
        replied=rows.filter(replied_at__isnull=False).count(),
        opted_out=rows.filter(opted_out_at__isnull=False).count(),
    )
    activity_rewrite([batch_id])
