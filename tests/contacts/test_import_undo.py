"""Undoing a whole import: what it did is gone, whatever happened since is left alone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, AuditEvent, User
from common.clock import now
from common.errors import NotFound
from contacts.choices import Consent, ConsentSource, ImportPurpose, ImportStatus
from contacts.errors import ImportNotOpen
from contacts.models import ConsentEvent, Contact, ContactImport, GroupMember, ImportChange, OptOut
from contacts.selectors import contacts_list
from contacts.services import (
    consent_grant,
    consent_revoke,
    contact_delete,
    contact_update,
    contact_upsert,
    group_add,
    group_create,
    import_undo,
    import_undo_run,
    undo_sweep,
    undoing,
)
from messaging.choices import Direction, MessageState
from messaging.models import Message
from tests.contacts.importing import ran

pytestmark = pytest.mark.usefixtures("media")

ANN, BEN, CLEO, DAN, EVE = (f"+1305555010{n}" for n in range(1, 6))
FILE = (
    b"phone,first name,email,points\n"
    b"3055550101,Anna,anna@x.example,5\n3055550102,Ben,,\n3055550103,Cleo,,7\n3055550104,Dan,,\n"
    b"3055550105,Eve,,\n"
)


def imported(account: Account, content: bytes = FILE, **how: Any) -> ContactImport:
    found = ran(account, content, **how)
    assert found.status == ImportStatus.DONE
    return found


def undone(found: ContactImport, actor: User | None = None) -> tuple[int, int, int]:
    """(removed, restored, left alone)."""
    import_undo(account=found.account, actor=actor, import_id=found.pk)
    import_undo_run(found.pk)
    found.refresh_from_db()
    assert found.status == ImportStatus.UNDONE
    return found.people_removed, found.people_restored, found.people_left


def people(account: Account) -> list[tuple[object, ...]]:
    names = (
        *("phone", "first_name", "last_name", "email", "timezone", "custom", "consent"),
        *("consent_at", "created_at", "updated_at"),
    )
    return list(contacts_list(account=account).order_by("phone").values_list(*names))


def texted(account: Account, phone: str) -> None:
    Message.objects.create(
        account=account,
        direction=Direction.OUT,
        phone=phone,
        our_number="+12025550190",
        body="Hi",
        state=MessageState.DELIVERED,
    )


@pytest.fixture
def known(shop: Account) -> None:
    """Ann is more than the file says, Ben as it says, Cleo deleted with another name."""
    contact_upsert(
        account=shop, actor=None, phone=ANN, first_name="Ann", last_name="Lee",
        custom={"points": "1", "size": "M"},
    )  # fmt: skip
    contact_upsert(account=shop, actor=None, phone=BEN, first_name="Ben")
    cleo = contact_upsert(account=shop, actor=None, phone=CLEO, first_name="Cleopatra")
    contact_delete(account=shop, actor=None, contact_id=cleo.pk)


def test_everything_is_as_it_was(shop: Account, known: None, alice: User) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    group_add(
        account=shop, actor=None, group_id=vip.pk, contact_ids=[Contact.objects.get(phone=ANN).pk]
    )
    before, members = people(shop), list(GroupMember.objects.values())
    deleted = Contact.objects.filter(phone=CLEO).values().get()
    found = imported(shop, consent_wording="Till", group=vip)
    assert (found.rows_new, found.rows_updated) == (3, 2)
    assert GroupMember.objects.count() == 5

    assert undone(found, alice) == (3, 2, 0)

    assert people(shop) == before
    assert list(GroupMember.objects.values()) == members
    assert Contact.objects.filter(phone=CLEO).values().get() == deleted
    assert not ImportChange.objects.exists()
    assert list(
        AuditEvent.objects.filter(action__startswith="import.undo")
        .order_by("pk")
        .values_list("action", "actor")
    ) == [("import.undo_started", alice.pk), ("import.undone", alice.pk)]


def test_consent_is_taken_back_by_an_event_and_none_is_deleted(
    shop: Account, known: None, alice: User
) -> None:
    consent_grant(account=shop, phone=BEN, source=ConsentSource.FORM, wording="Ticked")
    found = imported(shop, consent_wording="Till")
    assert ConsentEvent.objects.filter(import_id=found.pk).count() == 4

    undone(found, alice)

    events = ConsentEvent.objects.filter(phone=ANN).order_by("pk")
    assert list(events.values_list("kind", "source", "wording", "import_id", "actor")) == [
        ("in", "import", "Till", found.pk, None),
        ("undo", "import", "The import of list.csv was undone.", found.pk, alice.pk),
    ]
    assert ConsentEvent.objects.filter(import_id=found.pk, kind="in").count() == 4
    assert ConsentEvent.objects.filter(import_id=found.pk, kind="undo").count() == 4
    assert dict(contacts_list(account=shop).values_list("phone", "consent")) == {
        ANN: Consent.UNKNOWN, BEN: Consent.OPTED_IN,
    }  # fmt: skip


SINCE: dict[str, Callable[[Account, Contact], object]] = {
    "edited": lambda shop, dan: contact_update(
        account=shop, actor=None, contact_id=dan.pk, last_name="Roe"
    ),
    "completed by the API": lambda shop, dan: contact_upsert(
        account=shop, actor=None, phone=dan.phone, email="dan@x.example"
    ),
    "deleted": lambda shop, dan: contact_delete(account=shop, actor=None, contact_id=dan.pk),
    "texted": lambda shop, dan: texted(shop, dan.phone),
    "opted out": lambda shop, dan: consent_revoke(
        account=shop, phone=dan.phone, source=ConsentSource.KEYWORD
    ),
    "opted in": lambda shop, dan: consent_grant(
        account=shop, phone=dan.phone, source=ConsentSource.KEYWORD, wording="START"
    ),
    "grouped": lambda shop, dan: group_add(
        account=shop,
        actor=None,
        group_id=group_create(account=shop, actor=None, name="Late").pk,
        contact_ids=[dan.pk],
    ),
}


@pytest.mark.parametrize("what", SINCE)
def test_what_happened_to_a_person_since_is_left_alone(shop: Account, what: str) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    found = imported(shop, group=vip)
    SINCE[what](shop, Contact.objects.get(phone=DAN))
    before = Contact.objects.filter(phone=DAN).values().get()
    groups = list(GroupMember.objects.filter(contact_id=before["id"]).values())

    assert undone(found) == (4, 0, 1)

    assert Contact.objects.filter(phone=DAN).values().get() == before
    assert list(GroupMember.objects.filter(contact_id=before["id"]).values()) == groups
    assert set(contacts_list(account=shop).values_list("phone", flat=True)) <= {DAN}


def test_texts_of_another_account_are_not_ours(shop: Account, other_shop: Account) -> None:
    found = imported(shop)
    texted(other_shop, DAN)

    assert undone(found) == (5, 0, 0)


def test_opt_outs_stay(shop: Account) -> None:
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)
    found = imported(shop, consent_wording="Till")
    consent_revoke(account=shop, phone=BEN, source=ConsentSource.KEYWORD)

    assert undone(found) == (4, 0, 1)

    assert set(OptOut.objects.values_list("phone", flat=True)) == {ANN, BEN}
    assert set(Contact.objects.filter(phone__in=[ANN, BEN]).values_list("consent", flat=True)) == {
        Consent.OPTED_OUT
    }
    again = imported(shop, consent_wording="Till")
    assert again.people_opted_out == 2


def test_imports_are_undone_newest_first(shop: Account) -> None:
    first = imported(shop)
    second = imported(shop, b"phone,first name\n3055550101,Annabel\n3055550102,Ben\n")
    with pytest.raises(ImportNotOpen, match="imported later"):
        import_undo(account=shop, actor=None, import_id=first.pk)

    assert undone(second) == (0, 1, 0)
    assert Contact.objects.get(phone=ANN).first_name == "Anna"
    assert undone(first) == (5, 0, 0)

    assert not contacts_list(account=shop).exists()


def test_an_opt_out_list_is_not_undone(shop: Account) -> None:
    found = imported(shop, b"phone\n3055550101\n", purpose=ImportPurpose.OPT_OUTS)

    with pytest.raises(ImportNotOpen, match="Opt-outs stay"):
        import_undo(account=shop, actor=None, import_id=found.pk)

    assert OptOut.objects.count() == 1


def test_twice_or_by_a_stranger_or_too_late_nothing_is_undone(
    shop: Account, other_shop: Account
) -> None:
    found = imported(shop)
    with pytest.raises(NotFound):
        import_undo(account=other_shop, actor=None, import_id=found.pk)
    old = now() - timedelta(days=undoing.UNDO_DAYS + 1)
    ContactImport.objects.update(merged_at=old)
    undo_sweep()

    with pytest.raises(ImportNotOpen, match="for 30 days"):
        import_undo(account=shop, actor=None, import_id=found.pk)

    assert not ImportChange.objects.exists()
    assert contacts_list(account=shop).count() == 5
    second = imported(shop, b"phone\n3055550109\n")
    undone(second)
    import_undo_run(second.pk)
    with pytest.raises(ImportNotOpen):
        import_undo(account=shop, actor=None, import_id=second.pk)


def test_a_worker_that_dies_leaves_the_undo_to_the_next(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = imported(shop, consent_wording="Till")
    before = people(shop)
    import_undo(account=shop, actor=None, import_id=found.pk)

    def crash(**kwargs: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(undoing, "audit_record", crash)
        with pytest.raises(RuntimeError, match="killed"):
            import_undo_run(found.pk)
    assert people(shop) == before
    assert undo_sweep() == []
    ContactImport.objects.update(heartbeat_at=now() - timedelta(minutes=1))
    assert undo_sweep() == [found.pk]
    import_undo_run(found.pk)

    found.refresh_from_db()
    assert (found.status, found.people_removed) == (ImportStatus.UNDONE, 5)
    assert ConsentEvent.objects.filter(kind="undo").count() == 5


def test_from_the_page(client: Client, shop: Account, alice: User, known: None) -> None:
    client.force_login(alice)
    found = imported(shop)
    address = reverse("import_detail", args=[found.pk])

    offered = client.get(address).content.decode()
    client.post(reverse("import_undo", args=[found.pk]))
    waiting = client.get(address).content.decode()
    import_undo_run(found.pk)
    result = client.get(address).content.decode()

    assert "Undo this import" in offered
    assert "Undoing this import" in waiting
    assert 'hx-trigger="every 1s"' in waiting
    assert "3 people were taken out and 1 put back as they were." in result
    assert "Undo this import" not in result
