from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.choices import Role
from accounts.models import Account, Membership, User
from contacts.choices import Consent, ConsentSource, ImportStatus
from contacts.models import ConsentEvent, Contact, ContactImport, Group, GroupMember, OptOut
from contacts.services import (
    consent_revoke,
    contact_upsert,
    group_create,
    import_create,
    import_run,
)

pytestmark = pytest.mark.usefixtures("media")

ANN = "+13055550101"
BEN = "+13055550102"
LIST = b"phone,first name,note\n3055550101,Ann,=1+1\n123,Ben,+x\n,Cleo,\n3055550104,Dan,\n"


@pytest.fixture
def page(shop: Account, alice: User, client: Client) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def viewer(shop: Account) -> Client:
    bob = User.objects.create_user("bob@shop.example", "pw-of-bob", name="Bob")
    Membership.objects.create(account=shop, user=bob, role=Role.VIEWER)
    client = Client()
    client.force_login(bob)
    return client


def html(client: Client, name: str, *args: object, status: int = 200, **query: str) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == status
    return str(answer.content.decode())


def uploaded(client: Client, content: bytes = LIST) -> ContactImport:
    file = SimpleUploadedFile("list.csv", content)
    answer = client.post(reverse("import_create"), {"file": file})
    found = ContactImport.objects.latest("id")
    assert answer["Location"] == reverse("import_detail", args=[found.pk])
    return found


def test_empty_pages_teach_the_first_step(page: Client) -> None:
    assert "Bring your list" in html(page, "contact_list")
    assert "No groups yet" in html(page, "group_list")
    assert "No list was imported yet" in html(page, "import_list")
    assert "What a file needs" in html(page, "import_create")


def test_the_list_keeps_its_state_in_the_url(page: Client, shop: Account) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann", group_ids=[vip.pk])
    contact_upsert(account=shop, actor=None, phone=BEN, first_name="Benno")
    consent_revoke(account=shop, phone=BEN, source=ConsentSource.MANUAL)

    by_name = html(page, "contact_list", q="ben")
    by_group = html(page, "contact_list", group=str(vip.pk))
    by_consent = html(page, "contact_list", consent="opted_out")
    nobody = html(page, "contact_list", q="zoe")

    assert ("Benno" in by_name, ">Ann<" in by_name) == (True, False)
    assert ("Benno" in by_group, ">Ann<" in by_group) == (False, True)
    assert ("Benno" in by_consent, ">Ann<" in by_consent) == (True, False)
    assert "Nobody matches" in nobody


def test_add_change_and_delete_a_contact(page: Client, shop: Account) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")

    wrong = page.post(
        reverse("contact_create"), {"phone": "123", "first_name": "Ann", "wording": "At the till"}
    )
    page.post(
        reverse("contact_create"),
        {
            "phone": "305 555 0101",
            "first_name": "Ann",
            "groups": [vip.pk],
            "wording": "At the till",
        },
    )
    contact = Contact.objects.get()
    shown = html(page, "contact_detail", contact.pk)
    form = html(page, "contact_edit", contact.pk)
    page.post(reverse("contact_edit", args=[contact.pk]), {"phone": ANN, "last_name": "Lee"})

    assert wrong.status_code == 422
    assert "has too few digits" in wrong.content.decode()
    assert "At the till" in shown
    assert "VIP" in shown
    assert 'value="Ann"' in form
    contact.refresh_from_db()
    assert (contact.first_name, contact.last_name) == ("", "Lee")
    assert GroupMember.objects.count() == 0
    page.post(reverse("contact_delete", args=[contact.pk]))
    html(page, "contact_detail", contact.pk, status=404)


def test_opt_out_and_opt_in_by_hand(page: Client, shop: Account) -> None:
    contact = contact_upsert(account=shop, actor=None, phone=ANN)
    opt_in, opt_out = (reverse(f"contact_opt_{way}", args=[contact.pk]) for way in ("in", "out"))

    page.post(opt_out, {"wording": "Called us"})
    unproven = page.post(opt_in, {"wording": ""})
    assert OptOut.objects.count() == 1
    page.post(opt_in, {"wording": "Came in and signed"})

    contact.refresh_from_db()
    assert unproven.status_code == 422
    assert "Say how and when" in unproven.content.decode()
    assert contact.consent == Consent.OPTED_IN
    events = ConsentEvent.objects.order_by("id").values_list("kind", "wording", "actor__name")
    assert list(events) == [("out", "Called us", "Alice"), ("in", "Came in and signed", "Alice")]


def test_whoever_texted_stop_can_only_come_back_by_themselves(page: Client, shop: Account) -> None:
    contact = contact_upsert(account=shop, actor=None, phone=ANN)
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD, wording="STOP")

    shown = html(page, "contact_detail", contact.pk)
    answer = page.post(reverse("contact_opt_in", args=[contact.pk]), {"wording": "Please"})

    assert "by texting START" in shown
    assert "Record the opt-in" not in shown
    assert answer.status_code == 422
    assert OptOut.objects.count() == 1


def test_groups_are_made_renamed_and_deleted(page: Client, shop: Account) -> None:
    page.post(reverse("group_create"), {"name": "VIP"})
    group = Group.objects.get()
    contact = contact_upsert(account=shop, actor=None, phone=ANN, group_ids=[group.pk])
    twice = page.post(reverse("group_create"), {"name": "VIP"})

    shown = html(page, "group_detail", group.pk)
    page.post(reverse("group_rename", args=[group.pk]), {"name": "Guests"})
    page.post(reverse("group_remove", args=[group.pk, contact.pk]))
    empty = html(page, "group_detail", group.pk)
    answer = page.post(reverse("group_delete", args=[group.pk]), follow=True)

    assert twice.status_code == 422
    assert "There is a group called “VIP” already" in twice.content.decode()
    assert "1 person" in shown
    assert "Nobody is in this group" in empty
    assert "“Guests” was deleted" in answer.content.decode()
    assert Contact.objects.count() == 1


def test_an_import_from_upload_to_result(page: Client, shop: Account) -> None:
    found = uploaded(page)
    columns = html(page, "import_detail", found.pk)
    page.post(
        reverse("import_start", args=[found.pk]),
        {
            "column_0": "phone",
            "column_1": "first_name",
            "column_2": "custom.note",
            "group_name": "Spring",
            "wording": "Ticked the box",
        },
    )
    waiting = html(page, "import_detail", found.pk)
    import_run(found.pk)
    counted = html(page, "import_detail", found.pk)
    before = Contact.objects.count(), Group.objects.count()
    page.post(reverse("import_confirm", args=[found.pk]))
    import_run(found.pk)
    result = html(page, "import_detail", found.pk)
    listed = html(page, "import_list")

    assert "3055550101" in columns
    assert "New field: Note" in columns
    assert "Check the rows" in columns
    assert 'hx-trigger="every 1s"' in waiting
    assert "Importing would add 2 people and update 0; 2 rows cannot be taken." in counted
    assert "Import 2 people" in counted
    assert "“Spring”, which is made then" in counted
    assert "Impossible phone number" in counted
    assert 'hx-trigger="every' not in counted
    assert before == (0, 0)
    assert "2 rows taken, 2 refused." in result
    assert 'hx-trigger="every' not in result
    assert "Impossible phone number" in result
    assert "list.csv" in listed
    assert Group.objects.get().members.count() == 2
    assert set(Contact.objects.values_list("consent", flat=True)) == {"opted_in"}


def test_a_file_with_headings_alone_says_so(page: Client) -> None:
    found = uploaded(page, b"phone,first name\n")

    page.post(
        reverse("import_start", args=[found.pk]),
        {"column_0": "phone", "column_1": "first_name", "unknown": "on"},
    )
    import_run(found.pk)

    assert "The file has no rows below its headings." in html(page, "import_detail", found.pk)


def test_the_refused_rows_are_a_file_that_no_spreadsheet_runs(page: Client, shop: Account) -> None:
    content = b"phone,first name\n" + b"=cmd()|x,Ann\n" + b"+12,Ben\n" + b"3055550101,Cleo\n"
    found = uploaded(page, content)
    page.post(
        reverse("import_start", args=[found.pk]),
        {"column_0": "phone", "column_1": "first_name", "unknown": "on"},
    )
    import_run(found.pk)

    answer = page.get(reverse("import_refusals", args=[found.pk]))
    text = answer.getvalue().decode("utf-8-sig")

    lines = text.splitlines()
    assert lines[0] == "Line,Reason,What is wrong,The row"
    assert lines[1].startswith("2,Impossible phone number,")
    assert lines[1].endswith('"\'=cmd()|x,Ann"')
    assert lines[2].endswith('"\'+12,Ben"')
    assert len(lines) == 3


def test_a_wrong_guess_can_be_corrected(page: Client, shop: Account) -> None:
    found = uploaded(page, "phone,first name\n3055550101,Łukasz\n".encode("cp1250"))

    page.post(
        reverse("import_reread", args=[found.pk]),
        {"encoding": "cp1250", "delimiter": ",", "has_header": "on"},
    )

    assert "Łukasz" in html(page, "import_detail", found.pk)


def test_how_they_agreed_is_asked_until_the_account_says_it_or_somebody_says_unknown(
    page: Client, shop: Account
) -> None:
    add, ann, ben = reverse("contact_create"), {"phone": ANN}, {"phone": BEN}
    found = uploaded(page)
    start, columns = reverse("import_start", args=[found.pk]), {"column_0": "phone"}

    for silent in (page.post(add, ann), page.post(start, columns)):
        assert silent.status_code == 422
        assert "Say how they agreed, or tick that you do not know." in silent.content.decode()
    assert page.post(add, {**ann, "unknown": "on"}).status_code == 302
    shop.consent_wording = "Signed the card at the till"
    shop.save()
    offered = html(page, "contact_create")
    assert page.post(add, {**ben, "wording": shop.consent_wording}).status_code == 302
    assert page.post(start, columns).status_code == 302

    assert 'value="Signed the card at the till"' in offered
    assert list(Contact.objects.order_by("phone").values_list("phone", "consent")) == [
        (ANN, Consent.UNKNOWN),
        (BEN, Consent.OPTED_IN),
    ]
    assert ConsentEvent.objects.get().wording == "Signed the card at the till"


def test_a_mapping_without_phone_says_so_and_keeps_the_choices(page: Client) -> None:
    found = uploaded(page)

    answer = page.post(
        reverse("import_start", args=[found.pk]), {"column_1": "first_name", "wording": "Till"}
    )

    found.refresh_from_db()
    assert answer.status_code == 422
    assert "Say which column holds the phone number" in answer.content.decode()
    assert "Till" in answer.content.decode()
    assert found.status == ImportStatus.UPLOADED


def test_a_file_that_is_no_list_says_what_to_do(page: Client) -> None:
    file = SimpleUploadedFile("list.xlsx", b"PK\x03\x04" + b"\0" * 50)
    answer = page.post(reverse("import_create"), {"file": file})
    empty = page.post(reverse("import_create"), {"file": SimpleUploadedFile("list.csv", b"")})

    assert answer.status_code == empty.status_code == 422
    assert "CSV UTF-8" in answer.content.decode()
    assert "This file is empty" in empty.content.decode()
    assert ContactImport.objects.count() == 0


def test_a_file_that_is_gone_asks_to_upload_again(page: Client, media: Path) -> None:
    found = uploaded(page)
    (media / found.path).unlink()

    answer = page.get(reverse("import_detail", args=[found.pk]), follow=True)

    assert answer.redirect_chain[-1][0] == reverse("import_create")
    assert "The uploaded file is gone" in answer.content.decode()


def test_a_canceled_import_says_that_nothing_was_stored(page: Client) -> None:
    found = uploaded(page)

    page.post(reverse("import_cancel", args=[found.pk]))

    assert "Nothing of it was stored" in html(page, "import_detail", found.pk)
    assert Contact.objects.count() == 0


@pytest.mark.parametrize(
    ("name", "of", "body"),
    [
        ("contact_create", "", {"phone": BEN}),
        ("contact_edit", "contact", {"phone": BEN}),
        ("contact_delete", "contact", {}),
        ("contact_opt_out", "contact", {}),
        ("contact_opt_in", "contact", {"wording": "x"}),
        ("group_create", "", {"name": "New"}),
        ("group_rename", "group", {"name": "New"}),
        ("group_delete", "group", {}),
        ("group_remove", "member", {}),
        ("import_create", "", {}),
        ("import_reread", "import", {"encoding": "cp1250", "delimiter": ";"}),
        ("import_start", "import", {"column_0": "phone"}),
        ("import_cancel", "import", {}),
        ("import_confirm", "import", {}),
        ("import_reopen", "import", {}),
        ("import_undo", "import", {}),
    ],
)
def test_a_viewer_reads_and_changes_nothing(
    viewer: Client, shop: Account, other_shop: Account, name: str, of: str, body: dict[str, str]
) -> None:
    group = group_create(account=shop, actor=None, name="VIP")
    contact = contact_upsert(account=shop, actor=None, phone=ANN, group_ids=[group.pk])
    upload = SimpleUploadedFile("list.csv", LIST)
    found = import_create(account=shop, actor=None, upload=upload)
    before = ContactImport.objects.values().get()
    args = {
        "": [],
        "contact": [contact.pk],
        "group": [group.pk],
        "member": [group.pk, contact.pk],
        "import": [found.pk],
    }[of]

    answer = viewer.post(reverse(name, args=args), body)

    assert answer.status_code == 403
    assert list(Contact.objects.values_list("phone", "consent", "deleted_at")) == [
        (ANN, "unknown", None)
    ]
    assert list(Group.objects.values_list("name", flat=True)) == ["VIP"]
    assert GroupMember.objects.count() == 1
    assert ConsentEvent.objects.count() == OptOut.objects.count() == 0
    assert ContactImport.objects.values().get() == before


def test_a_viewer_sees_every_page_without_its_buttons(viewer: Client, shop: Account) -> None:
    group = group_create(account=shop, actor=None, name="VIP")
    contact = contact_upsert(account=shop, actor=None, phone=ANN, group_ids=[group.pk])
    upload = SimpleUploadedFile("list.csv", LIST)
    found = import_create(account=shop, actor=None, upload=upload)

    pages = [
        html(viewer, "contact_list"),
        html(viewer, "contact_detail", contact.pk),
        html(viewer, "group_list"),
        html(viewer, "group_detail", group.pk),
        html(viewer, "import_list"),
        html(viewer, "import_detail", found.pk),
    ]

    for text in pages:
        assert "Import a list" not in text
        assert "data-confirm=" not in text


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("contact_detail", "contact"),
        ("contact_edit", "contact"),
        ("group_detail", "group"),
        ("import_detail", "import"),
        ("import_refusals", "import"),
    ],
)
def test_another_accounts_pages_do_not_exist(
    page: Client, other_shop: Account, name: str, of: str
) -> None:
    group = group_create(account=other_shop, actor=None, name="VIP")
    contact = contact_upsert(account=other_shop, actor=None, phone=ANN)
    upload = SimpleUploadedFile("list.csv", LIST)
    found = import_create(account=other_shop, actor=None, upload=upload)
    pk = {"contact": contact.pk, "group": group.pk, "import": found.pk}[of]

    html(page, name, pk, status=404)
