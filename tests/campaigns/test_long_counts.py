"""Audiences that take too long to count: the composer says so, and all else works."""

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
from tests.campaigns.conftest import Browse, api_client, words

SENTENCE = "Counting these people takes longer than a page may. You can save this and send it"


@pytest.fixture
def typed(group: Group, sender: SenderNumber) -> dict[str, Any]:
    return {"groups": [group.pk], "body": "Hi {{first_name|there}}", "when": "now"}


def _slow(monkeypatch: pytest.MonkeyPatch, where: str, find: Callable[..., Sql]) -> None:
    """As where nothing finds these people: the statement runs for ten seconds."""

    def slow(*args: Any, **asked: Any) -> Sql:
        found = find(*args, **asked)
        return Sql(f"SELECT f.* FROM ({found.text}) f, pg_sleep(10)", found.params)

    monkeypatch.setattr("campaigns.composing.COUNT_S", 0.05)
    monkeypatch.setattr(where, slow)


def test_an_audience_that_takes_too_long_is_told_in_a_sentence_beside_the_text(
    browse: Browse, alice: User, typed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = "Hi there"
    _slow(monkeypatch, "messaging.services.estimating.people_by_shape", recipients.people_by_shape)

    answer = browse(alice).post("/blasts/count", typed)

    assert answer.status_code == 200
    told = answer.context["composed"]
    assert told.estimate is None
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

    monkeypatch.setattr("campaigns.composing.COUNT_S", 0.05)
    monkeypatch.setattr(capping, "rooms", slow)

    answer = browse(alice).post("/blasts/count", typed)

    told = answer.context["composed"]
    assert told.estimate.texted_now == 5
    assert told.timing is None
    assert "Hours and limits hold all the same when it goes out." in words(answer.content.decode())


def test_the_api_says_it_with_a_code(
    account: Account, alice: User, draft: Blast, monkeypatch: pytest.MonkeyPatch
) -> None:
    _slow(monkeypatch, "messaging.services.estimating.people_by_shape", recipients.people_by_shape)

    answer = api_client(account, alice, ["read", "write"]).post(
        f"/api/v1/blasts/{draft.pk}/estimate/"
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "audience_too_long")
