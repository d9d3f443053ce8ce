"""Pictures end to end: from the composer through the carrier's own fetch, and back to the inbox."""

import re

import pytest

from accounts.choices import AccountStatus
from accounts.models import Account
from accounts.services import account_open, user_create
from campaigns.models import Blast
from contacts.models import Contact, Group, GroupMember
from messaging.choices import InboundMediaState
from messaging.models import InboundMedia, Media, Message
from messaging.selectors import batch_figures
from tests.e2e.visitor import Visitor
from tests.pictures import opened, picture
from tests.stack import Stack

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct-horse-battery"
PEOPLE = 20


@pytest.fixture
def shop(stack: Stack) -> Account:
    owner = user_create(
        email="alice@example.com", password=PASSWORD, name="Alice Adams", email_verified=True
    )
    account = account_open(
        name="Alice's Flowers", owner=owner, status=AccountStatus.ACTIVE, trial_credits=1_000
    )
    account.quiet_start = account.quiet_end = "00:00"
    account.save()
    group = Group.objects.create(account=account, name="Customers")
    people = Contact.objects.bulk_create(
        Contact(account=account, phone=f"+1415555{1000 + n}", first_name=f"Ann{n}")
        for n in range(PEOPLE)
    )
    GroupMember.objects.bulk_create(
        GroupMember(account=account, group=group, contact=one) for one in people
    )
    return account


def test_a_picture_goes_out_is_fetched_by_the_carrier_and_one_comes_back(
    stack: Stack, shop: Account
) -> None:
    stack.carriersim.set(speed=40, fetch_media=True)
    visitor = Visitor(stack.web_url)
    visitor.log_in("alice@example.com", PASSWORD)

    blast = _sent(visitor, stack, shop)
    _fetched_by_the_carrier(stack, blast)
    _comes_back(visitor, stack, shop)


def _sent(visitor: Visitor, stack: Stack, shop: Account) -> Blast:
    visitor.open("/blasts/new")
    visitor.submit("/messages/media/", {}, files={"picture": ("spring.jpg", picture(), "x/y")})
    media = re.search(r'name="media_ids" value="(\d+)"', visitor.text)
    assert media is not None
    sender = shop.sender_numbers.get()
    typed = {
        "new_campaign": "Spring",
        "groups": Group.objects.get().pk,
        "sender": sender.pk,
        "body": "Hi {{first_name|there}}, “tulips” are in. Reply STOP to end. " + "x" * 200,
        "media_ids": media[1],
        "when": "now",
    }
    visitor.open("/blasts/new")
    visitor.submit("/blasts/count", typed)
    assert "picture message, 3 credits each" in visitor.words
    visitor.open("/blasts/new")
    visitor.submit("/blasts/new", {**typed, "act": "send"})
    blast = Blast.objects.get(account=shop)
    stack.wait_until(
        lambda: Message.objects.filter(batch__blast=blast, state="delivered").count() == PEOPLE,
        timeout_s=60,
        what="the pictures to be delivered",
    )
    blast.refresh_from_db()
    return blast


def _fetched_by_the_carrier(stack: Stack, blast: Blast) -> None:
    media = Media.objects.get()
    taken = stack.carriersim.messages()
    assert len(taken) == PEOPLE
    for one in taken:
        (fetched,) = one["fetched"]
        assert (fetched["status"], fetched["content_type"], fetched["size"]) == (
            200,
            "image/jpeg",
            media.size_bytes,
        )
    assert blast.batch is not None
    figures = batch_figures([blast.batch.pk])[blast.batch.pk]
    assert (figures.segments, figures.credits) == (PEOPLE, 3 * PEOPLE)
    assert blast.estimated_credits == 3 * PEOPLE
    stack.wait_until(
        lambda: Blast.objects.filter(batch__settled_at__isnull=False, pk=blast.pk).exists(),
        what="the blast to be settled",
    )
    batch = Blast.objects.get(pk=blast.pk).batch
    assert batch is not None
    assert (batch.credits_settled, batch.credits_released) == (3 * PEOPLE, 0)


def _comes_back(visitor: Visitor, stack: Stack, shop: Account) -> None:
    number = shop.sender_numbers.get().phone
    sent = picture("PNG", size=(60, 50))
    stack.carriersim.text("+14155551000", number, "", media=[("image/png", sent)])
    stored = InboundMedia.objects.filter(state=InboundMediaState.STORED)
    stack.wait_until(stored.exists, what="the picture that came in to be fetched")

    visitor.open("/inbox/")
    assert "Picture" in visitor.words
    thread = re.search(r'href="(/inbox/\d+/)', visitor.text)
    assert thread is not None, visitor.words
    visitor.open(thread[1])
    media = stored.get().media
    assert media is not None
    assert f'src="/messages/media/{media.pk}"' in visitor.text
    shown = visitor._session.get(f"{stack.web_url}/messages/media/{media.pk}", timeout=20)
    assert opened(shown.content).size == (60, 50)
    # What is sent back is a picture alone.
    key = re.search(r'name="request_key" value="([^"]+)"', visitor.text)
    mine = Media.objects.exclude(pk=media.pk).get()
    assert key is not None
    visitor.submit(f"{thread[1]}reply/", {"body": "", "media_ids": mine.pk, "request_key": key[1]})
    stack.wait_until(
        lambda: [m for m in stack.carriersim.messages(to="+14155551000") if not m["body"]],
        what="the reply to reach the carrier",
    )
