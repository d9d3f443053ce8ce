"""Two contacts that are one person: found, compared, merged; no figure and no proof moves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, AuditEvent, User
from common.clock import now
from common.errors import Invalid, NotFound
from contacts.choices import Consent, ConsentSource
from contacts.duplicates import duplicates_list, duplicates_of
from contacts.models import ConsentEvent, Contact, ErasedNumber, Group, OptOut
from contacts.selectors import contacts_deleted, contacts_list, groups_of
from contacts.services import (
    consent_grant,
    consent_revoke,
    contact_update,
    contact_upsert,
    contacts_unite,
    group_create,
    import_undo,
    import_undo_run,
    person_erase,
)
from contacts.timeline import contact_timeline
from inbox.models import Conversation
from messaging.gateways.events import InboundText
from messaging.models import BatchTally, Message, SenderNumber
from messaging.receipts.inbound import inbound_file
from messaging.recounting import differences
from messaging.state import RANKS
from tests.contacts.test_import_undo import imported
from tests.receipts.conftest import MakeBatch, make_batch

pytestmark = pytest.mark.django_db

__all__ = ["make_batch"]

ANN, WORK, BEN, CLEO = (f"+141555500{n:02}" for n in range(1, 5))

Add = Callable[..., Contact]


@pytest.fixture
def add(account: Account) -> Add:
    """`add(ANN, first_name="Ann")`: a contact."""

    def make(phone: str, **values: Any) -> Contact:
        return contact_upsert(account=account, actor=None, phone=phone, **values)

    return make


@pytest.fixture
def browser(alice: User, account: Account) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def likely(account: Account, reason: str) -> list[tuple[str, list[str]]]:
    page, _ = duplicates_list(account=account, reason=reason)
    return [(one.key, [person.phone for person in one.people]) for one in page]


def test_the_same_address_or_a_name_that_tells_nobody_apart(
    account: Account, other_account: Account, add: Add
) -> None:
    ann = add(ANN, first_name="Ann", last_name="Lee", email="ann@shop.example")
    add(WORK, first_name="ann", last_name="LEE", email="")
    add(BEN, first_name="Ben", email="ANN@Shop.example")
    add(CLEO, first_name="Cleo", last_name="Day", email="cleo@shop.example")
    add("+14155550105", first_name="Cleo", last_name="Day", email="other@shop.example")
    add("+14155550106", first_name="Dan")
    add("+14155550107", first_name="Dan")
    contact_upsert(account=other_account, actor=None, phone=CLEO, email="cleo@shop.example")

    assert likely(account, "email") == [("ann@shop.example", [ANN, BEN])]
    assert likely(account, "name") == [("ann lee", [ANN, WORK])]
    assert [one.phone for one in duplicates_of(account=account, contact=ann)] == [WORK, BEN]
    assert likely(other_account, "email") == []


def test_the_list_is_paged_by_what_they_share(account: Account, add: Add) -> None:
    for n in range(6):
        add(f"+1415555{n + 100:04}", email=f"p{n // 2}@x.example")

    first, further = duplicates_list(account=account, reason="email", limit=2)
    second, end = duplicates_list(account=account, reason="email", limit=2, after=further)

    keys = [one.key for one in (*first, *second)]
    assert keys == ["p0@x.example", "p1@x.example", "p2@x.example"]
    assert (further, end) == ("p1@x.example", "")


def test_values_groups_and_texts_come_together_and_no_total_moves(
    account: Account, alice: User, add: Add, make_batch: MakeBatch
) -> None:
    vip, news = (group_create(account=account, actor=None, name=name) for name in ("VIP", "News"))
    first, second, *_ = make_batch(3, state="delivered")
    ann = add(first.phone, first_name="Ann", custom={"pet": "Rex"}, group_ids=[vip.pk])
    work = add(
        second.phone,
        first_name="Anna",
        last_name="Lee",
        custom={"pet": "Tom", "size": "M"},
        group_ids=[vip.pk, news.pk],
    )
    Message.objects.filter(pk=first.pk).update(contact=ann)
    Message.objects.filter(pk=second.pk).update(contact=work)
    waiting = Message.objects.create(
        account=account, contact=work, phone=work.phone, our_number="+1", rank=RANKS["pending"]
    )
    thread = Conversation.objects.create(account=account, our_number="+1", phone=work.phone)
    tallies = BatchTally.objects.filter(batch=first.batch)
    before = differences(), list(tallies.values())

    kept = contacts_unite(
        account=account,
        actor=alice,
        contact_id=ann.pk,
        other_id=work.pk,
        take=["last_name", "custom.size"],
    )

    assert (kept.phone, kept.full_name, kept.custom) == (
        first.phone,
        "Ann Lee",
        {"pet": "Rex", "size": "M"},
    )
    assert contacts_list(account=account).get() == kept
    assert [group.name for group in groups_of(account=account, contact=kept)] == ["News", "VIP"]
    assert Group.objects.filter(members__contact=work).count() == 0
    assert list(Message.objects.filter(contact=kept).order_by("pk").values_list("phone")) == [
        (first.phone,),
        (second.phone,),
    ]
    waiting.refresh_from_db()
    thread.refresh_from_db()
    assert (waiting.contact_id, thread.phone) == (work.pk, second.phone)
    assert (differences(), list(tallies.values())) == before
    shown = contact_timeline(contact=kept, kind="sent").entries
    assert [entry.message_id for entry in shown] == [waiting.pk, second.pk, first.pk]
    assert "Number" in shown[0].detail
    assert "Number" not in shown[2].detail
    event = AuditEvent.objects.get(action="contact.merged")
    assert (event.actor, event.subject, event.data["other"]) == (alice, first.phone, work.pk)
    assert contacts_deleted(account=account).count() == 0


@pytest.mark.parametrize(
    ("own", "theirs", "ends"),
    [
        ("", "", Consent.UNKNOWN),
        ("", "in", Consent.UNKNOWN),
        ("in", "", Consent.OPTED_IN),
        ("in", "out", Consent.OPTED_OUT),
        ("", "out", Consent.OPTED_OUT),
        ("out", "in", Consent.OPTED_OUT),
    ],
)
def test_of_consent_the_stricter_word_wins(
    account: Account, alice: User, add: Add, own: str, theirs: str, ends: Consent
) -> None:
    ann, work = add(ANN), add(WORK)
    for phone, word in ((ANN, own), (WORK, theirs)):
        if word == "in":
            consent_grant(account=account, phone=phone, source=ConsentSource.KEYWORD)
        elif word == "out":
            consent_revoke(account=account, phone=phone, source=ConsentSource.KEYWORD)
    events = ConsentEvent.objects.filter(phone=WORK).count()

    kept = contacts_unite(account=account, actor=alice, contact_id=ann.pk, other_id=work.pk)

    assert kept.consent == ends
    assert OptOut.objects.filter(phone=ANN).exists() == (ends == Consent.OPTED_OUT)
    # A text from there after the other number's STOP is a word of its own, and newer (ADR 31).
    came_back = (own, theirs) == ("out", "in")
    assert OptOut.objects.filter(phone=WORK).exists() == (
        ends == Consent.OPTED_OUT and not came_back
    )
    assert ConsentEvent.objects.filter(phone=WORK).count() == events + (own == "out")


def test_nobody_is_merged_with_themselves_a_stranger_or_the_deleted(
    account: Account, other_account: Account, add: Add
) -> None:
    ann, work = add(ANN, first_name="Ann"), add(WORK)
    stranger = contact_upsert(account=other_account, actor=None, phone=BEN)

    with pytest.raises(Invalid):
        contacts_unite(account=account, actor=None, contact_id=ann.pk, other_id=ann.pk)
    for one, two in ((ann, stranger), (stranger, ann)):
        with pytest.raises(NotFound):
            contacts_unite(account=account, actor=None, contact_id=one.pk, other_id=two.pk)
    with pytest.raises(Invalid, match="no field"):
        contacts_unite(
            account=account, actor=None, contact_id=ann.pk, other_id=work.pk, take=["phone"]
        )
    contacts_unite(account=account, actor=None, contact_id=ann.pk, other_id=work.pk)
    with pytest.raises(NotFound):
        contacts_unite(account=account, actor=None, contact_id=ann.pk, other_id=work.pk)

    assert contacts_list(account=account).get() == ann
    assert contacts_list(account=other_account).get() == stranger


def test_the_merged_number_can_come_again_and_a_chain_of_merges_is_one_person(
    account: Account, alice: User, add: Add
) -> None:
    ann, work, ben = add(ANN), add(WORK), add(BEN)
    contacts_unite(account=account, actor=alice, contact_id=work.pk, other_id=ben.pk)
    contacts_unite(account=account, actor=alice, contact_id=ann.pk, other_id=work.pk)
    merged = Contact.objects.filter(merged_into=ann).values_list("phone", flat=True)
    assert sorted(merged) == [WORK, BEN]

    back = add(BEN, first_name="Ben")
    assert (back.pk, back.merged_into, back.deleted_at) == (ben.pk, None, None)

    person_erase(account=account, actor=alice, contact_id=ann.pk)
    assert ErasedNumber.objects.count() == 2
    phones = Contact.objects.values_list("phone", flat=True)
    assert sorted(phones) == sorted([BEN, f"~{ann.pk}", f"~{work.pk}"])


def test_whoever_changes_their_number_is_the_same_person(
    account: Account, alice: User, add: Add
) -> None:
    ann = add(ANN, first_name="Ann")
    text = Message.objects.create(
        account=account,
        contact=ann,
        phone=ANN,
        our_number="+1",
        state="delivered",
        segments=1,
    )

    moved = contact_update(account=account, actor=alice, contact_id=ann.pk, phone=WORK)

    shown = contact_timeline(contact=moved, kind="sent").entries
    assert [entry.message_id for entry in shown] == [text.pk]
    assert contacts_deleted(account=account).count() == 0
    text.refresh_from_db()
    assert (text.contact_id, text.phone) == (moved.pk, ANN)
    back = contact_update(account=account, actor=alice, contact_id=moved.pk, phone=ANN)
    assert (back.pk, back.merged_into, back.full_name) == (ann.pk, None, "Ann")
    person_erase(account=account, actor=alice, contact_id=back.pk)
    assert not Message.objects.filter(phone=ANN).exists()
    assert ErasedNumber.objects.count() == 2


def test_texts_follow_through_two_changes_of_number_and_back(
    account: Account, alice: User, add: Add
) -> None:
    contact = add(ANN)
    for phone in (WORK, BEN, ANN):
        Message.objects.create(
            account=account,
            contact=contact,
            phone=contact.phone,
            our_number="+1",
            state="delivered",
            segments=1,
        )
        moved = contact_update(account=account, actor=alice, contact_id=contact.pk, phone=phone)
        texts = Message.objects.order_by("pk").values_list("contact", flat=True)
        assert set(texts) == {moved.pk}
        contact = moved

    assert Message.objects.filter(contact=contact).count() == 3


def test_undoing_the_import_of_the_merged_one_leaves_the_survivor_in_the_group(
    account: Account, alice: User, add: Add, tmp_path: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    vip = group_create(account=account, actor=None, name="VIP")
    ann = add(ANN)
    found = imported(account, b"phone\n4155550002\n", group=vip)
    work = Contact.objects.get(account=account, phone=WORK)
    contacts_unite(account=account, actor=alice, contact_id=ann.pk, other_id=work.pk)

    import_undo(account=account, actor=alice, import_id=found.pk)
    import_undo_run(found.pk)

    assert [group.name for group in groups_of(account=account, contact=ann)] == ["VIP"]


def test_undoing_an_import_merges_again_whom_it_had_brought_back(
    account: Account, alice: User, add: Add, tmp_path: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    ann, work, ben = add(ANN), add(WORK), add(BEN)
    contacts_unite(account=account, actor=alice, contact_id=ann.pk, other_id=work.pk)
    found = imported(account, b"phone\n4155550002\n")
    work.refresh_from_db()
    assert (work.merged_into, work.deleted_at) == (None, None)
    contacts_unite(account=account, actor=alice, contact_id=ben.pk, other_id=ann.pk)

    import_undo(account=account, actor=alice, import_id=found.pk)
    import_undo_run(found.pk)

    work.refresh_from_db()
    assert (work.merged_into, work.deleted_at is not None) == (ben, True)
    person_erase(account=account, actor=alice, contact_id=ben.pk)
    assert ErasedNumber.objects.count() == 3
    assert not Contact.objects.filter(phone__in=[ANN, WORK, BEN]).exists()


def test_a_stop_from_a_number_that_was_merged_away_reaches_the_person(
    account: Account, alice: User, sender: SenderNumber, add: Add
) -> None:
    ann, work = add(ANN), add(WORK)
    consent_grant(account=account, phone=ANN, source=ConsentSource.KEYWORD)
    contacts_unite(account=account, actor=alice, contact_id=ann.pk, other_id=work.pk)

    stop = inbound_file(
        carrier_account=sender.carrier_account,
        text=InboundText(
            carrier_id="SM1",
            account_ref=sender.carrier_account.external_id,
            phone=WORK,
            our_number=sender.phone,
            body="STOP",
        ),
        at=now(),
    )

    assert stop is not None
    ann.refresh_from_db()
    assert ann.consent == Consent.OPTED_OUT
    opt_outs = OptOut.objects.filter(account=account).order_by("phone")
    assert list(opt_outs.values_list("phone", "source")) == [(ANN, "person"), (WORK, "keyword")]
    events = ConsentEvent.objects.filter(account=account, kind="out").order_by("phone")
    how = f"on {stop.created_at:%d %b %Y} (texted a keyword)"
    assert list(events.values_list("phone", "message_id", "wording")) == [
        (ANN, stop.pk, f"Left under another number {how}; they are one person"),
        (WORK, stop.pk, "STOP"),
    ]


def test_by_the_pages(
    account: Account, alice: User, charlie: User, other_account: Account, browser: Client, add: Add
) -> None:
    ann = add(ANN, first_name="Ann", email="ann@x.example")
    work = add(WORK, last_name="Lee", email="ANN@x.example")
    stranger = contact_upsert(account=other_account, actor=None, phone=BEN)
    page = reverse("contact_merge", args=[ann.pk])

    listed = browser.get(reverse("duplicate_list")).content.decode()
    chosen = browser.get(page).content.decode()
    compared = browser.get(page, {"other": work.pk}).content.decode()
    foreign = browser.post(page, {"other": stranger.pk})
    assert f"{page}?other={work.pk}" in listed
    assert f"{page}?other={work.pk}" in chosen
    assert "It cannot be undone" in compared
    assert foreign.status_code == 404
    assert contacts_list(account=account).count() == 2

    answer = browser.post(page, {"other": work.pk, "take-last_name": "other", "take-email": "own"})

    assert answer["Location"] == reverse("contact_detail", args=[ann.pk])
    kept = contacts_list(account=account).get()
    assert (kept.full_name, kept.email) == ("Ann Lee", "ann@x.example")
    assert "No likely duplicates" in browser.get(reverse("duplicate_list")).content.decode()
