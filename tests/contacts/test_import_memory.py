"""Columns are remembered by their headings, within the account and once an import is done."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from accounts.services import account_create
from contacts.choices import ImportStatus
from contacts.columns import headings_key
from contacts.models import Contact
from contacts.services import import_cancel, import_reread, import_run, import_start
from tests.contacts.importing import ran, started, uploaded

pytestmark = pytest.mark.usefixtures("media")

GUESSED = ["phone", "first_name", "custom.code"]
CHOSEN = ["phone", "last_name", ""]
FIRST = b"Phone,First name,Code\n+13055550101,Lee,A1\n"
SAID = "where they went in your last import"


def imported(account: Account, mapping: list[str]) -> None:
    assert ran(account, FIRST, mapping=mapping).status == ImportStatus.DONE


def test_the_same_headings_go_where_they_went_last(shop: Account) -> None:
    assert uploaded(shop, FIRST).mapping == GUESSED
    imported(shop, ["phone", "", ""])
    imported(shop, CHOSEN)

    again = uploaded(shop, b"PHONE;first  name;Code\n+13055550102;Roe;B2\n")
    import_start(account=shop, actor=None, import_id=again.pk, mapping=again.mapping)
    import_run(again.pk)

    assert again.mapping == CHOSEN
    assert Contact.objects.get(phone="+13055550102").last_name == "Roe"


@pytest.mark.parametrize(
    ("content", "mapping"),
    [
        (b"Phone,First name\n+13055550102,Ann\n", ["phone", "first_name"]),
        (b"First name,Phone,Code\nAnn,+13055550102,B\n", ["first_name", "phone", "custom.code"]),
        (b"+13055550102,Ann,B2\n", ["phone", "", ""]),
    ],
)
def test_other_headings_are_guessed(shop: Account, content: bytes, mapping: list[str]) -> None:
    imported(shop, CHOSEN)

    assert uploaded(shop, content).mapping == mapping


def test_what_was_not_finished_is_not_remembered(shop: Account) -> None:
    found = started(shop, FIRST, mapping=CHOSEN)
    import_cancel(account=shop, actor=None, import_id=found.pk)

    assert uploaded(shop, FIRST).mapping == GUESSED


def test_another_account_remembers_nothing_of_it(shop: Account, charlie: User) -> None:
    imported(shop, CHOSEN)
    other = account_create(name="Other shop", owner=charlie)

    assert uploaded(other, FIRST).mapping == GUESSED


def test_read_without_headings_nothing_is_remembered(shop: Account) -> None:
    imported(shop, CHOSEN)
    found = uploaded(shop, FIRST)

    reread = import_reread(
        account=shop, import_id=found.pk, encoding="utf-8", delimiter=",", has_header=False
    )

    assert found.mapping == CHOSEN
    assert (reread.headings_key, reread.mapping) == ("", ["phone", "", ""])


def test_the_page_says_that_columns_were_remembered(
    client: Client, shop: Account, alice: User
) -> None:
    client.force_login(alice)
    before = client.get(reverse("import_detail", args=[uploaded(shop, FIRST).pk]))
    imported(shop, CHOSEN)

    after = client.get(reverse("import_detail", args=[uploaded(shop, FIRST).pk]))

    assert SAID not in before.content.decode()
    assert SAID in after.content.decode()


def test_headings_cannot_be_joined_into_others() -> None:
    assert headings_key(["a", "b"]) != headings_key(["a b"])
    assert headings_key(["a,b", "c"]) != headings_key(["a", "b,c"])
