"""What comes of texts is shown and worked on in linear time, whatever the planner knows of them."""

from collections.abc import Iterable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Account, User
from campaigns.choices import BlastState
from campaigns.models import Blast, Campaign
from common.clock import now
from contacts.models import Contact, Group
from contacts.selectors import contacts_list
from inbox.models import Conversation, Note
from messaging.choices import BatchKind, BatchState, Direction, MessageState, Outcome
from messaging.drift import drift
from messaging.models import (
    Attempt,
    Batch,
    BatchTally,
    BatchTotals,
    CarrierAccount,
    Message,
    SenderNumber,
)
from messaging.services.lookups import lookup_offer
from tests.campaigns.conftest import api_client
from tests.plans import planned
from tests.unmet import PEOPLE, looked_up, opted_out, unmet
from tracking.choices import Verdict
from tracking.models import Click, Link

pytestmark = pytest.mark.django_db


@pytest.fixture
def blast(account: Account, other_account: Account, carrier: CarrierAccount) -> Blast:
    """A text to everybody in each group: all clicked and answered, a second one is in the inbox."""

    def texted(account: Account, people: list[Contact]) -> None:
        _texted(account, people, carrier)

    unmet(other_account, account, opted_out, looked_up, texted)
    return Blast.objects.get(account=account)


def _texted(account: Account, people: list[Contact], carrier: CarrierAccount) -> None:
    sender = SenderNumber.objects.create(
        account=account, carrier_account=carrier, phone=f"+1555{account.pk:07}", is_default=True
    )
    campaign = Campaign.objects.create(account=account, name="Spring")
    groups = list(Group.objects.filter(account=account))
    for place, group in enumerate(groups):
        _blast(campaign, sender, group, people[place :: len(groups)])
    threads = Conversation.objects.bulk_create(
        Conversation(
            account=account, our_number=sender.phone, phone=one.phone, unread=1, snippet="Yes"
        )
        for one in people
    )
    Note.objects.bulk_create(Note(account=account, conversation=one, text="!") for one in threads)


def _blast(campaign: Campaign, sender: SenderNumber, group: Group, people: list[Contact]) -> None:
    account, moment = group.account, now()
    batch = Batch.objects.create(
        account=account,
        kind=BatchKind.BLAST,
        body="Hi",
        sender=sender,
        request_key=group.name,
        state=BatchState.DONE,
        size=len(people),
        finished_at=moment,
        settled_at=moment,
    )
    Blast.objects.create(
        account=account, campaign=campaign, name=group.name, state=BlastState.LAUNCHED, batch=batch
    )
    told: dict[str, Any] = {
        "account": account,
        "our_number": sender.phone,
        "segments": 1,
        "credits": 1,
    }
    sent = Message.objects.bulk_create(
        Message(
            **told,
            batch=batch,
            recipient_no=no,
            contact=one,
            phone=one.phone,
            state=MessageState.DELIVERED,
            attempts=1,
            body="Hi",
            accepted_at=moment,
            final_at=moment,
            first_click_at=moment,
            human_click_at=moment,
            replied_at=moment,
        )
        for no, one in enumerate(people, 1)
    )
    Message.objects.bulk_create(
        Message(
            **told,
            contact=one,
            phone=one.phone,
            direction=Direction.IN,
            state=MessageState.RECEIVED,
            body="Yes",
            carrier_id=f"SM{account.pk}-{one.pk}",
            answers_batch_id=batch.pk,
        )
        for one in people
    )
    Attempt.objects.bulk_create(
        Attempt(
            message=one,
            n=1,
            carrier_account=sender.carrier_account,
            carrier_id=f"SM{one.pk}",
            outcome=Outcome.ACCEPTED,
        )
        for one in sent
    )
    BatchTally.objects.create(batch=batch, state=MessageState.DELIVERED, messages=len(people))
    BatchTotals.objects.create(batch=batch, clicked=len(people), replied=len(people))
    link = Link.objects.create(
        account=account, destination="https://shop.example/", batch_id=batch.pk, recipients=PEOPLE
    )
    Click.objects.bulk_create(
        Click(
            account_id=account.pk,
            link=link,
            recipient_no=no,
            at=moment,
            method="GET",
            ip_hash=b"1",
            verdict=Verdict.HUMAN,
        )
        for no, _ in enumerate(sent, 1)
    )


def _open(client: Client, paths: Iterable[str]) -> None:
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200, path
        b"".join(answer)


def test_pages(client: Client, alice: User, account: Account, blast: Blast) -> None:
    client.force_login(alice)
    link = Link.objects.get(account=account)
    message = Message.objects.filter(account=account).latest("pk")
    thread = Conversation.objects.filter(account=account).latest("pk")
    person = Contact.objects.filter(account=account).latest("pk")
    report, campaign = f"/blasts/{blast.pk}/", f"/campaigns/{blast.campaign_id}/"

    with planned() as bad:
        _open(
            client,
            (
                "/",
                "/costs/",
                "/campaigns/",
                *(campaign, f"{campaign}people?clicked=yes", f"{campaign}people.csv?replied=yes"),
                *(report, f"{report}?show=delivered&clicked=yes&q=Ann", f"{report}live"),
                *(f"{report}people.csv?clicked=yes", f"{report}?clicks=all"),
                *("/messages/", "/messages/?state=failed", "/messages/?q=Ann"),
                *("/messages/?linked=yes", "/messages/?by=nobody", "/messages/?kind=blast"),
                f"/messages/?link={link.pk}&clicked=hit",
                "/messages/?kind=blast&hour=clicked-3-11&left=no",
                "/messages/log.csv?direction=in",
                f"/messages/{message.pk}/",
                *("/links/", f"/links/{link.pk}/?hits=human", f"/links/{link.pk}/hits.csv"),
                *("/inbox/", "/inbox/?show=all", "/inbox/?q=Ann", f"/inbox/{thread.pk}/"),
                *(f"/contacts/{person.pk}/", f"/contacts/{person.pk}/?kind=clicked"),
                *("/contacts/reviews/", "/search/?q=Ann", "/search/?q=303200"),
                *("/settings/opt-outs/", "/settings/audit/", "/exports/"),
            ),
        )

    assert bad == []


def test_programs(account: Account, alice: User, blast: Blast) -> None:
    client = api_client(account, alice, ["read"])
    group = Group.objects.get(account=account)

    with planned() as bad:
        _open(
            client,
            (
                *(f"/api/v1/contacts/?{asked}" for asked in ("", "tag=tag 0", "search=Ann")),
                f"/api/v1/contacts/?group={group.pk}",
                f"/api/v1/contacts/?group={group.pk}&tag=tag 0&consent=unknown",
                "/api/v1/contacts/?tag=tag 0&search=Ann",
                *(
                    f"/api/v1/messages/?{asked}"
                    for asked in ("", "state=failed", "phone=%2B13032000001")
                ),
                f"/api/v1/messages/?batch={blast.batch_id}&state=delivered",
                f"/api/v1/blasts/{blast.pk}/",
                "/api/v1/links/",
                "/api/v1/conversations/",
                "/api/v1/groups/",
            ),
        )

    assert bad == []


def test_a_group_of_a_reports_people(
    client: Client, alice: User, account: Account, blast: Blast
) -> None:
    client.force_login(alice)

    with planned() as bad:
        client.post(f"/blasts/{blast.pk}/group?clicked=yes", {"name": "Clicked"})

    assert Group.objects.get(account=account, name="Clicked").members.count() == PEOPLE
    assert bad == []


def test_comparing_opt_outs(account: Account, blast: Blast) -> None:
    with planned() as bad:
        assert drift(account).agreed == PEOPLE

    assert bad == []


def test_what_looking_up_costs(account: Account, blast: Blast) -> None:
    with planned() as bad:
        offer = lookup_offer(account=account, audience=contacts_list(account=account))

    assert (offer.numbers, offer.opted_out) == (0, PEOPLE)
    assert bad == []
