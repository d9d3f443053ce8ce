"""The check of a text before it goes out: every rule says what and how to mend it, and blocks not.

What each rule finds is tests/messaging/test_advice.py's and tests/tracking/test_destinations.py's.
"""

import hashlib
from typing import Any

import pytest

from accounts.models import Account
from campaigns.choices import BlastState
from campaigns.models import Blast
from common.clock import now
from tracking.models import Destination

pytestmark = pytest.mark.django_db

END = " Alice's Flowers, reply STOP to end"
DEAD, SLOW = "https://shop.example/dead", "https://shop.example/slow"


@pytest.fixture(autouse=True)
def _pages_were_asked(account: Account) -> None:
    """One answered with an error, one after six seconds."""
    answers = [(DEAD, 503, 40, "dead"), (SLOW, 200, 6000, "slow")]
    for url, status, elapsed_ms, problem in answers:
        Destination.objects.create(
            account=account,
            digest=hashlib.sha256(url.encode()).hexdigest(),
            url=url,
            asked_at=now(),
            checked_at=now(),
            status=status,
            elapsed_ms=elapsed_ms,
            problem=problem,
        )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("Alice's Flowers: tulips are in", "no_opt_out"),
        ("Tulips are in. Reply STOP to end", "no_brand"),
        ("Tulips: https://bit.ly/tulips" + END, "public_shortener"),
        ("Tulips: http://8.8.8.8/tulips" + END, "raw_address"),
        ("TULIPS ARE IN AND YOU SHOULD COME BY TODAY" + END, "capitals"),
        ("Tulips with no credit check" + END, "filtered_words"),
        ("Tulips!!!" + END, "loud_marks"),
        (f"Tulips: {DEAD}" + END, "dead_destination"),
        (f"Tulips: {SLOW}" + END, "slow_destination"),
    ],
)
def test_each_rule_tells_a_reason_and_a_fix_and_the_blast_goes(
    api: Any, account: Account, draft: Blast, body: str, code: str
) -> None:
    Account.objects.filter(pk=account.pk).update(brand="Alice's Flowers")
    url, json = f"/api/v1/blasts/{draft.pk}/", "application/json"
    api.patch(url, {"body": body}, content_type=json)

    told = api.post(f"{url}estimate/", content_type=json).json()
    sent = api.post(f"{url}launch/", {}, content_type=json)

    (advice,) = told["advice"]
    assert advice["code"] == code
    assert advice["sentence"].endswith(".")
    assert advice["fix"].endswith(".")
    assert (sent.status_code, sent.json()["state"]) == (202, BlastState.SCHEDULED)
