"""A list of people who must not be texted: all of them are out, and nobody becomes a contact."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from common.clock import now
from contacts.choices import Consent, ConsentSource, ImportPurpose, ImportStatus
from contacts.errors import MappingInvalid, OptedOut
from contacts.models import ConsentEvent, Contact, ContactImport, OptInForm, OptInPending, OptOut
from contacts.selectors import contacts_list, opted_out
from contacts.services import (
    consent_grant,
    consent_revoke,
    contact_upsert,
    group_create,
    import_confirm,
    import_run,
    import_start,
    optin_ask,
    optin_confirm,
    optout_take_back,
)
from tests.contacts import importing

pytestmark = pytest.mark.usefixtures("media")

ANN, BEN, CLEO, DAN = (f"+1305555010{n}" for n in range(1, 5))
LIST = b"phone,first name\n3055550101,Ann\n3055550102,Ben\n3055550103,Cleo\n3055550103,C\n12,No\n"


def uploaded(account: Account) -> ContactImport:
    return importing.uploaded(account, LIST, purpose=ImportPurpose.OPT_OUTS)


def ran(account: Account, **how: Any) -> ContactImport:
    return importing.ran(account, LIST, purpose=ImportPurpose.OPT_OUTS, **how)


def test_everybody_on_it_is_out_and_nobody_becomes_a_contact(shop: Account) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN, first_name="A", consent_wording="Till")
    consent_revoke(account=shop, phone=BEN, source=ConsentSource.KEYWORD, wording="STOP")

    done = ran(shop, consent_wording="From our old provider")

    assert (done.status, done.mapping) == (ImportStatus.DONE, ["phone", ""])
    assert (done.rows_read, done.rows_new, done.rows_unchanged) == (5, 2, 1)
    assert (done.rows_updated, done.rows_duplicate, done.rows_refused) == (0, 1, 1)
    assert [opted_out(account=shop, phone=phone) for phone in (ANN, BEN, CLEO, DAN)] == [
        True, True, True, False,
    ]  # fmt: skip
    assert list(contacts_list(account=shop).values_list("phone", "first_name", "consent")) == [
        (ANN, "A", "opted_out")
    ]
    events = ConsentEvent.objects.filter(import_id=done.pk).order_by("phone")
    assert list(events.values_list("phone", "kind", "source", "wording")) == [
        (ANN, "out", "import", "From our old provider"),
        (CLEO, "out", "import", "From our old provider"),
    ]
    assert OptOut.objects.get(phone=BEN).source == ConsentSource.KEYWORD


def test_the_same_list_again_changes_nothing(shop: Account) -> None:
    ran(shop)
    before = [list(m.objects.order_by("pk").values()) for m in (Contact, OptOut, ConsentEvent)]

    again = ran(shop)

    assert (again.rows_new, again.rows_unchanged) == (0, 3)
    assert before == [
        list(m.objects.order_by("pk").values()) for m in (Contact, OptOut, ConsentEvent)
    ]


def test_whoever_is_on_it_stays_out_when_their_own_words_were_misread(
    shop: Account, alice: User
) -> None:
    words = ConsentSource.FREE_TEXT
    consent_revoke(account=shop, phone=ANN, source=words, wording="take me off at 5")
    consent_revoke(account=shop, phone=DAN, source=words, wording="take me off at 5")
    assert ran(shop, consent_wording="Our own list").rows_new == 2

    for opt_out in OptOut.objects.filter(source=words):
        optout_take_back(account=shop, actor=alice, opt_out_id=opt_out.pk, reason="About a bus")

    assert OptOut.objects.get(phone=ANN).source == ConsentSource.IMPORT
    assert not opted_out(account=shop, phone=DAN)


def test_whoever_is_on_it_stays_out_when_a_list_of_customers_brings_them(shop: Account) -> None:
    ran(shop)

    done = importing.ran(shop, LIST, consent_wording="Bought at the till")

    assert (done.rows_new, done.people_opted_out) == (3, 3)
    assert set(contacts_list(account=shop).values_list("consent", flat=True)) == {Consent.OPTED_OUT}
    assert not ConsentEvent.objects.filter(kind="in").exists()
    with pytest.raises(OptedOut):
        consent_grant(account=shop, phone=ANN, source=ConsentSource.IMPORT, wording="x")


def test_a_dry_run_counts_them_and_opts_nobody_out(shop: Account) -> None:
    consent_revoke(account=shop, phone=BEN, source=ConsentSource.KEYWORD)
    found = uploaded(shop)
    import_start(account=shop, actor=None, import_id=found.pk, mapping=found.mapping, dry_run=True)
    import_run(found.pk)
    found.refresh_from_db()
    counted = (found.status, found.rows_new, found.rows_unchanged, found.people_opted_out)
    out_before = OptOut.objects.count()

    import_confirm(account=shop, actor=None, import_id=found.pk)
    import_run(found.pk)

    found.refresh_from_db()
    assert counted == (ImportStatus.CHECKED, 2, 1, 1)
    assert out_before == 1
    assert (found.rows_new, found.rows_unchanged, found.people_opted_out) == (2, 1, 1)
    assert OptOut.objects.count() == 3


def test_only_phones_are_taken(shop: Account) -> None:
    group = group_create(account=shop, actor=None, name="VIP")
    found = uploaded(shop)

    for more in ({"mapping": ["phone", "first_name"]}, {"mapping": ["phone", ""], "group": group}):
        with pytest.raises(MappingInvalid, match="only the phone numbers"):
            import_start(account=shop, actor=None, import_id=found.pk, **more)

    found.refresh_from_db()
    assert found.status == ImportStatus.UPLOADED


def test_another_account_may_still_text_them(shop: Account, other_shop: Account) -> None:
    ran(shop)

    assert not opted_out(account=other_shop, phone=ANN)


def test_from_the_page(client: Client, shop: Account, alice: User) -> None:
    client.force_login(alice)
    file = SimpleUploadedFile("out.csv", LIST)
    client.post(reverse("import_create"), {"file": file, "purpose": "opt_outs"})
    found = ContactImport.objects.get()
    address = reverse("import_detail", args=[found.pk])

    columns = client.get(address).content.decode()
    body = {"column_0": "phone", "column_1": "", "wording": "Old provider"}
    client.post(reverse("import_start", args=[found.pk]), body)
    import_run(found.pk)
    counted = client.get(address).content.decode()
    client.post(reverse("import_confirm", args=[found.pk]))
    import_run(found.pk)
    result = client.get(address).content.decode()

    assert "Where does this list come from?" in columns
    assert "Or make a new group" not in columns
    assert "This list would opt out 3 numbers; 0 had opted out before" in counted
    assert "Opt out 3 numbers" in counted
    assert "These numbers get no texts from you any more" in result
    assert "Opt-out list" in client.get(reverse("import_list")).content.decode()
    assert OptOut.objects.count() == 3


def test_a_yes_that_is_waited_for_brings_nobody_on_the_list_back(
    shop: Account, other_shop: Account
) -> None:
    for account, phone in ((shop, ANN), (shop, BEN), (shop, DAN), (other_shop, ANN)):
        way, _ = OptInForm.objects.get_or_create(account=account, token=f"token-{account.pk}")
        optin_ask(way=way, phone=phone, wording="A form")
    consent_revoke(account=shop, phone=BEN, source=ConsentSource.KEYWORD, wording="STOP")
    optin_ask(way=OptInForm.objects.get(account=shop), phone=BEN, wording="A form")

    ran(shop)

    waits = OptInPending.objects.order_by("phone").values_list("account", "phone")
    assert list(waits) == [(other_shop.pk, ANN), (shop.pk, DAN)]
    assert optin_confirm(account=shop, phone=ANN, message_id=1, at=now()) is None
    assert opted_out(account=shop, phone=ANN)


def test_a_dry_run_of_the_list_leaves_who_is_waited_for(shop: Account) -> None:
    way = OptInForm.objects.create(account=shop, token="token")
    optin_ask(way=way, phone=ANN, wording="A form")
    found = uploaded(shop)

    import_start(account=shop, actor=None, import_id=found.pk, mapping=found.mapping, dry_run=True)
    import_run(found.pk)

    assert OptInPending.objects.count() == 1
