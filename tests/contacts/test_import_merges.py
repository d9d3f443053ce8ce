"""What an import does to the account: people, consent, groups; what it refuses beforehand."""

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Account, AuditEvent, User
from common.errors import NotFound
from contacts.choices import Consent, ConsentSource, ImportStatus
from contacts.errors import MappingInvalid
from contacts.models import ConsentEvent, Contact, CustomField, OptOut
from contacts.selectors import audience, contacts_list
from contacts.services import (
    consent_grant,
    consent_revoke,
    contact_delete,
    contact_upsert,
    group_create,
    import_cancel,
    import_create,
    import_start,
)
from tests.contacts.importing import nothing_left, ran

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]

ANN = "+13055550101"
BEN = "+13055550102"


@pytest.mark.django_db(transaction=True)
def test_new_updated_unchanged_and_blanks(shop: Account, media: Path) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann", last_name="Lee")
    contact_upsert(account=shop, actor=None, phone=BEN, first_name="Ben")

    done = ran(
        shop,
        b"phone,first name,last name,points\n"
        b"3055550101,Anna,,\n3055550102,,,\n3055550103,Cleo,,12\n",
    )

    assert (done.rows_new, done.rows_updated, done.rows_unchanged) == (1, 1, 1)
    assert list(Contact.objects.order_by("phone").values_list("first_name", "last_name")) == [
        ("Anna", "Lee"), ("Ben", ""), ("Cleo", ""),
    ]  # fmt: skip
    assert Contact.objects.get(first_name="Cleo").custom == {"points": "12"}
    assert CustomField.objects.get().key == "points"
    assert nothing_left(media)


def test_everybody_in_the_file_joins_the_group(shop: Account) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN)
    vip = group_create(account=shop, actor=None, name="VIP")

    ran(shop, b"phone\n3055550101\n3055550102\n3055550102\n", group=vip)

    assert sorted(c.phone for c in audience(account=shop, group_ids=[vip.pk])) == [ANN, BEN]


def test_consent_is_recorded_once_for_those_not_on_record(shop: Account, alice: User) -> None:
    consent_grant(account=shop, phone=ANN, source=ConsentSource.FORM, wording="Ticked the box")

    done = ran(shop, b"phone\n3055550101\n3055550102\n", consent_wording="Signed at the till, 2025")
    ran(shop, b"phone\n3055550101\n3055550102\n", consent_wording="Signed at the till, 2026")

    assert set(contacts_list(account=shop).values_list("consent", flat=True)) == {"opted_in"}
    event = ConsentEvent.objects.get(source="import")
    assert (event.phone, event.kind, event.wording, event.import_id) == (
        BEN, "in", "Signed at the till, 2025", done.pk,
    )  # fmt: skip


def test_without_wording_consent_stays_as_it_is(shop: Account) -> None:
    ran(shop, b"phone\n3055550101\n")

    assert Contact.objects.get().consent == Consent.UNKNOWN
    assert ConsentEvent.objects.count() == 0


def test_an_import_never_subscribes_again(shop: Account) -> None:
    deleted = contact_upsert(account=shop, actor=None, phone=ANN)
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)
    contact_delete(account=shop, actor=None, contact_id=deleted.pk)
    OptOut.objects.create(account=shop, phone=BEN, source=ConsentSource.API)

    done = ran(shop, b"phone\n3055550101\n3055550102\n3055550103\n", consent_wording="Bought list")

    assert (done.rows_new, done.people_opted_out) == (3, 2)
    assert dict(contacts_list(account=shop).values_list("phone", "consent")) == {
        ANN: "opted_out", BEN: "opted_out", "+13055550103": "opted_in",
    }  # fmt: skip
    assert OptOut.objects.count() == 2
    assert list(ConsentEvent.objects.filter(kind="in").values_list("phone", flat=True)) == [
        "+13055550103"
    ]


def test_a_mapping_without_phone_is_refused_and_the_import_waits(shop: Account) -> None:
    upload = SimpleUploadedFile("list.csv", b"phone,first name\n3055550101,Ann\n")
    found = import_create(account=shop, actor=None, upload=upload)

    for mapping in (["", "first_name"], ["phone", "phone"], ["phone", "custom.Bad Key"]):
        with pytest.raises(MappingInvalid):
            import_start(account=shop, actor=None, import_id=found.pk, mapping=mapping)

    found.refresh_from_db()
    assert found.status == ImportStatus.UPLOADED
    assert AuditEvent.objects.filter(action="import.started").count() == 0


def test_another_accounts_import_and_group_are_not_found(
    shop: Account, other_shop: Account
) -> None:
    theirs = group_create(account=other_shop, actor=None, name="VIP")
    upload = SimpleUploadedFile("list.csv", b"phone\n3055550101\n")
    found = import_create(account=shop, actor=None, upload=upload)

    with pytest.raises(NotFound):
        import_start(account=shop, actor=None, import_id=found.pk, mapping=["phone"], group=theirs)
    with pytest.raises(NotFound):
        import_start(account=other_shop, actor=None, import_id=found.pk, mapping=["phone"])
    with pytest.raises(NotFound):
        import_cancel(account=other_shop, actor=None, import_id=found.pk)

    found.refresh_from_db()
    assert found.status == ImportStatus.UPLOADED
