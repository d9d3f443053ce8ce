"""The credit statement: one row a send, in words, with its movements behind it."""

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services
from accounts.models import Account, User
from common.phone import display
from contacts.models import Contact
from messaging.choices import BatchKind
from messaging.models import Batch, Message, Price, SenderNumber

pytestmark = pytest.mark.django_db

PHONE = "+12025550170"


@pytest.fixture
def browser(alice: User) -> Client:
    """Alice's."""
    client = Client()
    client.force_login(alice)
    return client


def make(account: Account, sender: SenderNumber, kind: str, **more: Any) -> Batch:
    """A send of one kind, with a text where it has only one."""
    fields = {"name": "", "body": "Hi", "size": 1, "request_key": f"{kind}{more}"}
    batch = Batch.objects.create(account=account, kind=kind, sender=sender, **{**fields, **more})
    if kind != BatchKind.BLAST:
        Message.objects.create(
            account=account,
            batch=batch,
            recipient_no=1,
            phone=PHONE,
            our_number=sender.phone,
            contact=Contact.objects.filter(account=account, phone=PHONE).first(),
        )
    return batch


def move(account: Account, batch: Batch, *, reserved: int, used: int, back: int) -> None:
    """What a send does to the credits; used in two steps where it can be."""
    of: dict[str, Any] = {"account": account, "batch_id": batch.pk}
    services.credits_reserve(**of, credits=reserved, key=f"reserve:{batch.pk}")
    for step, credits in enumerate((used - used // 2, used // 2)):
        if credits:
            services.credits_settle(**of, credits=credits, key=f"settle:{batch.pk}:{step}")
    if back:
        services.credits_release(**of, credits=back, key=f"release:{batch.pk}")


def rows(browser: Client) -> list[str]:
    """The rows of the statement as words, newest first."""
    page = browser.get("/settings/credits/").content.decode()
    body = page[page.index("<tbody>") : page.index("</tbody>")]
    words = [re.sub(r"<[^>]+>", " ", row) for row in body.split("</tr>")[:-1]]
    return [re.sub(r"\s+", " ", row.replace("\xa0", " ")).strip() for row in words]


def test_a_send_is_one_row_however_often_its_credits_moved(
    account: Account, sender: SenderNumber, alice: User, browser: Client
):
    Contact.objects.create(account=account, phone=PHONE, first_name="Carol", last_name="Cook")
    blast = make(account, sender, BatchKind.BLAST, name="Roses", size=50, created_by=alice)
    move(account, blast, reserved=100, used=90, back=10)
    services.credits_adjust(account=account, batch_id=blast.pk, credits=2, key="adjust")
    reply = make(account, sender, BatchKind.REPLY, created_by=alice)
    move(account, reply, reserved=2, used=1, back=1)
    waiting = make(account, sender, BatchKind.AUTO)
    move(account, waiting, reserved=1, used=0, back=0)

    auto, answer, big, trial = rows(browser)

    assert "Automatic answer to Carol Cook" in auto
    assert "automatic 0 1 held 99,906" in auto
    assert "Reply to Carol Cook" in answer
    assert "2 set aside" in answer
    assert "Alice Adams −1 99,907" in answer
    assert "Roses to 50 people How it came about 100 set aside" in big
    assert "90 used, for what the carrier took in 2 steps" in big
    assert "10 given back, not needed" in big
    assert "-2 to agree with the carrier’s count" in big
    assert "Alice Adams −92 99,908" in big
    assert "Trial credits" in trial
    assert "+100,000 100,000" in trial


def test_the_page_says_what_a_segment_costs_where(account: Account, browser: Client):
    Price.objects.create(country="GB", credits=3)
    Price.objects.create(country="DE", kind=BatchKind.API, credits=9)

    page = browser.get("/settings/credits/")

    assert page.context["prices"] == [
        ("Canada", 1),
        ("Puerto Rico", 1),
        ("U.S. Virgin Islands", 1),
        ("United Kingdom", 3),
        ("United States", 1),
        ("Everywhere else", 5),
    ]
    assert "United Kingdom: 3 credits" in page.content.decode()


def test_more_sends_cost_no_more_queries(account: Account, sender: SenderNumber, browser: Client):
    move(account, make(account, sender, BatchKind.API), reserved=1, used=1, back=0)
    rows(browser)
    with CaptureQueriesContext(
        connection,
    ) as few:
        rows(browser)
    for number in range(5):
        batch = make(account, sender, BatchKind.API, request_key=str(number))
        move(account, batch, reserved=1, used=1, back=0)

    with CaptureQueriesContext(connection) as many:
        found = rows(browser)

    assert len(found) == 7
    assert len(many) == len(few)


def test_sends_of_others_are_not_in_it(
    account: Account, other_account: Account, sender: SenderNumber, browser: Client
):
    theirs = make(other_account, sender, BatchKind.BLAST, name="Cheese")
    move(other_account, theirs, reserved=5, used=5, back=0)

    assert len(rows(browser)) == 1
    assert "Cheese" not in browser.get("/settings/credits/").content.decode()


def movements(browser: Client, **params: str) -> list[tuple[str, int, str]]:
    """(kind, credits, what it was) of the movements that a filter leaves, newest first."""
    lines = browser.get("/settings/credits/movements/", params).context["lines"]
    return [(one.entry.kind, one.entry.available, one.title) for one in lines]


@pytest.fixture
def moved(account: Account, sender: SenderNumber, alice: User, bob: User) -> Batch:
    """A blast of Alice's, a program's text, and a gift that Bob entered long ago."""
    gift = services.credits_grant(
        account=account, credits=5, kind="grant", key="gift", actor=bob, note="=cmd|' /C calc'!A0"
    )
    type(gift).objects.filter(pk=gift.pk).update(created_at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    blast = make(account, sender, BatchKind.BLAST, name="Roses", size=2, created_by=alice)
    move(account, blast, reserved=4, used=3, back=1)
    move(account, make(account, sender, BatchKind.API), reserved=1, used=1, back=0)
    return blast


def test_movements_are_found_by_kind_person_day_and_send(
    moved: Batch, alice: User, bob: User, browser: Client
):
    everything = movements(browser)

    assert len(everything) == 8
    assert movements(browser, kind="in") == [
        ("grant", 5, "Granted by staff"),
        ("trial", 100_000, "Trial credits"),
    ]
    assert movements(browser, kind="release") == [("release", 1, "Roses")]
    assert movements(browser, who=str(bob.pk)) == [("grant", 5, "Granted by staff")]
    assert {title for _, _, title in movements(browser, who=str(alice.pk))} == {"Roses"}
    assert movements(browser, **{"from": "2026-03-01", "to": "2026-03-01"}) == [
        ("grant", 5, "Granted by staff")
    ]
    assert len(movements(browser, batch=str(moved.pk))) == 4
    nonsense = {"kind": "x", "who": "x", "from": "2026-99-99", "to": "9999-12-31", "batch": "x"}
    assert movements(browser, **nonsense) == everything


def test_movements_as_a_file_are_those_of_the_page(moved: Batch, browser: Client):
    answer = browser.get("/settings/credits/movements.csv", {"kind": "settle"})
    every = browser.get("/settings/credits/movements.csv")

    def read(answer: Any) -> list[list[str]]:
        return list(csv.reader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))

    head, *lines = read(answer)
    assert head[2:] == [
        "movement", "credits", "held", "left_after", "send", "send_number", "who", "note"
    ]  # fmt: skip
    single = Batch.objects.get(kind=BatchKind.API)
    to_carol = f"Text by a program to {display(PHONE)}"
    assert [line[2:9] for line in lines] == [
        ["Used", "0", "-1", "100001", to_carol, str(single.pk), "a program"],
        ["Used", "0", "-1", "100001", "Roses", str(moved.pk), "Alice Adams"],
        ["Used", "0", "-2", "100001", "Roses", str(moved.pk), "Alice Adams"],
    ]
    assert [line[9] for line in read(every) if line[2] == "Granted by staff"] == [
        "'=cmd|' /C calc'!A0"
    ]
