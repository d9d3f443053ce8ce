"""The people behind a figure of a report: listed, exported, made a group."""

import csv
import io
import re
from typing import Any

import pytest

from accounts.models import Account, User
from campaigns import services
from campaigns.models import Blast
from common.clock import now
from common.csvout import csv_lines
from contacts.models import Group
from messaging.models import Batch, BatchTally, Message
from tests.campaigns.conftest import Browse, words
from tests.campaigns.launched import finished, launched


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", "6"),
        ("?show=accepted", "4"),
        ("?show=delivered", "2"),
        ("?show=clicked", "1"),
        ("?show=hit", "2"),
        ("?show=failed", "3"),
        ("?show=failed&reason=landline", "1"),
        ("?reason=opted_out", "1"),
        ("?show=skipped", "1"),
        ("?show=waiting", "0"),
        ("?clicked=yes&replied=no", "1"),
        ("?q=Cleo", "1"),
    ],
)
def test_a_list_says_how_many_it_holds(
    browse: Browse, alice: User, blast: Blast, query: str, count: str
) -> None:
    finished(blast)

    page = words(browse(alice).get(f"/blasts/{blast.pk}/{query}").content.decode())

    assert f" People {count} " in page
    for button in ("All 6", "Delivered 2", "Clicked 1", "Left 1", "Not delivered 3", "Waiting 0"):
        assert f" {button} " in page


def test_beyond_the_limit_a_list_says_more_than(
    browse: Browse, alice: User, blast: Blast, settings: Any
) -> None:
    finished(blast)
    settings.EXPORT_STREAM_ROWS = 2

    page = words(browse(alice).get(f"/blasts/{blast.pk}/?clicked=no").content.decode())

    assert " People more than 2 " in page
    assert "Make a group of all of these" in page


def test_the_people_of_a_whole_campaign_are_one_list(
    browse: Browse, account: Account, alice: User, blast: Blast
) -> None:
    finished(blast)
    again = services.blast_duplicate(account=account, actor=alice, blast=blast)
    second = launched(account, alice, again)
    *_, cleo, _, _, _ = Message.objects.filter(batch=second.batch).order_by("recipient_no")
    Message.objects.filter(pk=cleo.pk).update(state="delivered", human_click_at=now())
    client = browse(alice)
    base = f"/campaigns/{blast.campaign_id}"

    page = client.get(f"{base}/people?clicked=yes&replied=no").content.decode()

    assert " Texts 2 " in words(page)
    assert "Make a group of the people of these 2 texts" in words(page)
    assert "Who passed over one text may have answered another" in words(page)
    assert page.count('class="row-title"') == 2
    answer: Any = client.get(f"{base}/people.csv?clicked=yes&replied=no")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    assert [row["first_name"] for row in rows] == ["Ann", "Cleo"]
    asked = {"name": "Warm", "clicked": "yes", "replied": "no"}
    client.post(f"{base}/group", asked)
    group = Group.objects.get(account=account, name="Warm")
    members = group.members.order_by("contact_id").values_list("contact__first_name", flat=True)
    assert list(members) == ["Ann", "Cleo"]


def test_somebody_with_two_texts_in_a_list_is_in_its_group_once(
    browse: Browse, account: Account, alice: User, blast: Blast
) -> None:
    again = services.blast_duplicate(account=account, actor=alice, blast=blast)
    launched(account, alice, again)
    asked = {"name": "All", "show": "waiting"}

    answer = browse(alice).post(f"/campaigns/{blast.campaign_id}/group", asked, follow=True)

    assert "The group “All” holds 5 people." in answer.content.decode()
    assert Group.objects.get(name="All").members.count() == 5


def test_the_list_as_filtered_comes_as_csv_that_no_spreadsheet_runs(
    browse: Browse, alice: User, blast: Blast
) -> None:
    finished(blast)

    answer: Any = browse(alice).get(f"/blasts/{blast.pk}/people.csv?show=delivered")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")

    assert answer.headers["Content-Disposition"] == f'attachment; filename="blast-{blast.pk}.csv"'
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["first_name"] for row in rows] == ["Ann", "Cleo"]
    assert [row["clicks"] for row in rows] == ["2", "0"]
    assert rows[1]["text"] == "'=Hi Cleo"
    assert rows[0]["phone"].startswith("+1202555")


def test_a_large_blast_is_not_counted_to_offer_another_try(
    browse: Browse, alice: User, blast: Blast
) -> None:
    finished(blast)
    batch = blast.batch
    assert batch is not None
    Message.objects.filter(batch=batch, reason="landline").update(
        reason="unreachable", carrier_code="30003"
    )
    BatchTally.objects.filter(batch=batch, reason="landline").update(reason="unreachable")
    small = browse(alice).get(f"/blasts/{blast.pk}/").content.decode()
    Batch.objects.filter(pk=batch.pk).update(size=50_001)
    BatchTally.objects.filter(batch=batch, reason="unreachable").update(messages=1200)

    large = browse(alice).get(f"/blasts/{blast.pk}/").content.decode()

    assert "1 of them failed for a cause that may have passed." in small
    assert "Try 1 failed text again" in small
    assert "Up to 1,200 of them failed for a cause that may have passed." in large
    assert "Try failed texts again" in large


def test_a_list_becomes_a_group_to_write_to(
    browse: Browse, account: Account, alice: User, blast: Blast
) -> None:
    finished(blast)
    client = browse(alice)
    asked = {"name": "Unreached", "show": "failed", "reason": "landline"}

    answer = client.post(f"/blasts/{blast.pk}/group", asked, follow=True)

    group = Group.objects.get(account=account, name="Unreached")
    assert [m.contact.first_name for m in group.members.select_related("contact")] == ["Dan"]
    assert answer.redirect_chain[0][0] == (
        f"/blasts/new?campaign={blast.campaign_id}&group={group.pk}"
    )
    page = answer.content.decode()
    assert "The group “Unreached” holds 1 person." in page
    assert re.search(rf'name="groups" value="{group.pk}" checked', page)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"name": "Customers", "show": "delivered"}, "There is a group called “Customers” already"),
        ({"name": "Nobody", "show": "waiting"}, "Nobody in this list fits what you chose"),
    ],
)
def test_a_group_that_cannot_be_made_is_explained(
    browse: Browse, alice: User, blast: Blast, asked: dict[str, str], sentence: str
) -> None:
    finished(blast)

    answer = browse(alice).post(f"/blasts/{blast.pk}/group", asked, follow=True)

    assert sentence in answer.content.decode()
    assert Group.objects.count() == 1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_formulas_are_defused(text: str) -> None:
    lines = "".join(csv_lines(["text"], [[text], [f"a{text}"]]))

    assert list(csv.reader(io.StringIO(lines, newline="")))[1:] == [[f"'{text}"], [f"a{text}"]]
