"""What becomes of messages: the table, the profile's shares, and that runs repeat."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from carriersim import behaviours
from carriersim.behaviours import Draws, Plan, plan_for
from carriersim.settings import DEFAULTS, Settings, merged

_ROOT = Path(__file__).resolve().parents[2]


def _settings(**changes: Any) -> Settings:
    return Settings.from_dict(merged(DEFAULTS, changes))


def _plans(settings: Settings, *, count: int = 10000, body: str = "Hi") -> list[Plan]:
    plans = []
    for place in range(count):
        to = f"+1415556{place:04}"
        draws = Draws(seed=settings.seed, to=to, body=body, tries=0)
        plans.append(plan_for(settings, to=to, tries=0, draws=draws))
    return plans


def _plan(settings: Settings, to: str, *, tries: int = 0) -> Plan:
    draws = Draws(seed=settings.seed, to=to, body="Hi", tries=tries)
    return plan_for(settings, to=to, tries=tries, draws=draws)


def test_the_document_tells_the_table_as_it_is() -> None:
    text = (_ROOT / "docs" / "carriersim.md").read_text()

    rows = {
        int(number): name for number, name in re.findall(r"^\| (\d\d) \| `(\w+)` \|", text, re.M)
    }

    assert rows == behaviours.NUMBERED_SCRIPTS
    assert set(rows.values()) == set(behaviours.SCRIPTS)


def test_the_document_names_every_setting() -> None:
    text = (_ROOT / "docs" / "carriersim.md").read_text()
    section = text[text.index("## Settings") : text.index("## How fast")]

    named = {
        name
        for row in re.findall(r"^\| ((?:`[\w.]+`(?:, )?)+) \|", section, re.M)
        for name in re.findall(r"`([\w.]+)`", row)
    }

    flat = {key for key in DEFAULTS if key not in ("delays", "profile")}
    nested = {f"{key}.{name}" for key in ("delays", "profile") for name in DEFAULTS[key]}
    assert named == flat | nested


def test_numbers_below_50_and_other_exchanges_are_ordinary() -> None:
    settings = _settings(profile={"outcomes": {"filtered": 1.0}})

    for number in ("+14155550149", "+14155550251", "+14155560151", "+445555501510"):
        assert _plan(settings, number).outcome.name == "filtered"
    for number in ("+14155550151", "+12125550151", "+4420755550151"):
        assert _plan(settings, number).outcome.name == "landline"


def test_scripts_of_the_settings_win_and_the_longest_ending_most() -> None:
    settings = _settings(
        scripts={"0151": "filtered", "+14155550151": "never_sent", "7": "landline"}
    )

    assert _plan(settings, "+14155550151").outcome.name == "never_sent"
    assert _plan(settings, "+12125550151").outcome.name == "filtered"
    assert _plan(settings, "+12125550107").outcome.name == "landline"
    assert _plan(settings, "+12125550152").outcome.name == "filtered"
    assert _plan(settings, "+12125550153").outcome.name == "unreachable"


def test_the_table_can_be_switched_off() -> None:
    assert _plan(_settings(patterns=False), "+14155550151") == Plan()


def test_the_default_profile_delivers_everything_quietly() -> None:
    assert set(_plans(_settings())) == {Plan()}


def test_a_run_repeats_with_its_seed_and_differs_with_another() -> None:
    profile = {"outcomes": {"landline": 0.1}, "reply_share": 0.2, "faults": {"lost_answer": 0.1}}

    first, again = (_plans(_settings(seed=3, profile=profile)) for _ in range(2))
    other = _plans(_settings(seed=4, profile=profile))

    assert first == again
    assert first != other


def test_shares_come_out_as_set() -> None:
    settings = _settings(
        profile={
            "outcomes": {"landline": 0.05, "filtered": 0.02, "never_final": 0.01},
            "refusals": {"21610": 0.03},
            "faults": {"rate_limited": 0.05, "lost_answer": 0.02, "slow_answer": 0.01},
            "callback_faults": {"lost": 0.04, "duplicated": 0.06},
        }
    )

    plans = _plans(settings)

    accepted = [plan for plan in plans if not plan.refusal and not plan.fault]
    outcomes = Counter(plan.outcome.name for plan in accepted)
    assert Counter(plan.refusal for plan in plans)[21610] == pytest.approx(300, abs=52)
    assert Counter(plan.fault for plan in plans)["rate_limited"] == pytest.approx(485, abs=65)
    assert outcomes["landline"] == pytest.approx(460, abs=64)
    assert outcomes["filtered"] == pytest.approx(184, abs=41)
    assert outcomes["never_final"] == pytest.approx(92, abs=30)
    assert Counter(plan.answer for plan in accepted)["lost_cut"] == pytest.approx(194, abs=42)
    assert Counter(plan.callback_fault for plan in accepted)["lost"] == pytest.approx(369, abs=58)


def test_only_delivered_messages_are_answered_and_tapped() -> None:
    settings = _settings(
        profile={
            "outcomes": {"landline": 0.5},
            "reply_share": 1.0,
            "replies": {"STOP": 1},
            "click_share": 1.0,
            "preview_share": 1.0,
        }
    )

    kinds = {(plan.outcome.name, plan.replies, plan.hits) for plan in _plans(settings)}

    assert kinds == {("landline", (), ()), ("delivered", ("STOP",), ("preview", "human"))}


def test_a_profiles_fault_is_drawn_anew_at_the_next_try() -> None:
    settings = _settings(profile={"faults": {"server_error": 0.5}})
    failed = [
        to
        for to in (f"+1415556{place:04}" for place in range(1000))
        if _plan(settings, to).fault == "server_error"
    ]

    again = [to for to in failed if _plan(settings, to, tries=1).fault == "server_error"]

    assert len(failed) == pytest.approx(500, abs=50)
    assert len(again) == pytest.approx(len(failed) / 2, abs=36)
