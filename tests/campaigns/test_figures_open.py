"""Every figure of every report opens the list behind it, and the list holds just so many."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.test import Client

from accounts.models import Account, User
from campaigns.opening import period_opens
from contacts.models import Group
from messaging.models import Message, SenderNumber
from messaging.recounting import differences
from tests.campaigns.figures import Figure, figures_of, is_list, listed
from tests.campaigns.mixed import TODAY, Mixed, mixed
from tracking.models import Link

# Whole numbers that open no list, by what they stand in, and why.
EXCUSED: Final[Mapping[tuple[str, ...], str]] = {
    ("Blasts",): "blasts are counted, which stand in the reports themselves",
    ("Credits",): "a sum of credits is explained by the movements of credits",
    ("Cost",): "an account of credits; its lines are sums",
    ("Segments",): "of one text, in a list already",
    ("Over time",): "curves count up to the figures of the funnel, which open",
    ("clicks-card",): "hits by the hour; all of them stand below",
    ("People", "h2"): "how many the list below it holds",
}
# What leads to how a figure came about and not to a list.
EXPLAINED: Final = ("/costs/", "#cost")
PERIOD: Final = period_opens(date(2026, 10, 14), date(2026, 11, 10))


@pytest.fixture
def world(account: Account, alice: User, bob: User, sender: SenderNumber) -> Iterator[Mixed]:
    """Of the 10th of November 2026."""
    made = mixed(account, alice, bob, sender)
    with time_machine.travel(TODAY, tick=False):
        yield made


@pytest.fixture
def client(browse: Callable[[User], Client], alice: User, world: Mixed) -> Client:
    """Alice's, at that time."""
    return browse(alice)


def _pages(world: Mixed) -> list[str]:
    links = Link.objects.filter(account=world.account).order_by("pk")
    return [
        *("/", "/?days=90&hours=replied", "/?hours=delivered", "/campaigns/", "/links/"),
        *(f"/campaigns/{one.campaign_id}/" for one in (world.roses, world.orphan)),
        f"/campaigns/{world.roses.campaign_id}/?clicks=all",
        f"/campaigns/{world.roses.campaign_id}/people",
        *(f"/blasts/{one.pk}/" for one in world.blasts),
        f"/blasts/{world.roses.pk}/?clicks=all",
        *(f"/links/{one.pk}/" for one in links),
    ]


def _excuse(figure: Figure) -> tuple[str, ...] | None:
    within = set(figure.within)
    return next((marks for marks in EXCUSED if set(marks) <= within), None)


def test_kept_counts_are_the_rows(world: Mixed) -> None:
    # Texts that are written by hand were not charged for: what batches used is in no ledger.
    assert [one for one in differences() if one.column != "credits_used"] == []


def test_every_figure_opens_the_list_it_counts(client: Client, world: Mixed) -> None:
    counted: dict[str, int] = {}
    excused: set[tuple[str, ...]] = set()
    wrong: list[str] = []
    for page in _pages(world):
        for figure in figures_of(client, page):
            if is_list(figure.href):
                counted.setdefault(figure.href, len(listed(client, figure.href)))
                if counted[figure.href] != figure.count:
                    wrong.append(f"{page}: {figure} opens {counted[figure.href]}")
            elif excuse := _excuse(figure):
                excused.add(excuse)
            elif not any(mark in figure.href for mark in EXPLAINED):
                wrong.append(f"{page}: {figure} opens nothing")

    assert "\n".join(wrong) == ""
    assert len(counted) > 150
    assert excused == set(EXCUSED)


def test_days_and_hours_are_those_of_the_accounts_clock(client: Client) -> None:
    days, clicked = _moments(client, "/")
    _, replied = _moments(client, "/?hours=replied")
    _, delivered = _moments(client, "/?hours=delivered")

    assert days == {
        "delivered-2026-10-21": 6,
        "delivered-2026-10-31": 1,
        "delivered-2026-11-01": 3,
        "delivered-2026-11-02": 1,
        "clicked-2026-10-21": 1,
        "clicked-2026-11-01": 2,
        "clicked-2026-11-08": 1,
        "replied-2026-11-01": 1,
        "replied-2026-11-02": 1,
    }
    # Half past one came twice that Sunday.
    assert clicked == {"clicked-3-00": 1, "clicked-7-01": 2, "clicked-7-09": 1}
    assert replied == {"replied-7-23": 1, "replied-1-11": 1}
    assert delivered == {
        "delivered-3-00": 6,
        "delivered-6-23": 1,
        "delivered-7-00": 2,
        "delivered-7-08": 1,
        "delivered-1-10": 1,
    }


def test_figures_and_lists_move_to_another_zone_together(
    client: Client, account: Account, world: Mixed
) -> None:
    Account.objects.filter(pk=account.pk).update(timezone="Asia/Kolkata")

    days, clicked = _moments(client, "/")

    # Half past one by New York's summer clock is eleven in India, an hour later noon.
    assert clicked == {"clicked-3-09": 1, "clicked-7-11": 1, "clicked-7-12": 1, "clicked-7-19": 1}
    assert days["delivered-2026-11-01"] == 4
    for figure in figures_of(client, "/"):
        if "hour=" in figure.href or ("day=" in figure.href and figure.count):
            assert len(listed(client, figure.href)) == figure.count, figure


def _moments(client: Client, page: str) -> tuple[dict[str, int], dict[str, int]]:
    """What the overview counts by day and by hour of the week, by what the lists ask for."""
    found: dict[str, dict[str, int]] = {"day": {}, "hour": {}}
    for figure in figures_of(client, page):
        asked = parse_qs(urlsplit(figure.href).query)
        for name, counts in found.items():
            if name in asked and figure.count:
                counts[asked[name][0]] = figure.count
    return found["day"], found["hour"]


@pytest.mark.parametrize(
    ("figure", "count"),
    [
        ("audience", 21),
        ("meant", 18),
        ("handed", 17),
        ("asked", 16),
        ("accepted", 15),
        ("delivered", 11),
        ("linked", 10),
        ("clicked", 4),
        ("hit", 5),
        ("replied", 2),
        ("opted_out", 2),
        ("failed", 3),
        ("skipped", 3),
        ("waiting", 4),
        ("unheard", 2),
        ("pending", 1),
        ("unknown", 1),
    ],
)
def test_a_list_is_the_same_as_page_as_file_and_as_group(
    client: Client, account: Account, figure: str, count: int
) -> None:
    href = PERIOD[figure]
    ids = [int(row.split("/")[2]) for row in listed(client, href)]
    page = client.get(href).content.decode()
    answer: Any = client.get(href.replace("/messages/?", "/messages/log.csv?"))
    lines = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    asked = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    client.post("/messages/group", asked | {"name": "Chosen"})

    rows = Message.objects.filter(pk__in=ids)
    assert len(ids) == len(set(ids)) == rows.count() == len(lines) == count
    assert f">{count} text{'' if count == 1 else 's'}</span>" in page
    assert sorted(line["phone"] for line in lines) == sorted(rows.values_list("phone", flat=True))
    members = Group.objects.get(account=account, name="Chosen").members
    contacts = set(rows.values_list("contact_id", flat=True))
    assert set(members.values_list("contact_id", flat=True)) == contacts


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("kind=api", 1),
        ("kind=reply&replied=yes", 1),
        ("kind=auto", 1),
        ("direction=in", 1),
        ("by=nobody", 8),
        ("by=nobody&kind=auto", 1),
        ("kind=blast&by=nobody&clicked=no&left=yes", 1),
        ("number=%2B12025550101", 16),
        ("number=%2B12025550101&kind=blast&reason=invalid_number", 1),
        ("from=2026-11-02&to=2026-11-02", 11),
        ("from=2026-10-31&to=2026-10-31&clicked=yes", 3),
        ("kind=blast&to=2026-10-14", 7),
        ("linked=yes", 21),
        ("linked=yes&kind=api", 0),
        ("from=yesterday&to=2026-02-30&by=x&number=-&day=clicked&hour=clicked-0-24", 32),
        ("link=999999", 0),
    ],
)
def test_the_log_is_narrowed_by_how_it_was_sent(client: Client, query: str, count: int) -> None:
    assert len(listed(client, f"/messages/?{query}")) == count


def test_who_sent_it_is_asked_for_by_account_user(client: Client, alice: User, bob: User) -> None:
    assert len(listed(client, f"/messages/?by={alice.pk}")) == 16
    assert len(listed(client, f"/messages/?kind=blast&by={bob.pk}&state=sent")) == 1


@pytest.mark.parametrize(
    "path", ["/messages/?kind=blast&show=failed", "/campaigns/{}/people?show=failed#people"]
)
def test_lists_of_several_blasts_are_looked_through_in_steps(
    client: Client, world: Mixed, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = path.format(world.roses.campaign_id)
    whole = listed(client, url)
    for view in ("messaging.views.log", "campaigns.views.people"):
        monkeypatch.setattr(f"{view}.LOOKED_AT_MOST", 3)
        monkeypatch.setattr(f"{view}.PAGE_SIZE", 1)

    assert len(whole) == 3
    assert listed(client, url) == whole


def test_a_stranger_is_shown_nobody_by_any_filter(
    browse: Callable[[User], Client], charlie: User, other_account: Account, world: Mixed
) -> None:
    stranger = browse(charlie)
    link = Link.objects.get(batch_id=world.roses.batch_id)

    for query in (
        PERIOD["audience"].partition("?")[2],
        f"link={link.pk}",
        f"link={link.pk}&clicked=hit",
        f"by={world.roses.sent_by_id}",
        "number=%2B12025550100",
        "linked=yes",
        "kind=api",
    ):
        assert listed(stranger, f"/messages/?{query}") == [], query
        answer: Any = stranger.get(f"/messages/log.csv?{query}")
        assert len(b"".join(answer).splitlines()) == 1, query
    page = stranger.get(f"/messages/?by={world.roses.sent_by_id}").content.decode()
    assert "Alice Adams" not in page


def test_a_campaign_says_whether_it_agrees_with_the_carrier(client: Client, world: Mixed) -> None:
    spring = client.get(f"/campaigns/{world.roses.campaign_id}/").content.decode()
    news = client.get(f"/campaigns/{world.orphan.campaign_id}/").content.decode()

    held = "1 of 2 blasts held against the carrier's records: agrees with the carrier's records"
    assert held in spring
    assert "agrees with the carrier's records, checked" in news
    assert "held against" not in news
