"""Blasts at the local time of each recipient, and who is texted now, later or not."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from accounts.models import Account, AuditEvent, User
from campaigns import services
from campaigns.choices import BlastState
from campaigns.errors import SchedulePast, ScheduleTooFar
from campaigns.models import Blast
from contacts.models import Contact
from messaging.models import CarrierAccount, Chunk
from tests.campaigns.conftest import Browse

pytestmark = pytest.mark.django_db


# 09:00 in New York, where the account is; 06:00 in California.
MORNING = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
TEN = datetime.fromisoformat("2026-11-23T10:00")
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _two_are_in_california(draft: Blast) -> None:
    """Of the five who are texted; numbers with 202 are in Washington."""
    pks = Contact.objects.order_by("-pk").values_list("pk", flat=True)[:2]
    Contact.objects.filter(pk__in=list(pks)).update(timezone="America/Los_Angeles")


def test_it_is_launched_when_the_first_clocks_show_the_time(
    account: Account, alice: User, draft: Blast
) -> None:
    with time_machine.travel(MORNING, tick=False):
        services.blast_schedule(account=account, actor=alice, blast=draft, wall=TEN)

    draft.refresh_from_db()
    assert (draft.state, draft.scheduled_at) == (BlastState.SCHEDULED, MORNING + HOUR)
    assert (draft.local_on, draft.local_time) == (date(2026, 11, 23), time(10))
    assert AuditEvent.objects.latest("pk").data["local_time"] == "2026-11-23 10:00"

    with time_machine.travel(MORNING + HOUR, tick=False):
        assert services.blasts_launch_due() == 1
    chunks = Chunk.objects.order_by("pk").values_list("first_no", "last_no", "not_before")
    assert list(chunks) == [(1, 4, MORNING + HOUR), (5, 6, MORNING + 4 * HOUR)]


def test_time_to_give_up_counts_from_the_last_local_time(
    account: Account, alice: User, draft: Blast
) -> None:
    services.blast_update(account=account, actor=alice, blast=draft, give_up_hours=4)
    draft.refresh_from_db()
    with time_machine.travel(MORNING, tick=False):
        services.blast_schedule(account=account, actor=alice, blast=draft, wall=TEN)
    with time_machine.travel(MORNING + HOUR, tick=False):
        services.blasts_launch_due()

    draft.refresh_from_db()
    assert draft.batch is not None
    assert draft.batch.expires_at == MORNING + 8 * HOUR


def test_where_the_time_has_passed_it_goes_at_once_and_passed_everywhere_is_refused(
    account: Account, alice: User, draft: Blast
) -> None:
    with time_machine.travel(MORNING + 2 * HOUR, tick=False):
        services.blast_schedule(account=account, actor=alice, blast=draft, wall=TEN)
        draft.refresh_from_db()
        assert draft.scheduled_at == MORNING + 2 * HOUR + timedelta(seconds=10)
        services.blast_undo(account=account, actor=alice, blast=draft)

    taken_back = Blast.objects.get(pk=draft.pk)
    assert taken_back.scheduled_at is None
    assert taken_back.wall is None
    with time_machine.travel(MORNING + 5 * HOUR, tick=False), pytest.raises(SchedulePast):
        services.blast_schedule(account=account, actor=alice, blast=draft, wall=TEN)
    with time_machine.travel(MORNING, tick=False), pytest.raises(ScheduleTooFar):
        services.blast_schedule(
            account=account, actor=alice, blast=draft, wall=TEN + timedelta(days=400)
        )
    draft.refresh_from_db()
    assert draft.state == BlastState.DRAFT


def composed(draft: Blast, **fields: Any) -> dict[str, Any]:
    return {
        "campaign": draft.campaign_id,
        "name": draft.name,
        "body": draft.body,
        "groups": [group.pk for group in draft.groups.all()],
        "sender": draft.sender_id,
        "when": "now",
        **fields,
    }


def test_the_composer_shows_the_timetable_before_sending(
    alice: User, draft: Blast, browse: Browse
) -> None:
    form = composed(draft, when="local", scheduled_at="2026-11-23T10:00")
    with time_machine.travel(MORNING):
        page = browse(alice).post(reverse("blast_count"), form)

    assert [(slot.at, slot.people) for slot in page.context["composed"].timing.later] == [
        (MORNING + HOUR, 3),
        (MORNING + 4 * HOUR, 2),
    ]
    shown = page.content.decode()
    assert "Mon 23 Nov 10:00" in shown
    assert "Los Angeles" in shown
    assert "Each text goes when it is 10:00 there" in shown


def test_a_kept_draft_keeps_its_time_and_is_not_sent(
    alice: User, draft: Blast, browse: Browse
) -> None:
    form = composed(draft, when="local", scheduled_at="2030-11-23T10:00")
    client = browse(alice)
    client.post(reverse("blast_edit", args=[draft.pk]), {**form, "act": "save"})

    draft.refresh_from_db()
    assert (draft.state, draft.wall) == (
        BlastState.DRAFT,
        datetime.fromisoformat("2030-11-23T10:00"),
    )
    page = client.get(reverse("blast_edit", args=[draft.pk])).content.decode()
    assert 'value="local" checked' in page
    assert 'value="2030-11-23T10:00"' in page


def test_each_number_opens_its_people(
    account: Account, alice: User, draft: Blast, browse: Browse
) -> None:
    CarrierAccount.objects.update(is_simulated=False)
    account.quiet_start, account.quiet_end = time(21), time(8)
    account.save()
    client, url = browse(alice), reverse("blast_audience")
    form = composed(draft)

    def names(show: str) -> list[str]:
        page = client.post(url, {**form, "show": show})
        assert page.status_code == 200
        return [contact.first_name for contact in page.context["people"]]

    with time_machine.travel(MORNING):
        assert names("now") == ["Dan", "Cleo", "Ann"]
        assert names((MORNING + 2 * HOUR).isoformat()) == ["", "Eve"]
        assert names("opted_out") == ["Ben"]
        assert names("landline") == []


def test_a_long_list_is_paged(
    account: Account, alice: User, draft: Blast, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.views.audience._SIZE", 2)
    client, url = browse(alice), reverse("blast_audience")

    first = client.post(url, {**composed(draft), "show": "now"})
    second = client.post(url, {**composed(draft), "show": "now", "before": first.context["older"]})

    assert [contact.first_name for contact in first.context["people"]] == ["", "Eve"]
    assert [contact.first_name for contact in second.context["people"]] == ["Dan", "Cleo"]


def test_the_api_takes_a_local_time(api: Any, draft: Blast) -> None:
    url = f"/api/v1/blasts/{draft.pk}/launch/"

    for body in (
        {"local_at": "2026-11-23T10:00Z"},
        {"local_at": "tomorrow"},
        {"local_at": "2026-11-23T10:00", "at": MORNING.isoformat()},
    ):
        assert api.post(url, body, content_type="application/json").status_code in (400, 422)
    with time_machine.travel(MORNING):
        told = api.post(url, {"local_at": "2026-11-23T10:00"}, content_type="application/json")

    assert told.status_code == 202
    assert told.json()["local_at"] == "2026-11-23T10:00:00"
    assert told.json()["scheduled_at"] == "2026-11-23T15:00:00Z"
