"""Audiences that take too long to count: the composer says so, and all else works."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Account, User
from campaigns.choices import BlastState
from campaigns.models import Blast
from common.sql import Sql
from contacts.models import Group
from messaging import capping, recipients
from messaging.models import SenderNumber
from messaging.services import audience_count, timing_people
from tests.campaigns.conftest import Browse, api_client, words

SENTENCE = "Counting these people takes longer than a page may. You can save this and send it"


@pytest.fixture
def typed(group: Group, sender: SenderNumber) -> dict[str, Any]:
    return {"groups": [group.pk], "body": "Hi {{first_name|there}}", "when": "now"}


def _slow(monkeypatch: pytest.MonkeyPatch, asking: Callable[..., Any], name: str) -> None:
    """As where nothing finds these people: the statement that `asking` makes takes ten seconds."""
    module = sys.modules[asking.__module__]
    find = getattr(module, name)

    def slow(*args: Any, **asked: Any) -> Sql:
        found = find(*args, **asked)
        return Sql(f"SELECT f.* FROM ({found.text}) f, pg_sleep(10)", found.params)

    monkeypatch.setattr("campaigns.composing.COUNT_S", 0.05)
    monkeypatch.setattr(module, name, slow)


def test_an_audience_that_takes_too_long_is_told_in_a_sentence_beside_the_text(
    browse: Browse, alice: User, typed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = "Hi there"
    _slow(monkeypatch, audience_count, "people_by_shape")

    answer = browse(alice).post("/blasts/count", typed)

    assert answer.status_code == 200
    told = answer.context["composed"]
    assert (told.estimate, told.error) == (None, "")
    assert "it uncounted?" in answer.content.decode()
    assert (told.text, told.count.segments) == (shown, 1)
    assert SENTENCE in words(answer.content.decode())


def test_a_draft_whose_people_take_too_long_is_saved_and_sent(
    browse: Browse, alice: User, draft: Blast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.composing.COUNT_S", 0.05)

    def slow(**asked: Any) -> Sql:
        found = recipients.people_by_shape(**asked)
        return Sql(f"SELECT f.* FROM ({found.text}) f, pg_sleep(0.2)", found.params)

    monkeypatch.setattr("messaging.services.estimating.people_by_shape", slow)
    client = browse(alice)

    page = client.get(f"/blasts/{draft.pk}/edit")
    client.post(f"/blasts/{draft.pk}/send")

    assert page.status_code == 200
    assert Blast.objects.get(pk=draft.pk).state == BlastState.SCHEDULED
    assert SENTENCE in words(page.content.decode())


def test_a_forecast_of_the_cap_that_takes_too_long_leaves_the_count(
    browse: Browse,
    account: Account,
    alice: User,
    typed: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Account.objects.filter(pk=account.pk).update(cap_texts=1, cap_days=7)
    find = capping.rooms

    def slow(**asked: Any) -> Sql:
        found = find(**asked)
        return Sql(f"({found.text}) UNION ALL SELECT '', now() FROM pg_sleep(10)", found.params)

    monkeypatch.setattr("campaigns.composing.COUNT_S", 1.0)  # enough for the count
    monkeypatch.setattr(capping, "rooms", slow)

    answer = browse(alice).post("/blasts/count", typed)

    told = answer.context["composed"]
    assert told.estimate.texted_now == 5
    assert told.timing is None
    assert "Hours and limits hold all the same when it goes out." in words(answer.content.decode())


@pytest.mark.parametrize("show", ["now", "opted_out", "waits", "2030-01-01T10:00:00+00:00"])
def test_the_list_behind_a_number_says_so_instead_of_hanging(
    browse: Browse,
    account: Account,
    alice: User,
    typed: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    show: str,
) -> None:
    Account.objects.filter(pk=account.pk).update(cap_texts=1, cap_days=7)
    _slow(monkeypatch, timing_people, "people")

    page = browse(alice).post("/blasts/people", {**typed, "show": show})

    assert page.status_code == 200
    assert "Finding these people takes too long" in words(page.content.decode())


def test_the_api_says_it_with_a_code(
    account: Account, alice: User, draft: Blast, monkeypatch: pytest.MonkeyPatch
) -> None:
    _slow(monkeypatch, audience_count, "people_by_shape")

    answer = api_client(account, alice, ["read", "write"]).post(
        f"/api/v1/blasts/{draft.pk}/estimate/"
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "audience_too_long")
