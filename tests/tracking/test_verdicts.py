from collections import Counter
from pathlib import Path

import pytest
from crawleruseragents import is_crawler
from hypothesis import given
from hypothesis import strategies as st

from tracking import verdicts
from tracking.choices import Verdict
from tracking.verdicts import RULES_VERSION, Hit, Judgement, Why, agent_verdict, classify

LINES = (Path(__file__).parent / "user_agents.txt").read_text().splitlines()
AGENTS = [tuple(line.split(" | ", 1)) for line in LINES if line and not line.startswith("#")]
SAFARI = next(agent for verdict, agent in AGENTS if verdict == "human")
IMESSAGE = next(agent for _, agent in AGENTS if "Twitterbot" in agent)


def hit(
    agent: str = SAFARI,
    *,
    method: str = "GET",
    browser_headers: bool = True,
    after_s: float | None = 60.0,
    burst: int = 1,
    same_agent: int = 1,
    agents: int = 1,
) -> Hit:
    return Hit(method, agent, browser_headers, after_s, burst, same_agent, agents)


def test_the_fixture_holds_all_kinds() -> None:
    assert Counter(verdict for verdict, _ in AGENTS) == {
        "human": 41,
        "preview": 14,
        "scanner": 12,
        "unsure": 3,
    }


@pytest.mark.parametrize(("verdict", "agent"), AGENTS)
def test_real_user_agents(verdict: str, agent: str) -> None:
    assert agent_verdict(agent).verdict == verdict
    assert classify(hit(agent)).verdict == verdict


def test_imessages_preview_is_named() -> None:
    assert classify(hit(IMESSAGE)) == Judgement(Verdict.PREVIEW, (Why.IMESSAGE_PREVIEW,))


def test_browsers_inside_apps_are_people_also_where_the_package_says_robot() -> None:
    meta = next(agent for _, agent in AGENTS if "MetaIAB" in agent)

    assert is_crawler(meta)
    assert classify(hit(meta)) == Judgement(Verdict.HUMAN, (Why.IN_APP_BROWSER,))


@pytest.mark.parametrize(
    ("seen", "verdict", "reasons"),
    [
        (hit(), Verdict.HUMAN, [Why.BROWSER]),
        (hit(after_s=None), Verdict.HUMAN, [Why.BROWSER]),
        (hit(after_s=2.0), Verdict.HUMAN, [Why.BROWSER]),
        (hit(burst=7), Verdict.HUMAN, [Why.BROWSER]),
        # One doubt
        (hit(after_s=1.9), Verdict.UNSURE, [Why.TOO_SOON]),
        (hit(after_s=-3.0), Verdict.UNSURE, [Why.TOO_SOON]),
        (hit(browser_headers=False), Verdict.UNSURE, [Why.NO_BROWSER_HEADERS]),
        (hit(burst=8), Verdict.UNSURE, [Why.SOME_FROM_ONE_ADDRESS]),
        # Two doubts
        (
            hit(browser_headers=False, after_s=0.4),
            Verdict.SCANNER,
            [Why.NO_BROWSER_HEADERS, Why.TOO_SOON],
        ),
        (hit(after_s=1.0, burst=19), Verdict.SCANNER, [Why.TOO_SOON, Why.SOME_FROM_ONE_ADDRESS]),
        (
            hit("Dalvik/2.1.0", browser_headers=False),
            Verdict.SCANNER,
            [Why.NO_BROWSER_AGENT, Why.NO_BROWSER_HEADERS],
        ),
        # What gives itself away
        (hit(method="HEAD"), Verdict.SCANNER, [Why.HEAD_REQUEST]),
        (hit(burst=20), Verdict.SCANNER, [Why.MANY_FROM_ONE_ADDRESS]),
        # A crowd behind one address: several agents, none of them most of it
        (hit(burst=59, same_agent=29, agents=4), Verdict.HUMAN, [Why.BROWSER]),
        (hit(burst=60, same_agent=30, agents=9), Verdict.UNSURE, [Why.SOME_FROM_ONE_ADDRESS]),
        (
            hit(burst=200, same_agent=20, agents=30, browser_headers=False),
            Verdict.SCANNER,
            [Why.NO_BROWSER_HEADERS, Why.SOME_FROM_ONE_ADDRESS],
        ),
        (
            hit(burst=20, same_agent=11, agents=4),
            Verdict.SCANNER,
            [Why.MANY_FROM_ONE_ADDRESS],
        ),
        (
            hit(burst=20, same_agent=7, agents=3),
            Verdict.SCANNER,
            [Why.MANY_FROM_ONE_ADDRESS],
        ),
        (hit(""), Verdict.SCANNER, [Why.NO_AGENT]),
        (hit("  "), Verdict.SCANNER, [Why.NO_AGENT]),
        (hit("curl/8.7.1", burst=50), Verdict.SCANNER, [Why.ROBOT_AGENT]),
        (hit("WhatsApp/2.24.12.78 i", method="HEAD"), Verdict.PREVIEW, [Why.PREVIEW_AGENT]),
        (hit(IMESSAGE, after_s=0.3, burst=50), Verdict.PREVIEW, [Why.IMESSAGE_PREVIEW]),
    ],
)
def test_rules(seen: Hit, verdict: Verdict, reasons: list[Why]) -> None:
    assert classify(seen) == Judgement(verdict, tuple(reasons), RULES_VERSION)


def test_every_reason_has_words() -> None:
    assert set(verdicts.REASON_WORDS) == set(Why)


@given(
    st.sampled_from(["GET", "HEAD"]),
    st.one_of(st.text(max_size=500), st.sampled_from([agent for _, agent in AGENTS])),
    st.booleans(),
    st.one_of(st.none(), st.floats(-10, 1e6)),
    st.integers(1, 1000),
)
def test_every_hit_gets_a_verdict_with_reasons(
    method: str, agent: str, browser_headers: bool, after_s: float | None, burst: int
) -> None:
    seen = classify(Hit(method, agent, browser_headers, after_s, burst))

    assert seen.verdict != Verdict.PENDING
    assert seen.reasons
    if seen.verdict == Verdict.HUMAN:
        assert (method, browser_headers) == ("GET", True)
        assert burst < verdicts.BURST_DOUBTFUL
