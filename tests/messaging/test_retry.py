"""Refusals that are safe to try again (429), and how a sender slows down for them."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Account
from carriersim.client import Client
from common.clock import now
from messaging import rate
from messaging.models import Attempt, Chunk, SenderNumber
from messaging.sending.rows import MAX_ATTEMPTS
from tests.messaging.conftest import Launch, People, send_all, serve_soon, states, tallies
from tests.messaging.test_send import assert_credits_balance

pytestmark = pytest.mark.django_db

LIMITED_TWICE = "+14155550176"
ALWAYS_LIMITED = "+14155550175"
PLAIN = "+14155550101"


def no_waiting() -> None:
    """As if every backoff had passed."""
    Chunk.objects.update(not_before=now() - timedelta(seconds=1))


def test_a_429_is_tried_again_and_texts_once(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(phones=[LIMITED_TWICE, PLAIN])
    batch = launch()

    serve_soon()
    assert states(batch) == tallies(batch) == {("pending", ""): 1, ("accepted", ""): 1}
    waits = Chunk.objects.get().not_before - now()
    assert timedelta(seconds=0) < waits <= timedelta(seconds=1)
    for _ in range(2):
        no_waiting()
        serve_soon()

    assert sim.recipients() == {LIMITED_TWICE: 1, PLAIN: 1}
    attempts = Attempt.objects.filter(message__phone=LIMITED_TWICE).order_by("n")
    assert [(row.n, row.outcome, row.http_status) for row in attempts] == [
        (1, "retryable", 429),
        (2, "retryable", 429),
        (3, "accepted", 201),
    ]
    send_all()
    assert_credits_balance(account, batch)


def test_what_is_always_turned_away_is_given_up(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(phones=[ALWAYS_LIMITED])
    batch = launch()

    for _ in range(MAX_ATTEMPTS):
        no_waiting()
        serve_soon()
    send_all()

    assert states(batch) == tallies(batch) == {("refused", "rate"): 1}
    assert Attempt.objects.count() == MAX_ATTEMPTS
    assert sim.summary()["accepted"] == 0
    assert_credits_balance(account, batch)


def test_a_carrier_that_turns_most_away_is_asked_no_more_for_now(
    launch: Launch, people: People, sim: Client, settings: Any
):
    settings.SEND_CONCURRENCY = 10
    sim.set(profile={"faults": {"rate_limited": 1.0}})
    people(300)
    batch = launch()

    asked = serve_soon()

    assert asked < 150
    assert states(batch) == {("pending", ""): 300}
    assert Attempt.objects.count() == asked


def test_a_429_slows_its_sender_for_a_while(
    launch: Launch, people: People, sim: Client, sender: SenderNumber
):
    sim.set(profile={"faults": {"rate_limited": 1.0}})
    people(100)
    launch()

    serve_soon()

    (bucket,) = rate.peek([(sender.pk, sender.rate_per_s)])
    assert bucket.rate_per_s == pytest.approx(sender.rate_per_s / 2, rel=0.2)


def test_everybody_is_texted_once_through_a_carrier_that_turns_some_away(
    launch: Launch, people: People, sim: Client, account: Account
):
    sim.set(profile={"faults": {"rate_limited": 0.2}})
    contacts = people(300)
    batch = launch()

    for _ in range(MAX_ATTEMPTS):
        no_waiting()
        send_all()

    assert sim.recipients() == {contact.phone: 1 for contact in contacts}
    assert states(batch) == tallies(batch) == {("accepted", ""): 300}
    assert_credits_balance(account, batch)
