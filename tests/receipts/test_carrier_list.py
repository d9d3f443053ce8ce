"""A carrier's list read page by page: whose fault it is where one cannot be read."""

import json
from datetime import timedelta
from typing import Any

import pytest

from common.clock import now
from messaging.carrier_list import CarrierAway, ListUnreadable, listed
from messaging.gateways.base import Answer
from messaging.models import CarrierAccount

pytestmark = pytest.mark.django_db

NUMBER = "+12025550100"


def page(*, is_last: bool = False, **changes: Any) -> Answer:
    """A page of one text."""
    row = {
        "sid": "SM" + "0" * 32,
        "to": NUMBER,
        "date_created": now().strftime("%a, %d %b %Y %H:%M:%S +0000"),
        **changes,
    }
    following = None if is_last else "/2010-04-01/more"
    body = json.dumps({"messages": [row], "next_page_uri": following})
    return Answer(200, body.encode())


BUSY, SILENT = Answer(503, b"{}"), Answer(0, b"", error="timeout")
LOGIN = Answer(401, b"{}")


@pytest.mark.parametrize(
    ("answers", "raised", "seen"),
    [
        ([page(), page(is_last=True)], None, 2),
        ([LOGIN], CarrierAway, 0),
        ([SILENT], CarrierAway, 0),
        ([page(date_created="soon")], ListUnreadable, 0),
        ([page(), BUSY], ListUnreadable, 1),
        ([page(), SILENT], ListUnreadable, 1),
        ([page(), page(), page(), page(is_last=True)], ListUnreadable, 3),
    ],
)
def test_only_an_account_that_answers_with_no_page_at_all_is_away(
    carrier: CarrierAccount,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[Answer],
    raised: type[CarrierAway] | None,
    seen: int,
) -> None:
    left = iter(answers)
    monkeypatch.setattr("messaging.carrier_list._get", lambda *_: next(left))
    monkeypatch.setattr("messaging.carrier_list._PAGES_MOST", 3)
    found = []
    error: CarrierAway | None = None

    try:
        for one in listed(carrier, to=NUMBER, since=now() - timedelta(days=1)):
            found.append(one)
    except CarrierAway as away:
        error = away

    assert len(found) == seen
    assert (type(error) if error else None) is raised
    if error:
        assert error.carrier_account_id == carrier.pk
