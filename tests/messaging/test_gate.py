"""Allowed hours at the recipient, passed by every kind of send but the ones exempt."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import time_machine

from accounts.models import Account, User
from carriersim.client import Client
from contacts.models import OptOut
from messaging.choices import BatchKind, ChunkState, MessageState
from messaging.gate import Hours, policy, skip_reason
from messaging.models import CarrierAccount, Chunk, Message, SenderNumber
from messaging.sending.leases import Window
from messaging.sending.window import Prepared, prepare
from messaging.services import batch_pause, batch_resume, batch_retry, message_send
from tests.messaging.conftest import Launch, People, serve_soon, states, tallies
from tests.messaging.test_retrying import come_back

pytestmark = pytest.mark.django_db

NEW_YORKER, CALIFORNIAN, ALASKAN = "+12125550101", "+14155550101", "+19075550101"
# 09:00 in New York, 06:00 in California, 05:00 or 04:00 in Alaska.
MORNING = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


@pytest.fixture
def real_hours(account: Account, sender: SenderNumber) -> None:
    """A real carrier, and no texts from 21:00 to 08:00."""
    CarrierAccount.objects.update(is_simulated=False)
    account.quiet_start, account.quiet_end = time(21), time(8)
    account.save()


def rules(**fields: Any) -> Any:
    return policy(
        **{
            "kind": BatchKind.BLAST,
            "ignores_quiet_hours": False,
            "requires_consent": False,
            "is_simulated": False,
            "quiet_start": time(21),
            "quiet_end": time(8),
            "timezone": "America/New_York",
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("kind", "opted_out", "no_consent"),
    [
        ("blast", "opted_out", "no_consent"),
        ("api", "opted_out", "no_consent"),
        ("reply", "opted_out", ""),
        ("write", "opted_out", "no_consent"),
        ("test", "opted_out", ""),
        ("auto", "", ""),
    ],
)
def test_what_each_kind_of_text_has_to_pass(kind: str, opted_out: str, no_consent: str):
    asked = rules(kind=kind, requires_consent=True)

    assert skip_reason(asked, is_opted_out=True, consent="opted_in") == opted_out
    assert skip_reason(asked, is_opted_out=False, consent=None) == no_consent
    assert skip_reason(asked, is_opted_out=False, consent="opted_in") == ""


def test_hours_are_the_recipients():
    hours = Hours(rules(), MORNING)

    until = [hours.held_until(phone, "") for phone in (NEW_YORKER, CALIFORNIAN, ALASKAN)]

    assert until == [None, MORNING + timedelta(hours=2), MORNING + timedelta(hours=4)]
    assert hours.held_until(CALIFORNIAN, "Europe/Paris") is None


@pytest.mark.parametrize("exempt", ["ignores_quiet_hours", "is_simulated"])
def test_exempt_texts_go_at_any_hour(exempt: str):
    assert Hours(rules(**{exempt: True}), MORNING).held_until(ALASKAN, "") is None


def test_whoever_sleeps_is_texted_when_they_wake(
    launch: Launch, people: People, sim: Client, real_hours: None
):
    people(phones=[CALIFORNIAN, NEW_YORKER, ALASKAN, "+12125550102"])
    batch = launch()

    with time_machine.travel(MORNING):
        serve_soon()

    assert sim.recipients() == {NEW_YORKER: 1, "+12125550102": 1}
    assert states(batch) == {("accepted", ""): 2, ("pending", ""): 2}
    chunk = Chunk.objects.get()
    assert (chunk.state, chunk.next_no, chunk.held_no) == (ChunkState.READY, 1, None)
    assert chunk.not_before == MORNING + timedelta(hours=2)

    Chunk.objects.update(not_before=MORNING - timedelta(days=400))
    with time_machine.travel(MORNING + timedelta(hours=2)):
        serve_soon()
    assert set(sim.recipients()) == {NEW_YORKER, "+12125550102", CALIFORNIAN}
    chunk.refresh_from_db()
    assert chunk.not_before == MORNING + timedelta(hours=4)


@pytest.mark.parametrize(
    ("hours", "missed"),
    [(1, [(ALASKAN, "quiet_hours_missed"), (CALIFORNIAN, "quiet_hours_missed")]),
     (3, [(ALASKAN, "quiet_hours_missed")]), (0, None)],
)  # fmt: skip
def test_whoever_wakes_after_the_blast_gives_up_is_left_out(
    launch: Launch,
    people: People,
    sim: Client,
    real_hours: None,
    hours: int,
    missed: list[tuple[str, str]] | None,
):
    people(phones=[CALIFORNIAN, NEW_YORKER, ALASKAN])
    launch(expires_at=MORNING + timedelta(hours=hours))

    with time_machine.travel(MORNING):
        serve_soon()

    skipped = Message.objects.filter(state="skipped").order_by("-phone")
    if missed is None:
        assert set(skipped.values_list("reason", flat=True)) == {"given_up"}
        assert skipped.count() == 3
        assert sim.recipients() == {}
    else:
        assert list(skipped.values_list("phone", "reason")) == missed
        assert sim.recipients() == {NEW_YORKER: 1}


def test_who_sleeps_does_not_hold_up_those_behind_them(
    launch: Launch, people: People, sim: Client, real_hours: None, settings: Any
):
    settings.SEND_WINDOW = 4
    people(phones=[f"+1415555{at:04}" for at in range(6)])
    people(phones=[f"+1212555{at:04}" for at in range(6)])
    launch()

    with time_machine.travel(MORNING):
        for _ in range(3):
            serve_soon()

    assert sorted(sim.recipients()) == [f"+1212555{at:04}" for at in range(6)]
    chunk = Chunk.objects.get()
    assert (chunk.next_no, chunk.not_before) == (1, MORNING + timedelta(hours=2))


def test_a_window_that_is_still_out_when_the_hours_end_is_cut_short(
    launch: Launch,
    people: People,
    sim: Client,
    real_hours: None,
    monkeypatch: pytest.MonkeyPatch,
):
    people(phones=[NEW_YORKER, CALIFORNIAN])
    batch = launch()
    monkeypatch.setattr("messaging.sending.exchange.GATE_FRESH_S", -1.0)
    evening = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)  # 21:00 in New York
    with time_machine.travel(evening - timedelta(seconds=1)) as clock:

        def takes_a_while(window: Window) -> Prepared:
            result = prepare(window)
            assert [item.phone for _, item in result.sends] == [NEW_YORKER, CALIFORNIAN]
            clock.move_to(evening + timedelta(seconds=1))
            return result

        monkeypatch.setattr("messaging.sending.drain.prepare", takes_a_while)
        serve_soon()

    assert sim.recipients() == {CALIFORNIAN: 1}
    assert states(batch) == {("accepted", ""): 1, ("pending", ""): 1}
    assert Chunk.objects.get().not_before == datetime(2026, 11, 24, 13, 0, tzinfo=UTC)


def test_what_was_paused_by_day_and_is_resumed_at_night_waits_for_the_morning(
    launch: Launch, people: People, sim: Client, real_hours: None, account: Account
):
    people(phones=[NEW_YORKER])
    batch = launch()
    batch_pause(account=account, actor=None, batch=batch)

    with time_machine.travel(datetime(2026, 11, 24, 3, 0, tzinfo=UTC)):
        batch_resume(account=account, actor=None, batch=batch)
        serve_soon()

    assert sim.recipients() == {}
    assert Chunk.objects.get().not_before == datetime(2026, 11, 24, 13, 0, tzinfo=UTC)


def test_what_is_tried_again_at_night_waits_for_the_morning_and_not_for_who_left(
    launch: Launch, people: People, sim: Client, real_hours: None, account: Account, alice: User
):
    people(phones=[NEW_YORKER, "+12125550102"])
    batch = launch()
    with time_machine.travel(MORNING):
        serve_soon()
    for message in Message.objects.all():
        come_back(message, MessageState.UNDELIVERED, "30003")
    OptOut.objects.create(account=account, phone="+12125550102", source="keyword")
    sim.reset()

    with time_machine.travel(datetime(2026, 11, 24, 3, 0, tzinfo=UTC)):
        assert batch_retry(account=account, actor=alice, batch=batch) == 1
        Chunk.objects.update(not_before=MORNING - timedelta(days=400))
        serve_soon()

    assert sim.recipients() == {}
    assert states(batch) == {("pending", ""): 1, ("undelivered", "unreachable"): 1}
    assert Chunk.objects.get().not_before == datetime(2026, 11, 24, 13, 0, tzinfo=UTC)


def test_a_confirmation_that_had_to_wait_is_not_sent_any_more():
    asked = rules(kind="auto", expires_at=MORNING)
    early = MORNING - timedelta(seconds=1)

    assert skip_reason(asked, is_opted_out=True, consent=None, at=early) == ""
    assert skip_reason(asked, is_opted_out=True, consent=None, at=MORNING) == "given_up"


def test_a_window_that_is_still_out_when_its_time_is_up_is_cut_short(
    launch: Launch,
    people: People,
    sim: Client,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
):
    people(phones=[NEW_YORKER, CALIFORNIAN])
    over = launch(expires_at=MORNING + timedelta(hours=1))
    goes_on = launch(request_key="k2", expires_at=MORNING + timedelta(hours=2))
    monkeypatch.setattr("messaging.sending.exchange.GATE_FRESH_S", -1.0)
    with time_machine.travel(MORNING) as clock:

        def takes_a_while(window: Window) -> Prepared:
            result = prepare(window)
            assert len(result.sends) == 4
            clock.move_to(MORNING + timedelta(hours=1))
            return result

        monkeypatch.setattr("messaging.sending.drain.prepare", takes_a_while)
        serve_soon()

    assert states(over) == tallies(over) == {("skipped", "given_up"): 2}
    assert states(goes_on) == {("accepted", ""): 2}
    assert sim.recipients() == {NEW_YORKER: 1, CALIFORNIAN: 1}
    assert not Chunk.objects.exclude(state=ChunkState.DONE).exists()


def test_a_reply_goes_at_night_an_api_message_does_not(
    account: Account, sender: SenderNumber, sim: Client, real_hours: None
):
    reply, api = (
        message_send(
            account=account,
            actor=None,
            phone=CALIFORNIAN,
            body=kind,
            kind=kind,
            request_key=kind,
        )
        for kind in (BatchKind.REPLY, BatchKind.API)
    )

    with time_machine.travel(MORNING):
        serve_soon()

    assert [row["body"] for row in sim.messages()] == ["reply"]
    assert Message.objects.get(pk=reply.pk).state == "accepted"
    assert Message.objects.get(pk=api.pk).state == "pending"


def test_an_opt_out_is_confirmed_to_whoever_opted_out(
    account: Account, sender: SenderNumber, sim: Client
):
    OptOut.objects.create(account=account, phone=CALIFORNIAN, source="keyword")

    message_send(
        account=account,
        actor=None,
        phone=CALIFORNIAN,
        body="You will get no more texts.",
        kind=BatchKind.AUTO,
        request_key="stop",
    )
    serve_soon()

    assert sim.recipients() == {CALIFORNIAN: 1}
