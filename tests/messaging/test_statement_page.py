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
from django.urls import reverse

from accounts import services
from accounts.choices import Role
from accounts.models import Account, CreditEntry, Membership, Purchase, User
from campaigns.models import Blast, Campaign
from common.clock import now
from common.phone import display
from contacts.models import Contact
from messaging.choices import BatchKind
from messaging.models import Batch, LookupRun, Message, Price, SenderNumber

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
        "movement", "credits", "held", "owed", "left_after", "cause", "send_number",
        "purchase_number", "who", "note",
    ]  # fmt: skip
    single = Batch.objects.get(kind=BatchKind.API)
    to_carol = f"Text by a program to {display(PHONE)}"
    assert [line[2:11] for line in lines] == [
        ["Used", "0", "-1", "0", "100001", to_carol, str(single.pk), "", "a program"],
        ["Used", "0", "-1", "0", "100001", "Roses", str(moved.pk), "", "Alice Adams"],
        ["Used", "0", "-2", "0", "100001", "Roses", str(moved.pk), "", "Alice Adams"],
    ]
    assert [line[11] for line in read(every) if line[2] == "Granted by staff"] == [
        "'=cmd|' /C calc'!A0"
    ]


@pytest.fixture
def everything_moved(account: Account, moved: Batch, alice: User) -> Purchase:
    """On top of `moved`: an adjustment, a look-up, and a purchase whose price went back."""
    services.credits_adjust(account=account, batch_id=moved.pk, credits=-1, key="adjust")
    run = LookupRun.objects.create(
        account=account,
        carrier_account=moved.sender.carrier_account,
        request_key="run",
        title="Regulars",
        asked_by=alice,
        credits_each=5,
        numbers=2,
    )
    asked: dict[str, Any] = {"account": account, "note": "Line types of Regulars"}
    services.credits_reserve(**asked, credits=10, key=f"lookups:{run.pk}:reserve", actor=alice)
    services.credits_settle(**asked, credits=5, key=f"lookups:{run.pk}:settle")
    purchase = Purchase.objects.create(
        account=account,
        name="Small",
        credits=500,
        price_cents=1000,
        currency="usd",
        reference="ref",
        request_key="bought",
        created_by=alice,
        paid_at=now(),
    )
    of: dict[str, Any] = {"account": account, "actor": None, "purchase_id": purchase.pk}
    services.credits_grant(**of, credits=500, kind="purchase", key="stripe:cs_1")
    big = make(account, moved.sender, BatchKind.BLAST, name="Everybody")
    campaign = Campaign.objects.create(account=account, name="May")
    for batch in (moved, big):
        Blast.objects.create(
            account=account, campaign=campaign, name=batch.name, state="launched", batch=batch
        )
    services.credits_reserve(account=account, credits=100_400, batch_id=big.pk, key="big")
    services.credits_refund(**of, credits=500, key="refund:evt_1")
    services.credits_grant(account=account, credits=150, kind="grant", key="late", actor=alice)
    return purchase


def test_every_movement_leads_to_what_caused_it(
    everything_moved: Purchase, moved: Batch, account: Account, bob: User, browser: Client
):
    text = Message.objects.get(batch__kind=BatchKind.API)
    run = LookupRun.objects.get()

    lines = browser.get("/settings/credits/movements/").context["lines"]

    urls = {(one.entry.kind, one.entry.batch_id, one.entry.note[:4]): one.url for one in lines}
    of_blast = [url for (_, batch, _), url in urls.items() if batch == moved.pk]
    assert of_blast == [reverse("batch_report", args=[moved.pk])] * 4  # one of each kind
    assert urls["settle", text.batch_id, ""] == reverse("message_detail", args=[text.pk])
    assert urls["reserve", None, "Line"] == reverse("lookup_detail", args=[run.pk])
    bought = f"{reverse('credit_buy')}?purchase={everything_moved.pk}"
    assert (urls["purchase", None, ""], urls["refund", None, "408 "]) == (bought, bought)
    assert urls["trial", None, "Give"] == ""
    for url in filter(None, urls.values()):
        # The batch's address leads on to the report of its blast.
        assert browser.get(url).status_code == (302 if "/batch/" in url else 200)
    Membership.objects.filter(account=account, user=bob).update(role=Role.VIEWER)
    browser.force_login(bob)
    for page in ("/settings/credits/movements/", "/settings/credits/"):
        seen = browser.get(page).content.decode()
        assert (bought in seen, reverse("message_detail", args=[text.pk]) in seen) == (False, True)


def test_the_file_holds_every_movement_and_adds_up_to_the_account(
    everything_moved: Purchase, account: Account, browser: Client
):
    def read(**asked: str) -> list[dict[str, str]]:
        answer = browser.get("/settings/credits/movements.csv", asked)
        return list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))

    def adds_up(rows: list[dict[str, str]]) -> tuple[int, int, int]:
        credits, held, owed = (
            sum(int(row[name]) for row in rows) for name in ("credits", "held", "owed")
        )
        return credits, held, owed

    every = read()

    account.refresh_from_db()
    assert (account.credit_balance, account.credit_held, account.credit_owed) == (0, 100_405, 258)
    assert len(every) == 16
    assert adds_up(every) == (0, 100_405, 258)
    assert [int(row["number"]) for row in every] == sorted(
        CreditEntry.objects.filter(account=account).values_list("pk", flat=True), reverse=True
    )
    left = 0
    for row in reversed(every):
        left += int(row["credits"])
        assert int(row["left_after"]) == left
    by_kind = {kind: read(kind=kind) for kind in ("in", "reserve", "settle", "release", "adjust")}
    assert {kind: adds_up(rows) for kind, rows in by_kind.items()} == {
        "in": (100_413, 0, 258),
        "reserve": (-100_415, 100_415, 0),
        "settle": (0, -9, 0),
        "release": (1, -1, 0),
        "adjust": (1, 0, 0),
    }
    assert sum(map(len, by_kind.values())) == 16
    split = [read(to="2026-03-01"), read(**{"from": "2026-03-02"})]
    assert [adds_up(rows) for rows in split] == [(5, 0, 0), (-5, 100_405, 258)]
    assert [row["purchase_number"] for row in every if row["movement"] == "Purchase"] == [
        str(everything_moved.pk)
    ]
    page = browser.get("/settings/credits/movements/", {"kind": "settle"}).content.decode()
    assert "<strong>4</strong> movements: left –, held −9." in page
    page = browser.get("/settings/credits/movements/").content.decode()
    assert "They add up to <strong>0</strong> left and <strong>100,405</strong> held" in page
    assert "held, with <strong>258</strong> owed." in page
