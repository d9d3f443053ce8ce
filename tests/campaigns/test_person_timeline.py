"""A person's timeline: one list of everything, in order, by pages that cost the same."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.choices import Scope
from accounts.models import Account, User
from accounts.services import apikey_create
from campaigns.models import Blast
from common.clock import now
from contacts.choices import ConsentKind, ConsentSource
from contacts.models import ConsentEvent, Contact
from contacts.selectors import groups_of
from contacts.services import group_add, group_create
from contacts.timeline import contact_timeline
from inbox.services import conversation_start
from messaging.choices import Direction, MessageState
from messaging.models import Message
from tests.campaigns.launched import finished, launched
from tracking.choices import Verdict
from tracking.models import Click, Link

OTHERS = 20_000
OUR_NUMBER = "+15550100199"

Shown = list[tuple[str, str]]


@pytest.fixture
def ann(account: Account) -> Contact:
    """Somebody of whom only the account's own list knows yet."""
    at = now() - timedelta(days=30)
    return Contact.objects.create(
        account=account, phone="+12125550142", first_name="Ann", created_at=at, updated_at=at
    )


def text(contact: Contact, days_ago: float, **fields: Any) -> Message:
    fields = {"state": MessageState.DELIVERED, "body": "Tulips are in", **fields}
    return Message.objects.create(
        account=contact.account,
        contact=contact,
        phone=contact.phone,
        our_number=OUR_NUMBER,
        created_at=now() - timedelta(days=days_ago),
        **fields,
    )


def consent(contact: Contact, days_ago: float, kind: ConsentKind, wording: str) -> None:
    ConsentEvent.objects.create(
        account=contact.account,
        phone=contact.phone,
        kind=kind,
        source=ConsentSource.KEYWORD,
        wording=wording,
        at=now() - timedelta(days=days_ago),
    )


def clicked(contact: Contact, blast: Blast, days_ago: float, verdict: Verdict) -> None:
    """A hit on the blast's link by whoever has the contact's number in it."""
    assert blast.batch is not None
    message = Message.objects.get(batch=blast.batch, phone=contact.phone)
    at = now() - timedelta(days=days_ago)
    Click.objects.create(
        account_id=contact.account_id,
        link=Link.objects.filter(batch_id=blast.batch_id).order_by("pk")[0],
        recipient_no=message.recipient_no or 0,
        at=at,
        method="GET",
        ip_hash=b"x" * 16,
        verdict=verdict,
    )
    Message.objects.filter(pk=message.pk).update(first_click_at=at)


def shown(contact: Contact, **asked: Any) -> Shown:
    page = contact_timeline(contact=contact, **asked)
    return [(entry.kind, entry.title) for entry in page.entries]


@pytest.fixture
def blast(account: Account, alice: User, draft: Blast, ann: Contact) -> Blast:
    """Over; Ann was among its people."""
    blast = launched(account, alice, draft)
    finished(blast)
    assert blast.batch is not None
    first = Message.objects.filter(batch=blast.batch).latest("recipient_no")
    text(ann, 10, batch=blast.batch, recipient_no=(first.recipient_no or 0) + 1)
    return blast


@pytest.fixture
def story(account: Account, alice: User, ann: Contact, blast: Blast) -> list[tuple[str, str]]:
    """What happened with Ann, newest first."""
    assert blast.batch is not None
    consent(ann, 20, ConsentKind.IN, "JOIN")
    clicked(ann, blast, 9, Verdict.PREVIEW)
    clicked(ann, blast, 8, Verdict.HUMAN)
    text(ann, 7, direction=Direction.IN, state=MessageState.RECEIVED, body="Do you deliver?")
    text(ann, 6, state=MessageState.SKIPPED, reason="landline", body="")
    group = group_create(account=account, actor=alice, name="Deliveries")
    group_add(account=account, actor=alice, group_id=group.pk, contact_ids=[ann.pk])
    consent(ann, 1, ConsentKind.OUT, "STOP")
    return [
        ("contact", "Put into the group “Deliveries”"),
        ("consent", "Opt-out"),
        ("sent", "Text"),
        ("received", "Text from them"),
        ("clicked", "Link opened by a person"),
        ("clicked", "Link fetched by a preview robot"),
        ("sent", f"Blast “{blast.batch.name}”"),
        ("consent", "Opt-in"),
        ("contact", "Added"),
    ]


def test_everything_stands_in_one_order(ann: Contact, story: Shown) -> None:
    assert shown(ann) == story


@pytest.mark.parametrize("size", [1, 2, 3, 8, 9])
def test_pages_show_everything_once(ann: Contact, story: Shown, size: int) -> None:
    seen: Shown = []
    before, pages = "", 0

    while pages == 0 or before:
        page = contact_timeline(contact=ann, before=before, limit=size)
        seen += [(entry.kind, entry.title) for entry in page.entries]
        before, pages = page.older, pages + 1

    assert seen == story
    assert pages == -(-len(story) // size)


@pytest.mark.parametrize("kind", ["sent", "received", "clicked", "consent", "contact"])
def test_one_kind_alone(ann: Contact, story: Shown, kind: str) -> None:
    found = [entry for entry in story if entry[0] == kind]

    assert shown(ann, kind=kind) == found
    assert shown(ann, kind=kind, before="m0.c0.g0.r0.k0") == []
    assert shown(ann, kind="nonsense", before="?!") == story


def test_the_page_says_what_why_and_who(
    browse: Callable[[User], Client], alice: User, ann: Contact, story: Shown
) -> None:
    page = browse(alice).get(f"/contacts/{ann.pk}/").content.decode()
    told = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))

    assert "Do you deliver?" in told
    assert "Text Not texted Landline" in told
    assert "STOP" in told
    assert "Link opened by a person" in told
    only = browse(alice).get(f"/contacts/{ann.pk}/?kind=received").content.decode()
    assert "Do you deliver?" in only
    assert "Link opened by a person" not in only


def test_the_api_gives_it_page_by_page(
    client: Client, account: Account, alice: User, ann: Contact, story: Shown, settings: Any
) -> None:
    _, secret = apikey_create(account=account, actor=alice, name="K", scopes=[Scope.READ])
    headers = {"authorization": f"Bearer {secret}"}
    address = f"/api/v1/contacts/{ann.pk}/timeline/?kind=clicked"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("contacts.api.views.TIMELINE_SIZE", 1)
        first = client.get(address, headers=headers).json()
        second = client.get(first["next"], headers=headers).json()

    assert [entry["verdict"] for entry in first["results"]] == ["human"]
    assert [entry["verdict"] for entry in second["results"]] == ["preview"]
    assert second["next"] is None
    assert first["results"][0]["message_id"] is not None


def test_smart_groups_stand_beside_the_others(
    browse: Callable[[User], Client],
    account: Account,
    other_account: Account,
    alice: User,
    ann: Contact,
    story: Shown,
    django_assert_num_queries: Any,
) -> None:
    clicked = {"did": "clicked", "days": 30}
    Message.objects.filter(phone=ann.phone, batch__isnull=False).update(human_click_at=now())
    for name, rules in (
        ("Clickers", clicked),
        ("No clickers", {"not": clicked}),
        ("Anns", {"field": "first_name", "op": "is", "value": "Ann"}),
    ):
        group_create(account=account, actor=alice, name=name, rules=rules)
    group_create(account=other_account, actor=alice, name="Theirs", rules={"not": clicked})

    names = [group.name for group in groups_of(account=account, contact=ann)]
    page = browse(alice).get(f"/contacts/{ann.pk}/").content.decode()

    assert names == ["Anns", "Clickers", "Deliveries"]
    assert "Clickers <span" in page
    assert "No clickers" not in page
    with django_assert_num_queries(4):
        list(groups_of(account=account, contact=ann))
    thread = conversation_start(account=account, contact=ann, our_number=OUR_NUMBER)
    inbox = browse(alice).get(f"/inbox/{thread.pk}/").content.decode()
    assert "Clickers <span" in inbox
    form = browse(alice).get(f"/contacts/{ann.pk}/edit/")
    assert [group.name for group in form.context["form"].initial["groups"]] == ["Deliveries"]


def test_no_page_reads_what_is_others(
    browse: Callable[[User], Client],
    alice: User,
    account: Account,
    other_account: Account,
    blast: Blast,
    ann: Contact,
    story: Shown,
) -> None:
    link = Link.objects.filter(batch_id=blast.batch_id).order_by("pk")[0]
    rules = {"any": [{"did": "clicked", "days": 30}, {"did": "replied", "blast": blast.pk}]}
    group_create(account=account, actor=alice, name="Warm", rules=rules)
    others = [f"+1303{n:07}" for n in range(OTHERS)]
    Message.objects.bulk_create(
        Message(account=other_account, phone=phone, our_number=OUR_NUMBER, state="delivered")
        for phone in others
    )
    ConsentEvent.objects.bulk_create(
        ConsentEvent(account=account, phone=phone, kind="in", source="import") for phone in others
    )
    Click.objects.bulk_create(
        Click(
            account_id=account.pk,
            link_id=link.pk,
            recipient_no=1000 + n,
            at=now(),
            method="GET",
            ip_hash=b"x" * 16,
            verdict="human",
        )
        for n in range(OTHERS)
    )
    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messaging_message, contacts_consentevent, tracking_click")
    with connection.execute_wrapper(note):
        answer = browse(alice).get(f"/contacts/{ann.pk}/")

    assert answer.status_code == 200
    tables = ("messaging_message", "contacts_consentevent", "tracking_click")
    plans = [_plan(sql, params) for sql, params in asked if any(name in sql for name in tables)]
    assert len(plans) >= 3
    assert [plan for plan in plans if re.search(rf"Seq Scan on ({'|'.join(tables)})", plan)] == []
    # Nor everybody's hits by their key, the newest first, until those of one person are found.
    assert [plan for plan in plans if "tracking_click_pkey" in plan] == []
    assert any("click_by_recipient" in plan for plan in plans)


def _plan(sql: str, params: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", params)
        return "\n".join(line for (line,) in cursor.fetchall())
