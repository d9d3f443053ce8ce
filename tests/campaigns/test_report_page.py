import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts.choices import Role
from accounts.models import Account, Membership, User
from campaigns.models import Blast
from common.clock import now
from messaging.choices import BatchState
from messaging.models import Batch, BatchTally, BatchTotals, Message
from tests.campaigns.conftest import Browse, words
from tests.campaigns.launched import finished


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
