"""Drafts, the time to undo, and what stands in the way of sending."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account, User
from campaigns.choices import BlastState
from campaigns.models import Blast, Campaign
from campaigns.services import blast_launch
from common.clock import now
from messaging.models import Batch
from tests.campaigns.conftest import Browse, people, words


def test_a_draft_is_kept_however_unfinished(
    browse: Browse, alice: User, campaign: Campaign
) -> None:
    answer = browse(alice).post("/blasts/new", {"body": "Half a th", "campaign": campaign.pk})

    blast = Blast.objects.get()
    assert answer.headers["Location"] == f"/blasts/{blast.pk}/edit"
    assert (blast.body, blast.state, blast.campaign) == ("Half a th", BlastState.DRAFT, campaign)


def test_of_several_campaigns_none_is_chosen_beforehand(
    browse: Browse, account: Account, alice: User, campaign: Campaign
) -> None:
    client = browse(alice)
    only = client.get("/blasts/new").content.decode()
    other = Campaign.objects.create(account=account, name="Autumn")

    several = client.get("/blasts/new").content.decode()
    asked = client.get(f"/blasts/new?campaign={other.pk}").content.decode()

    assert f'<option value="{campaign.pk}" selected>' in only
    assert '<option value="" selected>New campaign' in several
    assert several.count(" selected>") == only.count(" selected>")
    assert f'<option value="{other.pk}" selected>' in asked


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "0 characters 0 segments"),
        ("Hello", "5 characters 1 segment GSM-7: plain letters, 160 a segment 155 left"),
        ("Hello 🎉", "1 segment UCS-2: has a character that halves the space: 70 a segment"),
    ],
)
def test_the_count_speaks_plainly(
    browse: Browse, account: Account, alice: User, body: str, said: str
) -> None:
    page = words(browse(alice).post("/blasts/count", {"body": body}).content.decode())

    assert said in page
    assert ("GSM-7" in page or "UCS-2" in page) == bool(body)


def test_the_first_blast_makes_its_campaign(browse: Browse, account: Account, alice: User) -> None:
    browse(alice).post("/blasts/new", {"body": "Hello", "new_campaign": "Autumn"})

    assert Blast.objects.get().campaign.name == "Autumn"


def test_send_leads_to_the_time_to_undo_and_undo_back_to_the_draft(
    browse: Browse, alice: User, typed: dict[str, Any]
) -> None:
    client = browse(alice)

    answer = client.post("/blasts/new", {**typed, "act": "send"})

    blast = Blast.objects.get()
    assert blast.state == BlastState.SCHEDULED
    assert answer.headers["Location"] == f"/blasts/{blast.pk}/"
    waiting = client.get(f"/blasts/{blast.pk}/").content.decode()
    assert "Going out in a moment." in waiting
    assert "Scheduled" not in waiting
    assert "Going out</span>" in client.get("/campaigns/").content.decode()
    assert "data-countdown" in waiting
    assert client.get(f"/blasts/{blast.pk}/launched").status_code == 204
    undone = client.post(f"/blasts/{blast.pk}/undo")
    assert undone.headers["Location"] == f"/blasts/{blast.pk}/edit"
    assert client.get(f"/blasts/{blast.pk}/launched").headers["HX-Refresh"] == "true"
    assert Blast.objects.get().state == BlastState.DRAFT
    assert Batch.objects.count() == 0


def test_later_is_told_in_the_accounts_time_zone(
    browse: Browse, account: Account, alice: User, typed: dict[str, Any]
) -> None:
    Account.objects.filter(pk=account.pk).update(timezone="America/Chicago")
    local = (now() + timedelta(days=3)).astimezone(timezone.get_default_timezone())
    typed |= {"act": "send", "when": "later", "scheduled_at": f"{local:%Y-%m-%d}T10:00"}

    browse(alice).post("/blasts/new", typed)

    at = Blast.objects.get().scheduled_at
    assert at is not None
    assert at.hour in (15, 16)  # 10:00 in Chicago, in summer and in winter


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"body": ""}, "Write the text first. The draft is kept."),
        ({"body": "x" * 1601}, "1,600 is the most that can be sent"),
        ({"body": "Hi {{frist_name}}"}, "Did you mean {{first_name}}?"),
        ({"groups": []}, "Choose at least one group of people to text. The draft is kept."),
        (
            {"when": "later", "scheduled_at": "2020-01-01T10:00"},
            "That time has passed. Choose a later one, or send now. The draft is kept.",
        ),
    ],
)
def test_what_cannot_be_sent_is_kept_and_said_beside_its_field(
    browse: Browse, alice: User, typed: dict[str, Any], change: dict[str, Any], sentence: str
) -> None:
    answer = browse(alice).post("/blasts/new", {**typed, **change, "act": "send"})

    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in words(page).replace("&#x27;", "'")
    blast = Blast.objects.get()
    assert (blast.state, blast.body) == (BlastState.DRAFT, {**typed, **change}["body"])
    assert f'action="/blasts/{blast.pk}/edit"' in page
    assert Batch.objects.count() == 0


def test_one_that_could_not_be_sent_at_once_is_offered_for_now(
    browse: Browse, account: Account, alice: User, typed: dict[str, Any]
) -> None:
    browse(alice).post("/blasts/new", {**typed, "act": "send"})
    blast = Blast.objects.get()
    Account.objects.filter(pk=account.pk).update(credit_balance=1)
    assert blast.scheduled_at is not None
    blast_launch(blast_id=blast.pk, moment=blast.scheduled_at)
    Account.objects.filter(pk=account.pk).update(credit_balance=100)

    page = browse(alice).get(f"/blasts/{blast.pk}/edit").content.decode()

    assert "It could not be sent" in page
    assert "Send to 5 people, 5 credits" in words(page)


def test_later_without_a_time_asks_for_one(
    browse: Browse, alice: User, typed: dict[str, Any]
) -> None:
    answer = browse(alice).post("/blasts/new", {**typed, "when": "later", "act": "send"})

    assert answer.status_code == 422
    assert "Choose a day and a time, or send now." in answer.content.decode()
    assert typed["body"] in answer.content.decode()
    assert Blast.objects.filter(state=BlastState.SCHEDULED).count() == 0


def test_groups_campaigns_and_numbers_of_others_cannot_be_chosen(
    browse: Browse, alice: User, other_account: Account, typed: dict[str, Any]
) -> None:
    theirs = people(other_account, "Cheese people", ("Zoe", "Yan"))

    answer = browse(alice).post("/blasts/new", {**typed, "groups": [theirs.pk], "act": "send"})

    assert answer.status_code == 422
    assert Blast.objects.count() == 0


def test_markup_in_a_text_is_shown_and_never_run(
    browse: Browse, alice: User, typed: dict[str, Any]
) -> None:
    evil = '<script>alert(1)</script> ’ "><img src=x onerror=alert(1)>'
    page = browse(alice).post("/blasts/count", {**typed, "body": evil}).content.decode()

    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
