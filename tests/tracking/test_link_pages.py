"""The link pages: people and robots apart, over time without holes, nobody else's."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, User
from tracking.choices import Verdict
from tracking.models import Click, Link
from tracking.selectors import link_activity, links_totals

pytestmark = pytest.mark.django_db

START = datetime(2026, 5, 5, 14, 30, tzinfo=UTC)  # 10:30 in New York


@pytest.fixture
def link(account: Account) -> Link:
    """A link in a blast to 200 people: 3 clicks of 2 people, 2 hits of robots."""
    return Link.objects.create(
        account=account,
        destination="https://example.com/roses",
        label="Last call",
        batch_id=1,
        recipients=200,
        clicks_total=5,
        clicks_human=3,
        recipients_clicked=4,
        recipients_human=2,
    )


def _hit(link: Link, at: datetime, verdict: str = Verdict.HUMAN, **fields: object) -> None:
    Click.objects.create(
        account_id=link.account_id,
        link=link,
        recipient_no=1,
        at=at,
        method="GET",
        ip_hash=b"x",
        verdict=verdict,
        **fields,
    )


@pytest.fixture
def browser(alice: User, account: Account) -> Client:
    """Alice's."""
    client = Client()
    client.force_login(alice)
    return client


def _page(client: Client, name: str, *args: int, **query: str) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_links_the_page_teaches(browser: Client):
    page = _page(browser, "link_list")

    assert "No links yet" in page
    assert reverse("blast_create") in page


def test_the_list_tells_people_from_robots(link: Link, browser: Client):
    page = _page(browser, "link_list")

    assert "2 people opened your link. Robots hit them 2 times more" in page
    for words in ("https://example.com/roses", "Last call", ">200<", ">2</strong>"):
        assert words in page
    assert "%" not in page[page.index("<tbody>") : page.index("</tbody>")]


@pytest.mark.parametrize(
    ("q", "found"), [("roses", True), ("LAST call", True), ("tulips", False), ("\0", True)]
)
def test_links_are_found_by_address_and_blast(link: Link, browser: Client, q: str, found: bool):
    page = _page(browser, "link_list", q=q)

    assert (reverse("link_report", args=[link.pk]) in page) is found
    assert ("No link matches" in page) is not found


def test_the_report_says_what_was_judged_and_why(
    link: Link, browser: Client, django_assert_max_num_queries
):
    for minutes in range(3):
        _hit(link, START + timedelta(minutes=minutes), reasons=["browser"])
    _hit(link, START, Verdict.PREVIEW, user_agent="WhatsApp/2.23", reasons=["preview_agent"])
    again = Link.objects.create(
        account=link.account, destination=link.destination, label="First call", batch_id=2
    )

    with django_assert_max_num_queries(13):
        page = _page(browser, "link_report", link.pk)

    for words in (
        "2 of the 200 people in the list opened it.",
        "Most clicks of people came in the hour from Tue 5 May 10:00: 3.",
        "times in New York",
        "is the link preview of a known app",
        "came from a web browser",
        "WhatsApp/2.23",
        reverse("link_report", args=[again.pk]),
    ):
        assert words in page


def test_a_link_nobody_opened_says_so(link: Link, browser: Client):
    Link.objects.update(recipients_human=0)

    page = _page(browser, "link_report", link.pk)

    assert "Nobody of the 200 people in the list has opened it yet." in page
    assert "Nobody has opened this link yet." in page


def test_quiet_hours_are_drawn_as_nothing(link: Link):
    _hit(link, START)
    _hit(link, START + timedelta(hours=3))
    _hit(link, START + timedelta(hours=3), Verdict.UNSURE)

    with timezone.override("America/New_York"):
        unit, moments = link_activity(link=link)

    assert unit == "hour"
    assert [(one.label, one.human, one.robots) for one in moments] == [
        ("Tue 5 May 10:00", 1, 0),
        ("Tue 5 May 11:00", 0, 0),
        ("Tue 5 May 12:00", 0, 0),
        ("Tue 5 May 13:00", 1, 1),
    ]


@pytest.mark.parametrize(
    ("apart", "unit", "slots"),
    [
        (timedelta(0), "hour", 1),
        (timedelta(hours=48), "hour", 49),
        (timedelta(hours=49), "day", 3),
        (timedelta(days=120), "day", 121),
        (timedelta(days=121), "week", 18),
    ],
)
def test_long_times_are_told_in_longer_slots(link: Link, apart: timedelta, unit: str, slots: int):
    _hit(link, START)
    _hit(link, START + apart)

    with timezone.override("America/New_York"):
        told, moments = link_activity(link=link)

    assert (told, len(moments)) == (unit, slots)
    assert sum(one.human for one in moments) == 2
    assert moments[0].human >= 1
    assert moments[-1].human >= 1


def test_the_hour_that_comes_twice_is_one_slot(link: Link):
    before_the_change = datetime(2026, 11, 1, 4, 30, tzinfo=UTC)  # 00:30 EDT
    for hours in range(4):
        _hit(link, before_the_change + timedelta(hours=hours))

    with timezone.override("America/New_York"):
        _, moments = link_activity(link=link)

    assert sum(one.human for one in moments) == 4
    assert [one.label for one in moments] == [
        "Sun 1 Nov 00:00",
        "Sun 1 Nov 01:00",
        "Sun 1 Nov 02:00",
    ]


def test_totals_count_only_the_account(link: Link, other_account: Account):
    Link.objects.create(
        account=other_account, destination="https://example.com/", batch_id=9, clicks_total=7
    )

    totals = links_totals(account=link.account)

    assert (totals.links, totals.clicks_total, totals.clicks_robots) == (1, 5, 2)


def test_a_stranger_sees_no_link(link: Link, charlie: User, other_account: Account):
    stranger = Client()
    stranger.force_login(charlie)

    assert "example.com/roses" not in _page(stranger, "link_list")
    assert stranger.get(reverse("link_report", args=[link.pk])).status_code == 404
