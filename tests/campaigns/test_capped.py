"""The composer counts whom the cap on blasts will hold back, and the number opens its people."""

from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import Account, User
from accounts.services import apikey_create
from campaigns.models import Blast
from contacts.models import Contact
from tests.campaigns.conftest import Browse
from tests.campaigns.launched import launched

pytestmark = pytest.mark.django_db


@pytest.fixture
def capped(account: Account, alice: User, draft: Blast) -> dict[str, Any]:
    """One blast a week, of which a first one to the five is about to go out; what a draft posts."""
    Account.objects.update(cap_texts=1, cap_days=7)
    account.refresh_from_db()
    launched(account, alice, draft)
    return {
        "campaign": draft.campaign_id,
        "body": "Once more",
        "groups": [group.pk for group in draft.groups.all()],
        "sender": draft.sender_id,
        "when": "now",
    }


def shown(page: Any) -> list[str]:
    return [contact.phone for contact in page.context["people"]]


def test_the_number_beside_the_composer_opens_its_people(
    alice: User, charlie: User, other_account: Account, capped: dict[str, Any], browse: Browse
) -> None:
    page = browse(alice).post(reverse("blast_count"), capped)

    told = page.context["composed"]
    assert (told.people_now, told.timing.capped.people) == (0, 5)
    assert {row.reason: row.count for row in told.not_texted} == {"opted_out": 1}
    assert "at most 1 blast in 7 days" in page.content.decode()
    people = reverse("blast_audience")
    waiting = browse(alice).post(people, {**capped, "show": "waits"})
    out = set(Contact.objects.filter(consent="opted_out").values_list("phone", flat=True))
    everybody = set(Contact.objects.values_list("phone", flat=True))
    assert "Texted once there is room" in waiting.content.decode()
    assert (len(shown(waiting)), set(shown(waiting))) == (5, everybody - out)
    assert shown(browse(alice).post(people, {**capped, "show": "now"})) == []
    assert shown(browse(charlie).post(people, {**capped, "show": "waits"})) == []


def test_the_estimate_of_the_api_tells_them_apart(
    account: Account, alice: User, draft: Blast, capped: dict[str, Any]
) -> None:
    _, token = apikey_create(account=account, actor=alice, name="test", scopes=["read", "write"])
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    told = api.post(f"/api/v1/blasts/{draft.pk}/estimate/").data

    assert (told["texted"], told["texted_now"], told["later"]) == (5, 0, [])
    assert told["capped"]["people"] == 5
    assert told["capped"]["first_at"] == told["capped"]["last_at"]
