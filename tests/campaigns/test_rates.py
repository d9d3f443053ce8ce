"""The rates of every page, held against one table made by hand from their definitions.

delivery = delivered / (accepted + refused by the carrier); click = recipients with a click of a
person / delivered with a link; response = recipients who replied / delivered; unsubscribe =
recipients who opted out / delivered. The rows are those of `tests.campaigns.mixed`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import time_machine
from django.test import Client

from accounts.models import Account, User
from messaging.models import SenderNumber
from tests.campaigns.mixed import TODAY, Mixed, mixed
from tracking.models import Link

NAMES: Final = ("Delivery", "Click", "Response", "Unsubscribed")
NONE: Final = "no link"
# What is reported on: x of y for each of the four.
ROSES: Final = ("4 of 6", "3 of 4", "1 of 4", "1 of 4")
NOTICE: Final = ("1 of 4", NONE, "1 of 1", "0 of 1")
ORPHAN: Final = ("6 of 6", "1 of 6", "0 of 6", "1 of 6")
SPRING: Final = ("5 of 10", "3 of 4", "2 of 5", "1 of 5")
NEWS: Final = ("12 of 12", "2 of 12", "0 of 12", "2 of 12")
LATELY: Final = ("11 of 16", "4 of 10", "2 of 11", "2 of 11")
BOB: Final = NOTICE
FIRST_NUMBER: Final = ("3 of 4", "2 of 3", "1 of 3", "1 of 3")
SECOND_NUMBER: Final = ("8 of 12", "2 of 7", "1 of 8", "1 of 8")


@pytest.fixture
def world(account: Account, alice: User, bob: User, sender: SenderNumber) -> Iterator[Mixed]:
    """Of the 10th of November 2026."""
    made = mixed(account, alice, bob, sender)
    with time_machine.travel(TODAY, tick=False):
        yield made


@pytest.fixture
def read(browse: Callable[[User], Client], alice: User, world: Mixed) -> Callable[[str], str]:
    """`read(path)`: a page as Alice sees it."""
    client = browse(alice)
    return lambda path: client.get(path).content.decode()


def _words(html: str) -> str:
    bare = re.sub(r"<(script|title).*?</\1>|<[^>]+>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", bare.replace("\xa0", " ")).strip()


def _rows(html: str, section: str) -> dict[str, tuple[str, ...]]:
    """The four rates of each row of a table, by what the row begins with."""
    [table] = re.findall(rf'aria-label="{section}".*?</table>', html, flags=re.S)
    found = {}
    for row in re.findall(r"<tr.*?</tr>", table, flags=re.S)[1:]:
        cells = dict(re.findall(r'data-label="(\w+)">(.*?)</td>', row, flags=re.S))
        name = _words(re.findall(r'class="row-title".*?>(.*?)</', row, flags=re.S)[0])
        rates = [_words(cells[label]) for label in NAMES]
        found[name] = tuple(NONE if NONE in rate else rate.split("% ")[1] for rate in rates)
    return found


def _cards(html: str) -> tuple[str, ...]:
    """The four rates that lead a report."""
    cards = re.findall(r'class="rate-of">(.*?)</div>', html, flags=re.S)[:4]
    return tuple(NONE if NONE in _words(card) else _words(card) for card in cards)


def test_rates_of_reports(read: Callable[[str], str], world: Mixed) -> None:
    assert _cards(read(f"/blasts/{world.roses.pk}/")) == ROSES
    assert _cards(read(f"/blasts/{world.notice.pk}/")) == NOTICE
    assert _cards(read(f"/blasts/{world.orphan.pk}/")) == ORPHAN
    assert _cards(read(f"/campaigns/{world.roses.campaign_id}/")) == SPRING
    assert _cards(read(f"/campaigns/{world.orphan.campaign_id}/")) == NEWS
    assert _cards(read("/")) == LATELY


def test_robots_are_clicks_only_where_that_is_asked_for(
    read: Callable[[str], str], world: Mixed
) -> None:
    hit = (ROSES[0], "4 of 4", *ROSES[2:])

    assert _cards(read(f"/blasts/{world.roses.pk}/?clicks=all")) == hit
    assert _cards(read(f"/campaigns/{world.roses.campaign_id}/?clicks=all"))[1] == "4 of 4"


def test_rates_of_rows(read: Callable[[str], str], world: Mixed) -> None:
    overview = read("/")

    blasts = {"Roses": ROSES, "Notice": NOTICE, "Orphan": ORPHAN}
    assert _rows(overview, "Recent blasts") == blasts
    assert _rows(overview, "By account user") == {
        "Alice Adams": ROSES,
        "Bob Brown": BOB,
        "Somebody who has left": ORPHAN,
    }
    assert _rows(overview, "By sending number") == {
        "+1 202 555 0100": FIRST_NUMBER,
        "+1 202 555 0101": SECOND_NUMBER,
    }
    spring = read(f"/campaigns/{world.roses.campaign_id}/")
    assert _rows(spring, "Blasts") == {"Roses": ROSES, "Notice": NOTICE}
    assert _rows(read("/campaigns/").replace('id="campaigns"', 'aria-label="C"'), "C") == {
        "Spring": SPRING,
        "News": NEWS,
    }


def test_rates_of_the_api(api: Any, world: Mixed) -> None:
    for path, expected in (
        (f"blasts/{world.roses.pk}", ROSES),
        (f"blasts/{world.notice.pk}", NOTICE),
        (f"campaigns/{world.roses.campaign_id}", SPRING),
    ):
        figures = api.get(f"/api/v1/{path}/report/").json()["figures"]
        rates = [figures[f"{n}_rate"] for n in ("delivery", "click", "response", "unsubscribe")]
        found = [f"{one['count']} of {one['of']}" if one["of"] else NONE for one in rates]
        assert tuple(found) == expected, path


def test_people_of_a_link(read: Callable[[str], str], world: Mixed) -> None:
    link = Link.objects.get(batch_id=world.roses.batch_id)

    page = _words(read(f"/links/{link.pk}/"))

    assert "3 of the 7 people in the list opened it." in page
    for words in ("People who clicked 3", "Clicks by people 4", "Phones with any hit 4"):
        assert words in re.sub(r" (of|the same|people, previews).*?(?=[A-Z])", " ", page), words
    assert "All hits 8 4 by robots or unsure" in page
