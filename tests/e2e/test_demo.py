"""The demo account: filled by the real processes, moved back in time, still true to its rows."""

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import call_command

from accounts.models import Account, User
from campaigns.models import Blast, SavedText
from common.clock import now
from contacts.models import Contact, Group
from contacts.services import contact_upsert, group_create
from inbox.models import Conversation
from messaging.models import Batch, Media, Message
from messaging.selectors import batch_figures
from smsplatform.demo import shop
from smsplatform.demo.fill import demo_fill
from tests.stack import Stack

pytestmark = pytest.mark.django_db(transaction=True)

CUSTOMERS = 400
PLAN = shop.HISTORY[1]
# With a picture; as old as the other, so that all that came of it lies before yesterday.
BUNCH = replace(shop.HISTORY[-1], days_ago=PLAN.days_ago)


def _fill() -> Account:
    return demo_fill(
        email="demo@example.com",
        password="not-used-here",
        say=lambda words: None,
        customers=CUSTOMERS,
        history=[PLAN, BUNCH],
    )


def test_demo_is_history_that_can_be_recounted(stack: Stack) -> None:
    account = _fill()

    blast = Blast.objects.get(account=account, name=PLAN.name)
    assert blast.batch is not None
    assert (now() - blast.batch.launched_at).days in (PLAN.days_ago - 1, PLAN.days_ago)
    rows = Message.objects.filter(batch=blast.batch)
    figures = batch_figures([blast.batch.pk])[blast.batch.pk]
    assert rows.count() == CUSTOMERS
    assert rows.filter(human_click_at__isnull=False).count() == figures.clicked > 0
    assert rows.filter(replied_at__isnull=False).count() == figures.replied
    assert rows.filter(opted_out_at__isnull=False).count() == figures.opted_out
    yesterday = now() - timedelta(days=1)
    assert not Message.objects.filter(account=account, created_at__gt=yesterday).exclude(
        batch__kind="reply"
    )
    assert set(rows.values_list("created_by__name", flat=True)) == {shop.OWNER_NAME}
    bunch = Batch.objects.get(blast__name=BUNCH.name)
    (picture,) = Media.objects.all()
    assert (bunch.media_ids, picture.content_type) == ([picture.pk], "image/jpeg")
    carried = Message.objects.filter(batch=bunch).exclude(accepted_at=None)
    assert set(carried.values_list("segments", "credits")) == {(1, 3)}
    assert list(SavedText.objects.values_list("name", "media_ids").order_by("name")) == [
        ("Friday bunch", [picture.pk]),
        ("How to stop", []),
        ("Opening hours", []),
        ("Workshop", []),
    ]
    assert Conversation.objects.filter(account=account).exists()
    assert User.objects.count() == 1 + len(shop.COLLEAGUES)
    call_command("verify_reports", stdout=io.StringIO())

    visitors = contact_upsert(account=account, actor=None, phone="+12025550199", first_name="Vera")
    group = group_create(account=account, actor=None, name="Mine")
    _fill()

    assert Contact.objects.get(pk=visitors.pk).created_at == visitors.created_at
    assert Group.objects.get(pk=group.pk).created_at == group.created_at
    assert not Contact.objects.filter(created_at__gt=yesterday).exclude(pk=visitors.pk).exists()
