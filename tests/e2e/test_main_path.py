"""The main job, end to end: 10,000 contacts from a CSV file, one blast, every figure proven twice.

The dashboard, the worker, the edge and carriersim are processes of their own. The Message Report is
held against a recount of the rows, and against carriersim's own record of what it took and told.
"""

import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import phonenumbers
import pytest
from django.core.management import call_command

from accounts.choices import AccountStatus
from accounts.models import Account, User
from accounts.services import account_open, user_create
from campaigns.models import Blast
from carriersim.client import Client
from contacts.choices import ImportStatus
from contacts.models import ContactImport
from messaging.choices import Direction, MessageState
from messaging.models import CarrierEventQueue, Message
from messaging.selectors import batch_figures
from tests.e2e.visitor import Visitor
from tests.stack import Stack
from tracking.choices import Verdict
from tracking.models import Click

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct-horse-battery"
PEOPLE = 10_000
REFUSED_ROWS = 4
SHARES = {
    "outcomes": {"landline": 0.01, "filtered": 0.005, "unreachable": 0.01, "never_final": 0.002},
    "refusals": {"21211": 0.002, "21614": 0.001},
    "callback_faults": {"duplicated": 0.05, "reordered": 0.05},
    "click_share": 0.1,
    "preview_share": 0.05,
    "reply_share": 0.03,
    "replies": {"YES": 0.5, "STOP": 0.3, "question": 0.2},
}
# carriersim's words, as our states.
CARRIER_STATES = {
    "delivered": MessageState.DELIVERED,
    "undelivered": MessageState.UNDELIVERED,
    "failed": MessageState.FAILED,
    "sent": MessageState.SENT,
}


@pytest.fixture
def shop(stack: Stack) -> Account:
    owner = user_create(
        email="alice@example.com", password=PASSWORD, name="Alice Adams", email_verified=True
    )
    account = account_open(
        name="Alice's Flowers", owner=owner, status=AccountStatus.ACTIVE, trial_credits=50_000
    )
    account.quiet_start = account.quiet_end = "00:00"
    account.save()
    account.sender_numbers.update(rate_per_s=5_000)
    return account


def csv_file() -> bytes:
    """10,000 people on numbers for fiction (only ordinary phones), and rows that cannot be used."""
    lines = ["First name,Mobile,Email"]
    for index, phone in enumerate(_phones()):
        lines.append(f"Person{index % 97},{phone},p{index}@example.com")
    lines += ["Nobody,,", "Short,12345,", "Words,not a number,", "Bad,+1 000 000 0000,"]
    lines += ["Again,(201) 555-0100,", "Again,+12015550100,", "Again,1 201 555 0100,"]
    return "\n".join(lines).encode("utf-8-sig")


def _phones() -> Iterator[str]:
    """Numbers set aside for fiction, 50 an area code: plain phones to carriersim."""
    areas = (area for area in range(201, 990) if phonenumbers.is_valid_number(_first_of(area)))
    for area in itertools.islice(areas, PEOPLE // 50):
        yield from (f"({area}) 555-01{line:02}" for line in range(50))


def _first_of(area: int) -> phonenumbers.PhoneNumber:
    return phonenumbers.parse(f"+1{area}5550100")


def test_ten_thousand_people_from_a_csv_to_a_report_that_agrees_with_the_carrier(
    stack: Stack, shop: Account
) -> None:
    stack.carriersim.set(speed=40, profile=SHARES, delays={"click": [160, 400], "reply": [5, 60]})
    visitor = Visitor(stack.web_url)
    visitor.log_in("alice@example.com", PASSWORD)

    _import(visitor, stack)
    blast = _send(visitor, stack, shop)
    _settle(stack, blast)

    assert blast.batch is not None
    batch = blast.batch
    figures = batch_figures([batch.pk])[batch.pk]
    rows = Message.objects.filter(batch=batch)
    _equals_a_recount(figures, rows)
    _equals_the_carriers_record(stack.carriersim, rows, figures)
    _is_what_the_report_says(visitor, blast, figures)
    call_command("verify_reports", stdout=io.StringIO())


def _import(visitor: Visitor, stack: Stack) -> None:
    visitor.open("/contacts/imports/new/")
    visitor.submit(
        "/contacts/imports/new/", {}, files={"file": ("spring.csv", csv_file(), "text/csv")}
    )
    number = re.search(r"/contacts/imports/(\d+)/", visitor.url)
    assert number is not None, visitor.url
    columns = re.findall(r'<select[^>]*name="(column_\d+)".*?</select>', visitor.text, re.S)
    chosen = dict(zip(columns, ("first_name", "phone", "email"), strict=True))
    visitor.submit(
        f"/contacts/imports/{number[1]}/start/",
        {**chosen, "group_name": "Spring customers", "wording": "Signed the list at the till"},
    )
    for state, what in ((ImportStatus.CHECKED, "the dry run"), (ImportStatus.DONE, "the import")):
        reached = ContactImport.objects.filter(pk=number[1], status=state)
        stack.wait_until(reached.exists, what=what)
        visitor.open(f"/contacts/imports/{number[1]}/")
        if state == ImportStatus.CHECKED:
            assert f"{REFUSED_ROWS} rows cannot be taken" in visitor.words
            visitor.submit(f"/contacts/imports/{number[1]}/confirm/", {})
    visitor.open(f"/contacts/imports/{number[1]}/")
    assert "10,000" in visitor.words
    refused = visitor.fetch(f"/contacts/imports/{number[1]}/refused.csv").strip().splitlines()
    assert len(refused) == 1 + REFUSED_ROWS


def _send(visitor: Visitor, stack: Stack, shop: Account) -> Blast:
    visitor.open("/blasts/new")
    group = re.search(r'name="groups"[^>]*value="(\d+)"', visitor.text)
    assert group is not None
    typed = {
        "name": "Spring is here",
        "new_campaign": "Spring",
        "groups": group[1],
        "sender": shop.sender_numbers.get().pk,
        "body": "Hi {{first_name|there}}, tulips are in: https://shop.example/t Reply STOP to end",
        "when": "now",
    }
    visitor.submit("/blasts/count", typed)
    assert "10,000" in visitor.words
    visitor.open("/blasts/new")
    visitor.submit("/blasts/new", {**typed, "act": "send"})
    blast = Blast.objects.get(account=shop)
    assert visitor.url.endswith(f"/blasts/{blast.pk}/")
    stack.wait_until(
        lambda: Blast.objects.filter(pk=blast.pk, batch__state="done").exists(),
        timeout_s=180,
        what="the blast to be sent",
    )
    blast.refresh_from_db()
    return blast


def _settle(stack: Stack, blast: Blast) -> None:
    """Wait until the phones have reacted and everything that came in was applied."""
    stack.wait_until(
        lambda: (
            stack.carriersim.stats()["idle"]
            and not CarrierEventQueue.objects.exists()
            and not Click.objects.filter(verdict=Verdict.PENDING).exists()
        ),
        timeout_s=180,
        what="callbacks, replies and clicks",
    )


def _equals_a_recount(figures: Any, rows: Any) -> None:
    states = Counter(rows.values_list("state", flat=True))
    taken = sum(
        states[state] for state in ("accepted", "sent", "delivered", "undelivered", "failed")
    )
    assert figures.audience == rows.count() == PEOPLE
    assert figures.accepted == taken
    assert figures.refused == states["refused"]
    assert figures.delivered == states["delivered"]
    assert figures.unknown == states["unknown"] == 0
    assert figures.pending == states["pending"] == 0
    assert figures.skipped == states["skipped"] == 0
    assert figures.clicked == rows.filter(human_click_at__isnull=False).count()
    assert figures.replied == rows.filter(replied_at__isnull=False).count()
    assert figures.opted_out == rows.filter(opted_out_at__isnull=False).count()
    assert figures.credits == sum(rows.exclude(state="refused").values_list("credits", flat=True))


def _equals_the_carriers_record(carrier: Client, rows: Any, figures: Any) -> None:
    since = rows.order_by("id").values_list("created_at", flat=True)[0].timestamp() - 1
    blast_texts = [m for m in carrier.messages(since=since) if "tulips are in" in m["body"]]
    theirs = {m["to"]: CARRIER_STATES[m["status"]] for m in blast_texts}
    ours = dict(rows.exclude(state=MessageState.REFUSED).values_list("phone", "state"))
    assert len(blast_texts) == len(theirs), "somebody was texted twice"
    assert ours == theirs
    assert sum(int(m["num_segments"]) for m in blast_texts) == figures.segments
    said = carrier.messages(since=since, direction="inbound")
    stopped = {m["from"] for m in said if m["body"] == "STOP"}
    answered = {m["from"] for m in said} - stopped
    assert figures.opted_out == len(stopped)
    assert figures.replied == len(answered)
    hits = carrier.clicks(since=since)
    assert figures.clicks_total == len(hits)
    assert figures.clicked == len({hit["phone"] for hit in hits if hit["kind"] == "human"})
    received = Message.objects.filter(direction=Direction.IN)
    assert received.count() == len(said)


def _is_what_the_report_says(visitor: Visitor, blast: Blast, figures: Any) -> None:
    visitor.open(f"/blasts/{blast.pk}/")
    for number in (
        figures.audience,
        figures.accepted,
        figures.delivered,
        figures.clicked,
        figures.replied,
        figures.opted_out,
        figures.credits,
    ):
        assert f"{number:,}" in visitor.words
    sender = User.objects.get(email="alice@example.com")
    assert sender.display_name in visitor.words
    people = visitor.fetch(f"/blasts/{blast.pk}/people.csv").strip().splitlines()
    assert len(people) == 1 + PEOPLE
