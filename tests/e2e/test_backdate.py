"""History told by the demo: whoever was left out of a blast was so when it went out."""

from datetime import timedelta

import pytest

from accounts.models import Account, User
from common.clock import now
from contacts.models import Contact, OptOut
from messaging.choices import BatchKind, MessageState
from messaging.models import Message, SenderNumber
from messaging.services import batch_cancel, batch_launch
from smsplatform.demo.backdate import SEND_STRETCH, batch_backdate

pytestmark = pytest.mark.django_db


def test_whom_the_launch_or_a_cancel_skipped_is_moved_back_too(
    account: Account, alice: User, sender: SenderNumber
) -> None:
    for phone in ("+12025550170", "+12025550171"):
        Contact.objects.create(account=account, phone=phone)
    OptOut.objects.create(account=account, phone="+12025550171", source="keyword")
    launched = now()
    batch = batch_launch(
        account=account,
        actor=None,
        kind=BatchKind.BLAST,
        name="Roses",
        body="Hi",
        sender=sender,
        audience=Contact.objects.filter(account=account),
        request_key="roses",
    )
    batch_cancel(account=account, actor=alice, batch=batch)
    took = now() - launched
    told = now() - timedelta(days=9)

    batch_backdate(batch=batch, told=told)

    rows = Message.objects.filter(batch=batch).order_by("recipient_no")
    assert [row.state for row in rows] == [MessageState.SKIPPED] * 2
    opted_out = rows.get(reason="opted_out")
    canceled = rows.get(reason="canceled")
    assert (opted_out.created_at, opted_out.final_at) == (told, told)
    assert canceled.created_at == told
    assert canceled.final_at is not None
    assert told <= canceled.final_at <= told + took * SEND_STRETCH
