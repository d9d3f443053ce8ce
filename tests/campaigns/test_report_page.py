import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.choices import Role
from accounts.models import Account, Membership, User
from campaigns import services
from campaigns.models import Blast
from common.clock import now
from common.csvout import csv_lines
from contacts.models import Group
from messaging.choices import BatchState
from messaging.models import Batch, BatchTally, BatchTotals, Message
from tests.campaigns.launched import finished, launched

Browse = Callable[[User], Client]


def words(html: str) -> str:
    """A page's text, white space folded."""
    bare = re.sub(r"<script.*?</script>|<[^>]+>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", bare)


@pytest.fixture
def blast(account: Account, alice: User, draft: Blast) -> Blast:
    return launched(account, alice, draft)


def test_the_answer_funnel_and_rates_say_what_the_rows_say(
    browse: Browse, alice: User, blast: Blast
) -> None:
    finished(blast)

    page = words(browse(alice).get(f"/blasts/{blast.pk}/").content.decode())

    assert "2 of 5 people got it (40.0%)" in page
    assert "1 tapped the link, 1 replied and 1 left" in page
    assert "6 in the list 4 accepted 2 delivered 1 clicked 1 replied" in page
    assert "1 not texted: opted out 3 not delivered" in page
    for rate in ("40.0% 2 of 5", "50.0% 1 of 2"):
        assert rate in page
    assert "Alice Adams" in page
    assert "+1 202 555 0100" in page.replace("\xa0", " ")
    assert "as Ann got it" in page


def test_robots_clicks_are_counted_only_when_asked_for(
    browse: Browse, alice: User, blast: Blast
) -> None:
    finished(blast)
    client = browse(alice)

    assert "100% 2 of 2" not in words(client.get(f"/blasts/{blast.pk}/").content.decode())
    with_robots = words(client.get(f"/blasts/{blast.pk}/?clicks=all").content.decode())
    assert "Click, robots too" in with_robots
    assert "100% 2 of 2" in with_robots


def test_the_rule_of_attribution_stands_beside_the_figures(
    browse: Browse, account: Account, alice: User, blast: Blast
) -> None:
    finished(blast)
    Account.objects.filter(pk=account.pk).update(attribution_hours=48)
    client = browse(alice)

    for path in (
        f"/blasts/{blast.pk}/",
        f"/blasts/{blast.pk}/live?was=settling",
        f"/campaigns/{blast.campaign_id}/",
    ):
        page = words(client.get(path).content.decode())
        assert "from the same number in the 48 hours before it" in page, path


def test_failures_are_told_by_cause_with_what_to_do(
    browse: Browse, alice: User, blast: Blast
) -> None:
    finished(blast)

    page = words(browse(alice).get(f"/blasts/{blast.pk}/").content.decode())

    assert "Not delivered, and why 3 of 6 in the list" in page
    for told in (
        "Landline The number is a landline, or its carrier cannot be reached."
        " Mostly a landline on the list. 1 with code 30006. Take these numbers off your"
        " list; texting them only costs money and reputation. 1",
        "Filtered as spam The message was filtered as spam. Public link shorteners, capitals,"
        " money or loan words, a missing brand name or opt-out line, or many equal texts in a"
        " short time. 1 with code 30007.",
        "In this text: The text does not name Alice&#x27;s Flowers.",
        "Impossible number The carrier says that this is no valid phone number. A typing mistake,"
        " or a number that was never given out. 1 without a code: The carrier gave no cause.",
        "Landline (30006)",
        "Filtered as spam (30007)",
    ):
        assert told in page


def test_what_a_text_had_filtered_is_told_only_where_it_was(
    browse: Browse, alice: User, blast: Blast
) -> None:
    finished(blast)
    Batch.objects.update(body="FREE!!! cash advance at https://bit.ly/x")
    client = browse(alice)

    page = words(client.get(f"/blasts/{blast.pk}/").content.decode())
    BatchTally.objects.filter(reason="filtered").delete()
    unfiltered = words(client.get(f"/blasts/{blast.pk}/").content.decode())

    for found in ("bit.ly is a public link shortener", "“cash advance”", "“FREE!!!”"):
        assert f"In this text: {found}" in page
    assert "In this text" not in unfiltered


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["Ann", "Ben", "Cleo", "Dan", "Eve", "No name"]),
        ("?show=delivered", ["Ann", "Cleo"]),
        ("?show=accepted", ["Ann", "Cleo", "Dan", "Eve"]),
        ("?show=clicked", ["Ann"]),
        ("?show=hit", ["Ann", "Cleo"]),
        ("?show=replied", ["Cleo"]),
        ("?show=opted_out", ["Eve"]),
        ("?show=failed", ["Dan", "Eve", "No name"]),
        ("?show=failed&reason=landline", ["Dan"]),
        ("?show=failed&code=30007", ["Eve"]),
        ("?show=failed&code=none", ["No name"]),
        ("?show=failed&code=30007'--", ["Dan", "Eve", "No name"]),
        ("?show=skipped", ["Ben"]),
        ("?clicked=yes&replied=no", ["Ann"]),
        ("?show=delivered&clicked=no", ["Cleo"]),
        ("?clicked=hit&replied=yes&left=no", ["Cleo"]),
        ("?show=failed&left=no", ["Dan", "No name"]),
        ("?show=waiting", []),
        ("?show=nonsense&reason=nonsense", ["Ann", "Ben", "Cleo", "Dan", "Eve", "No name"]),
        ("?q=Cleo", ["Cleo"]),
    ],
)
def test_each_figure_opens_its_people(
    browse: Browse, alice: User, blast: Blast, query: str, shown: list[str]
) -> None:
    finished(blast)

    html = browse(alice).get(f"/blasts/{blast.pk}/{query}").content.decode()

    names = re.findall(r'<th scope="row" class="cell-main"><a class="row-title"[^>]*>([^<]+)', html)
    assert sorted(names) == sorted(shown)
    assert ("Nobody here" in html) == (not shown)


def test_while_it_goes_out_the_report_asks_for_itself_and_later_stops(
    browse: Browse, alice: User, blast: Blast
) -> None:
    client = browse(alice)

    running = client.get(f"/blasts/{blast.pk}/").content.decode()
    assert f"/blasts/{blast.pk}/live?was=running" in running
    assert "0 of 5 are with the carrier" in words(running)
    part = client.get(f"/blasts/{blast.pk}/live?was=running")
    assert 'id="live"' in part.content.decode()
    assert "HX-Refresh" not in part.headers

    finished(blast)
    assert client.get(f"/blasts/{blast.pk}/live?was=running").headers["HX-Refresh"] == "true"
    assert "live?was=settling" in client.get(f"/blasts/{blast.pk}/").content.decode()
    finished_at = now() - timedelta(hours=2)
    Batch.objects.update(finished_at=finished_at)
    assert "live?was" not in client.get(f"/blasts/{blast.pk}/").content.decode()


def test_the_list_of_people_changes_with_the_figures(
    browse: Browse, alice: User, blast: Blast
) -> None:
    finished(blast)
    client = browse(alice)
    page = f"http://testserver/blasts/{blast.pk}/?show=failed&reason=landline"

    live = f"/blasts/{blast.pk}/live?was=settling"
    everybody = client.get(live).content.decode()
    landlines = client.get(live, headers={"HX-Current-URL": page}).content.decode()

    mark = 'id="people-rows" hx-swap-oob="true"'
    rows = [html.partition(mark)[2] for html in (everybody, landlines)]
    assert [html.count('class="row-title"') for html in rows] == [6, 1]
    assert "Dan" in rows[1]


def test_pause_resume_and_cancel_by_button(browse: Browse, alice: User, blast: Blast) -> None:
    client = browse(alice)

    for act, state in (
        ("pause", BatchState.PAUSED),
        ("resume", BatchState.RUNNING),
        ("cancel", BatchState.CANCELED),
    ):
        answer = client.post(f"/blasts/{blast.pk}/{act}", follow=True)
        assert answer.redirect_chain == [(f"/blasts/{blast.pk}/", 302)]
        assert Batch.objects.get().state == state
    again = client.post(f"/blasts/{blast.pk}/resume", follow=True).content.decode()
    assert "This has ended already. Nothing was changed." in again


def test_a_viewer_reads_and_stops_nothing(
    browse: Browse, account: Account, bob: User, blast: Blast
) -> None:
    Membership.objects.filter(account=account, user=bob).update(role=Role.VIEWER)
    client = browse(bob)

    assert client.get(f"/blasts/{blast.pk}/").status_code == 200
    assert "Cancel the rest" not in client.get(f"/blasts/{blast.pk}/").content.decode()
    for act in ("pause", "cancel", "undo", "again", "send", "group"):
        assert client.post(f"/blasts/{blast.pk}/{act}").status_code == 403
    assert Batch.objects.get().state == BatchState.RUNNING
    assert Blast.objects.count() == 1


def test_a_stranger_finds_nothing(
    browse: Browse, other_account: Account, charlie: User, blast: Blast
) -> None:
    client = browse(charlie)

    for path in ("", "live", "launched", "people.csv", "edit"):
        assert client.get(f"/blasts/{blast.pk}/{path}").status_code == 404
    for act in ("pause", "resume", "cancel", "undo", "again", "send", "discard", "edit", "group"):
        assert client.post(f"/blasts/{blast.pk}/{act}").status_code == 404
    for path in ("people", "people.csv"):
        assert client.get(f"/campaigns/{blast.campaign_id}/{path}").status_code == 404
    assert client.get(f"/campaigns/{blast.campaign_id}/").status_code == 404
    assert client.post(f"/campaigns/{blast.campaign_id}/archive").status_code == 404
    assert Batch.objects.get().state == BatchState.RUNNING


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

    assert " People 2 " in words(page)
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


def test_the_report_costs_few_queries(
    browse: Browse, alice: User, blast: Blast, django_assert_max_num_queries: Callable
) -> None:
    finished(blast)
    client = browse(alice)

    with django_assert_max_num_queries(26):
        client.get(f"/blasts/{blast.pk}/")


def paused_by_itself(blast: Blast) -> None:
    """As the breaker leaves it; of five texts that ended one failed for a cause that may pass."""
    *_, filtered, _ = finished(blast)
    Message.objects.filter(pk=filtered.pk).update(
        reason="unreachable", carrier_code="30003", opted_out_at=None
    )
    BatchTally.objects.filter(batch=blast.batch, reason="filtered").update(reason="unreachable")
    BatchTotals.objects.filter(batch=blast.batch).update(opted_out=0)
    Batch.objects.filter(blast=blast).update(
        state=BatchState.PAUSED, state_reason="51 of the last 500 texts were filtered as spam."
    )


def test_a_blast_that_paused_by_itself_says_why_and_what_can_be_done(
    browse: Browse, alice: User, blast: Blast
) -> None:
    paused_by_itself(blast)

    html = browse(alice).get(f"/blasts/{blast.pk}/").content.decode()

    page = words(html)
    assert "It paused by itself. 51 of the last 500 texts were filtered as spam." in page
    assert "Try 1 failed text again" in page
    for act in ("resume", "cancel", "retry"):
        assert html.count(f'action="/blasts/{blast.pk}/{act}"') == 1


def test_a_viewer_reads_why_and_is_offered_nothing(
    browse: Browse, account: Account, blast: Blast
) -> None:
    paused_by_itself(blast)
    viewer = User.objects.create_user("vera@example.com")
    Membership.objects.create(account=account, user=viewer, role=Role.VIEWER)

    html = browse(viewer).get(f"/blasts/{blast.pk}/").content.decode()

    assert "It paused by itself." in words(html)
    assert not re.search(rf'action="/blasts/{blast.pk}/(resume|cancel|retry)"', html)


def test_whom_a_person_paused_shows_no_alert(browse: Browse, alice: User, blast: Blast) -> None:
    Batch.objects.filter(blast=blast).update(state=BatchState.PAUSED)

    html = browse(alice).get(f"/blasts/{blast.pk}/").content.decode()

    assert "It paused by itself" not in html
    assert html.count(f'action="/blasts/{blast.pk}/resume"') == 1


def test_the_failed_of_a_finished_blast_are_tried_again_once(
    browse: Browse, alice: User, blast: Blast
) -> None:
    paused_by_itself(blast)
    Batch.objects.update(state=BatchState.DONE, state_reason="")
    client = browse(alice)
    page = words(client.get(f"/blasts/{blast.pk}/").content.decode())
    assert "1 of them failed for a cause that may have passed. Try 1 failed text again" in page

    first = words(client.post(f"/blasts/{blast.pk}/retry", follow=True).content.decode())
    second = words(client.post(f"/blasts/{blast.pk}/retry", follow=True).content.decode())

    assert "1 person is tried again." in first
    assert "Going out now" in first
    assert "Nobody here can be tried again now" in second
    assert Message.objects.filter(batch=blast.batch, state="pending").count() == 1
    assert Batch.objects.get().retries == 1


def test_trying_again_while_paused_waits_for_the_resume(
    browse: Browse, alice: User, blast: Blast
) -> None:
    paused_by_itself(blast)

    page = browse(alice).post(f"/blasts/{blast.pk}/retry", follow=True).content.decode()

    assert "1 person is back in line. They go out when you resume." in words(page)
    assert Batch.objects.get().state == BatchState.PAUSED
