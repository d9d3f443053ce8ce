"""Another day for what has not gone out; nothing else of it changes."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from accounts.models import Account, AuditEvent, User
from campaigns import services
from campaigns.choices import BlastState
from campaigns.errors import BlastNotMovable, SchedulePast, ScheduleTooFar
from campaigns.models import Blast
from campaigns.recurring import Rule
from common.errors import NotFound
from contacts.models import Contact
from tests.campaigns.conftest import Browse, api_client

pytestmark = pytest.mark.django_db


MORNING = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _a_stranger_has_a_shop(other_account: Account) -> None:
    """Charlie's, from which nothing of Alice's is seen."""


@pytest.fixture
def who(account: Account, alice: User) -> dict[str, Any]:
    return {"account": account, "actor": alice}


@pytest.fixture
def scheduled(who: dict[str, Any], draft: Blast) -> Blast:
    """For today at ten in New York."""
    with time_machine.travel(MORNING, tick=False):
        return services.blast_schedule(**who, blast=draft, at=MORNING + HOUR)


def test_a_schedule_is_moved_and_keeps_its_time_of_day(
    who: dict[str, Any], scheduled: Blast
) -> None:
    with time_machine.travel(MORNING, tick=False):
        moved = services.blast_move(**who, blast=scheduled, on=date(2027, 3, 20))
    assert (moved.state, moved.scheduled_at) == (
        BlastState.SCHEDULED,
        datetime(2027, 3, 20, 14, 0, tzinfo=UTC),
    )
    assert AuditEvent.objects.latest("pk").data == {"to": "2027-03-20 10:00"}

    with time_machine.travel(MORNING + HOUR, tick=False):
        assert services.blasts_launch_due() == 0
    with time_machine.travel(moved.scheduled_at, tick=False):
        assert services.blasts_launch_due() == 1


def test_at_local_times_it_is_launched_when_the_first_clocks_show_it(
    who: dict[str, Any], draft: Blast
) -> None:
    with time_machine.travel(MORNING, tick=False):
        services.blast_schedule(**who, blast=draft, wall=datetime.fromisoformat("2026-11-24T10:00"))
        moved = services.blast_move(**who, blast=draft, on=date(2026, 11, 25), at=time(9, 30))

    assert moved.wall == datetime.fromisoformat("2026-11-25T09:30")
    assert moved.scheduled_at == datetime(2026, 11, 25, 14, 30, tzinfo=UTC)


def test_moved_to_a_local_time_that_has_passed_for_some_it_can_still_be_undone(
    who: dict[str, Any], draft: Blast, settings: Any
) -> None:
    pks = Contact.objects.order_by("-pk").values_list("pk", flat=True)[:2]
    Contact.objects.filter(pk__in=list(pks)).update(timezone="America/Los_Angeles")
    with time_machine.travel(MORNING, tick=False):
        services.blast_schedule(**who, blast=draft, wall=datetime.fromisoformat("2026-11-24T08:00"))
        moved = services.blast_move(**who, blast=draft, on=date(2026, 11, 23))
        assert services.blasts_launch_due() == 0
        undone = services.blast_undo(**who, blast=draft)

    assert moved.scheduled_at == MORNING + timedelta(seconds=settings.UNDO_S)
    assert undone.state == BlastState.DRAFT


def test_a_draft_is_planned_for_it_with_its_rule(who: dict[str, Any], draft: Blast) -> None:
    rule = Rule("day", time(8), date(2026, 11, 20))
    services.series_keep(account=who["account"], blast=draft, rule=rule)
    with time_machine.travel(MORNING, tick=False):
        moved = services.blast_move(**who, blast=draft, on=date(2026, 12, 1), at=time(9))

    assert (moved.state, moved.scheduled_at) == (
        BlastState.DRAFT,
        datetime(2026, 12, 1, 14, 0, tzinfo=UTC),
    )
    draft.repeats.refresh_from_db()
    assert (draft.repeats.starts_on, draft.repeats.at) == (date(2026, 12, 1), time(9))


@pytest.mark.parametrize(
    ("on", "error"), [(date(2026, 11, 22), SchedulePast), (date(2028, 1, 1), ScheduleTooFar)]
)
@pytest.mark.parametrize("wall", [None, datetime.fromisoformat("2026-11-24T10:00")])
def test_days_on_which_nothing_could_go_are_refused(
    who: dict[str, Any], draft: Blast, on: date, error: type[Exception], wall: datetime | None
) -> None:
    with time_machine.travel(MORNING, tick=False):
        at = None if wall else MORNING + HOUR
        blast = services.blast_schedule(**who, blast=draft, at=at, wall=wall)
        was = blast.scheduled_at
        with pytest.raises(error):
            services.blast_move(**who, blast=draft, on=on)

    draft.refresh_from_db()
    assert draft.scheduled_at == was


def test_what_went_out_repeats_or_is_anothers_stays(
    who: dict[str, Any], draft: Blast, scheduled: Blast, other_account: Account, charlie: User
) -> None:
    weekly = services.blast_duplicate(**who, blast=draft)
    with time_machine.travel(MORNING, tick=False):
        services.series_start(**who, blast=weekly, rule=Rule("day", time(10), date(2026, 11, 23)))
    with time_machine.travel(MORNING + HOUR, tick=False):
        services.blasts_launch_due()
        for blast in (scheduled, weekly):
            with pytest.raises(BlastNotMovable):
                services.blast_move(**who, blast=blast, on=date(2026, 12, 1))
        with pytest.raises(NotFound):
            services.blast_move(
                account=other_account, actor=charlie, blast=draft, on=date(2026, 12, 1)
            )
    assert not AuditEvent.objects.filter(action="blast.moved").exists()


def test_its_page_and_the_calendar_move_it(
    alice: User, charlie: User, scheduled: Blast, browse: Browse
) -> None:
    url = reverse("blast_move")
    with time_machine.travel(MORNING):
        page = browse(alice).get(reverse("blast_report", args=[scheduled.pk])).content.decode()
        assert 'value="2026-11-23"' in page
        assert 'value="10:00"' in page
        back = browse(alice).post(
            url, {"blast": scheduled.pk, "on": "2026-12-01", "at": "11:15", "from": "blast"}
        )
        assert back.headers["Location"] == reverse("blast_report", args=[scheduled.pk])
        shown = browse(alice).post(url, {"blast": scheduled.pk, "on": "2026-12-02"})
        assert shown.headers["Location"].endswith("?month=2026-12")
        assert browse(alice).post(url, {"blast": scheduled.pk, "on": "soon"}).status_code == 302
        other = browse(charlie).post(url, {"blast": scheduled.pk, "on": "2026-12-03"})
        assert other.status_code == 404

    scheduled.refresh_from_db()
    assert scheduled.scheduled_at == datetime(2026, 12, 2, 16, 15, tzinfo=UTC)


def test_a_key_that_may_not_send_moves_nothing(
    account: Account, alice: User, scheduled: Blast
) -> None:
    url, json = f"/api/v1/blasts/{scheduled.pk}/move/", "application/json"
    with time_machine.travel(MORNING):
        refused = api_client(account, alice, ["read", "write"]).post(
            url, {"on": "2026-12-01"}, content_type=json
        )
        moved = api_client(account, alice, ["read", "write", "send"]).post(
            url, {"on": "2026-12-01", "at": "11:15"}, content_type=json
        )

    assert refused.status_code == 403
    assert moved.json()["scheduled_at"] == "2026-12-01T16:15:00Z"
