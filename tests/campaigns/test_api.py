from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Account, User
from campaigns.choices import BlastState
from campaigns.models import Blast, Campaign
from common.clock import now
from contacts.models import Group
from messaging.choices import BatchState
from messaging.models import Batch, SenderNumber
from tests.campaigns.conftest import api_client, people
from tests.campaigns.launched import finished, launched

JSON = "application/json"


def test_campaigns_are_made_listed_renamed_and_archived(api: Any) -> None:
    made = api.post("/api/v1/campaigns/", {"name": "Spring"}, content_type=JSON)
    assert made.status_code == 201
    number = made.json()["id"]

    changed = api.patch(
        f"/api/v1/campaigns/{number}/", {"name": "Summer", "archived": True}, content_type=JSON
    ).json()

    assert changed["name"] == "Summer"
    assert changed["archived_at"] is not None
    listed = api.get("/api/v1/campaigns/").json()["results"]
    assert [(one["id"], one["name"]) for one in listed] == [(number, "Summer")]


def test_a_blast_from_draft_to_report(
    api: Any, account: Account, alice: User, campaign: Campaign, group: Group, sender: SenderNumber
) -> None:
    made = api.post(
        "/api/v1/blasts/",
        {
            "campaign": campaign.pk,
            "body": "Hi {{first_name|there}}",
            "groups": [group.pk],
            "sender": sender.phone,
        },
        content_type=JSON,
    )
    account.brand = "Alice’s Flowers"
    account.save(update_fields=["brand"])
    assert made.status_code == 201
    assert (made.json()["state"], made.json()["groups"]) == ("draft", [group.pk])
    url = f"/api/v1/blasts/{made.json()['id']}/"

    told = api.post(f"{url}estimate/").json()
    assert told == {
        "people": 6,
        "texted": 5,
        "texted_now": 5,
        "later": [],
        "capped": None,
        "not_texted": {"opted_out": 1},
        "encoding": "GSM-7",
        "segments": 5,
        "max_segments": 1,
        "credits": 5,
        "exact": True,
        "blanks": [{"name": "first_name", "left_out": 0, "fallback": 1}],
        "by_price": [{"price": 1, "people": 5, "segments": 5, "credits": 5}],
        "advice": [
            {
                "code": "no_opt_out",
                "sentence": "For some it is your first text, and it does not say how to stop.",
                "fix": "Add “Reply STOP to end” at its end.",
            },
            {
                "code": "no_brand",
                "sentence": "The text does not name Alice’s Flowers.",
                "fix": "Say who writes, such as “Alice’s Flowers:” at its start.",
            },
        ],
    }
    assert Blast.objects.get().state == BlastState.DRAFT

    assert api.get(f"{url}report/").status_code == 409
    launch = api.post(f"{url}launch/", {}, content_type=JSON)
    assert (launch.status_code, launch.json()["state"]) == (202, "scheduled")
    again = api.post(f"{url}launch/", {}, content_type=JSON)
    assert (again.status_code, again.json()["scheduled_at"]) == (
        202,
        launch.json()["scheduled_at"],
    )


def test_the_report_gives_the_figures_of_the_dashboard(
    api: Any, account: Account, alice: User, draft: Blast
) -> None:
    finished(launched(account, alice, draft))

    report = api.get(f"/api/v1/blasts/{draft.pk}/report/").json()

    figures = report["figures"]
    assert (figures["audience"], figures["delivered"], figures["hit"]) == (6, 2, 2)
    assert figures["delivery_rate"] == {"count": 2, "of": 5, "rate": 0.4}
    assert figures["click_rate"] == {"count": 1, "of": 2, "rate": 0.5}
    assert {(row["state"], row["reason"], row["messages"]) for row in report["reasons"]} == {
        ("skipped", "opted_out", 1),
        ("undelivered", "landline", 1),
        ("undelivered", "filtered", 1),
        ("refused", "invalid_number", 1),
    }
    campaign = api.get(f"/api/v1/campaigns/{draft.campaign_id}/report/").json()
    assert campaign["figures"] == figures
    assert campaign["blasts"] == [report]


def test_a_time_to_launch_at_is_kept_and_one_that_has_passed_refused(
    api: Any, draft: Blast
) -> None:
    past = api.post(
        f"/api/v1/blasts/{draft.pk}/launch/",
        {"at": (now() - timedelta(hours=1)).isoformat()},
        content_type=JSON,
    )
    assert (past.status_code, past.json()["code"]) == (422, "schedule_past")
    assert Blast.objects.get().state == BlastState.DRAFT

    ahead = (now() + timedelta(days=1)).replace(microsecond=0)
    api.post(f"/api/v1/blasts/{draft.pk}/launch/", {"at": ahead.isoformat()}, content_type=JSON)
    assert Blast.objects.get().scheduled_at == ahead


def test_cancel_before_and_after_the_launch(
    api: Any, account: Account, alice: User, draft: Blast
) -> None:
    launched(account, alice, draft)

    answer = api.post(f"/api/v1/blasts/{draft.pk}/cancel/")

    assert answer.status_code == 200
    assert Batch.objects.get().state == BatchState.CANCELED


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"body": ""}, 422, "text_missing"),
        ({"body": "Hi {{frist_name}}"}, 422, "template_unknown_field"),
        ({"body": "x" * 1601}, 422, "template_too_long"),
        ({"groups": []}, 422, "audience_missing"),
    ],
)
def test_what_cannot_be_sent_is_a_problem_with_a_code(
    api: Any, draft: Blast, change: dict[str, Any], status: int, code: str
) -> None:
    api.patch(f"/api/v1/blasts/{draft.pk}/", change, content_type=JSON)

    answer = api.post(f"/api/v1/blasts/{draft.pk}/launch/", {}, content_type=JSON)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert Batch.objects.count() == 0


def test_a_launch_needs_the_scope_to_send(account: Account, alice: User, draft: Blast) -> None:
    writer = api_client(account, alice, ["read", "write"])

    assert writer.post(f"/api/v1/blasts/{draft.pk}/launch/").status_code == 403
    assert writer.post(f"/api/v1/blasts/{draft.pk}/estimate/").status_code == 200
    reader = api_client(account, alice, ["read"])
    assert reader.post("/api/v1/campaigns/", {"name": "x"}).status_code == 403
    assert Blast.objects.get().state == BlastState.DRAFT
    assert Campaign.objects.count() == 1


def test_another_accounts_things_do_not_exist(
    other_account: Account, charlie: User, draft: Blast, group: Group
) -> None:
    stranger = api_client(other_account, charlie, ["read", "write", "send"])
    blast, campaign = f"/api/v1/blasts/{draft.pk}/", f"/api/v1/campaigns/{draft.campaign_id}/"

    for path in (blast, f"{blast}report/", campaign, f"{campaign}report/"):
        assert stranger.get(path).status_code == 404
    for act in ("estimate", "launch", "cancel"):
        assert stranger.post(f"{blast}{act}/", {}, content_type=JSON).status_code == 404
    assert stranger.patch(blast, {"body": "x"}, content_type=JSON).status_code == 404
    assert stranger.patch(campaign, {"name": "x"}, content_type=JSON).status_code == 404
    into = {"campaign": draft.campaign_id, "body": "x"}
    assert stranger.post("/api/v1/blasts/", into, content_type=JSON).status_code == 404
    assert stranger.get("/api/v1/blasts/").json()["results"] == []

    own = stranger.post("/api/v1/campaigns/", {"name": "Own"}, content_type=JSON).json()["id"]
    foreign = {"campaign": own, "body": "x", "groups": [group.pk]}
    assert stranger.post("/api/v1/blasts/", foreign, content_type=JSON).status_code == 404
    foreign = {"campaign": own, "body": "x", "sender": "+12025550100"}
    assert stranger.post("/api/v1/blasts/", foreign, content_type=JSON).status_code == 422
    assert Blast.objects.count() == 1
    draft.refresh_from_db()
    assert (draft.state, draft.body[:2]) == (BlastState.DRAFT, "Hi")


def test_blasts_are_filtered_by_campaign_and_state(
    api: Any, account: Account, draft: Blast
) -> None:
    people(account, "More", ("Fay",))

    assert len(api.get(f"/api/v1/blasts/?campaign={draft.campaign_id}").json()["results"]) == 1
    assert api.get("/api/v1/blasts/?state=launched").json()["results"] == []
    assert api.get("/api/v1/blasts/?state=nonsense").status_code == 422
