"""Who was behind a hit on a short link: a person, a preview robot, a scanner, or one cannot tell.

Owns the rules and their version; storing verdicts and re-judging old hits are its callers' affair.
Hits are flagged, never dropped: reports show all of them and those of people.

Known robots come from the package crawler-user-agents (its `social-preview` tag makes a preview
robot, all others are scanners), so the list is renewed with the package. Added here are only the
previewers of phones' message apps, above all iMessage's, which claims to be Safari, Facebook and
Twitter at once, and the browsers inside apps, which the package partly takes for robots: whoever
taps a link inside an app is a person.

What no rule can tell: a link scanner that behaves like a phone in all that a request shows, and
a scanner that changes its agent all the time from a crowd behind one address (an office, the
gateway of a carrier). In the minute after a large blast a crowd is much the likelier, and it is
told by its many agents: a crowd's hits are doubted only far above what people do.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from tracking.choices import Verdict

# Raise with every change of a rule or a limit below; stored with each verdict.
RULES_VERSION: Final = 2

# A text needs about this long to reach a phone and be read far enough to tap.
HUMAN_MIN_S: Final = 2.0
# Recipients whose links one address opened within a minute.
BURST_DOUBTFUL: Final = 8
BURST_SCANNER: Final = 20
# People behind one address bring several agents, none of which makes most of the hits. Phones of
# one model share an agent, and Chrome's on Android is the same on all, so there are few.
CROWD_AGENTS: Final = 4
CROWD_DOUBTFUL: Final = 60


class Why(StrEnum):
    """One reason of a verdict, as stored; `REASON_WORDS` says it in words."""

    BROWSER = "browser"
    IN_APP_BROWSER = "in_app_browser"
    IMESSAGE_PREVIEW = "imessage_preview"
    PREVIEW_AGENT = "preview_agent"
    ROBOT_AGENT = "robot_agent"
    NO_AGENT = "no_agent"
    NO_BROWSER_AGENT = "no_browser_agent"
    HEAD_REQUEST = "head_request"
    NO_BROWSER_HEADERS = "no_browser_headers"
    TOO_SOON = "too_soon"
    SOME_FROM_ONE_ADDRESS = "some_from_one_address"
    MANY_FROM_ONE_ADDRESS = "many_from_one_address"


REASON_WORDS: Final[dict[str, str]] = {
    Why.BROWSER: "came from a web browser",
    Why.IN_APP_BROWSER: "came from the browser inside an app",
    Why.IMESSAGE_PREVIEW: "is the link preview of Apple Messages",
    Why.PREVIEW_AGENT: "is the link preview of a known app",
    Why.ROBOT_AGENT: "is a known robot",
    Why.NO_AGENT: "did not say what it is",
    Why.NO_BROWSER_AGENT: "does not call itself a browser",
    Why.HEAD_REQUEST: "asked only whether the page is there, as people cannot",
    Why.NO_BROWSER_HEADERS: "sent none of the headers that browsers send",
    Why.TOO_SOON: "came within two seconds of sending",
    Why.SOME_FROM_ONE_ADDRESS: "opened links of several recipients in a minute",
    Why.MANY_FROM_ONE_ADDRESS: "opened links of many recipients in a minute",
}


def reasons_told(reasons: Iterable[str]) -> str:
    """Why a hit was judged as it was, in words."""
    return "; ".join(REASON_WORDS.get(reason, reason) for reason in reasons)


@dataclass(frozen=True, slots=True)
class Hit:
    """What a request showed.

    Attributes:
        method: GET or HEAD.
        user_agent: As sent, "" if none.
        browser_headers: It came with Accept (for HTML) and Accept-Language.
        seconds_since_sent: From the carrier taking the text to the hit; None if not known.
        burst: Recipients whose links the same address opened in the minute before, this one
            counted.
        burst_same_agent: Those of them whose links were opened with this user agent.
        burst_agents: How many user agents the address showed in that minute.
    """

    method: str
    user_agent: str
    browser_headers: bool
    seconds_since_sent: float | None = None
    burst: int = 1
    burst_same_agent: int = 1
    burst_agents: int = 1

    @property
    def is_of_crowd(self) -> bool:
        """Whether the address looks shared by people rather than a scanner's."""
        return self.burst_agents >= CROWD_AGENTS and self.burst_same_agent * 2 <= self.burst


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why, and under which version of the rules."""

    verdict: Verdict
    reasons: tuple[Why, ...]
    version: int = RULES_VERSION


def classify(hit: Hit) -> Judgement:
    """Judge one hit.

    What gives itself away (agent, HEAD, a large burst) is judged by that alone; of the softer
    doubts one makes a hit unsure and two make it a scanner's.
    """
    known = agent_verdict(hit.user_agent)
    if known.verdict in (Verdict.PREVIEW, Verdict.SCANNER):
        return known
    if hit.method == "HEAD":
        return Judgement(Verdict.SCANNER, (Why.HEAD_REQUEST,))
    if hit.burst >= BURST_SCANNER and not hit.is_of_crowd:
        return Judgement(Verdict.SCANNER, (Why.MANY_FROM_ONE_ADDRESS,))
    doubts = list(known.reasons) if known.verdict == Verdict.UNSURE else []
    if not hit.browser_headers:
        doubts.append(Why.NO_BROWSER_HEADERS)
    if hit.seconds_since_sent is not None and hit.seconds_since_sent < HUMAN_MIN_S:
        doubts.append(Why.TOO_SOON)
    if hit.burst >= (CROWD_DOUBTFUL if hit.is_of_crowd else BURST_DOUBTFUL):
        doubts.append(Why.SOME_FROM_ONE_ADDRESS)
    if not doubts:
        return known
    return Judgement(Verdict.UNSURE if len(doubts) == 1 else Verdict.SCANNER, tuple(doubts))


# A look through 1,500 patterns takes 0.2 ms; a blast's visitors share some hundred agents.
@lru_cache(maxsize=20_000)
def agent_verdict(user_agent: str) -> Judgement:
    """What the user agent alone tells: human and unsure may still be overruled by behaviour."""
    if not user_agent.strip():
        return Judgement(Verdict.SCANNER, (Why.NO_AGENT,))
    if all(name in user_agent for name in ("facebookexternalhit", "Twitterbot", "Safari")):
        return Judgement(Verdict.PREVIEW, (Why.IMESSAGE_PREVIEW,))
    if _PREVIEWS.search(user_agent):
        return Judgement(Verdict.PREVIEW, (Why.PREVIEW_AGENT,))
    if _IN_APP.search(user_agent) and user_agent.startswith("Mozilla/5.0 ("):
        return Judgement(Verdict.HUMAN, (Why.IN_APP_BROWSER,))
    tags = _robot_tags(user_agent)
    if "social-preview" in tags:
        return Judgement(Verdict.PREVIEW, (Why.PREVIEW_AGENT,))
    if tags:
        return Judgement(Verdict.SCANNER, (Why.ROBOT_AGENT,))
    if _BROWSER.match(user_agent):
        return Judgement(Verdict.HUMAN, (Why.BROWSER,))
    return Judgement(Verdict.UNSURE, (Why.NO_BROWSER_AGENT,))


# Previewers to be known before anything else: they carry the names of real browsers and apps.
_PREVIEWS: Final = re.compile(
    r"facebookexternalhit|Facebot|Twitterbot|Google-PageRenderer|developers\.google\.com/\+/web"
    r"/snippet|Snap URL Preview|WhatsApp/|TelegramBot|Slackbot|Slack-ImgProxy|Discordbot"
    r"|SkypeUriPreview|LinkPreview|Link Preview"
)
# Browsers inside apps: Facebook, Messenger and Threads, Instagram, TikTok, Line, Google, Snapchat,
# Pinterest, LinkedIn, X, WeChat, Reddit, KakaoTalk, DuckDuckGo, Nextdoor.
_IN_APP: Final = re.compile(
    r"\bFB(?:AN|AV|_IAB)\b|MetaIAB|\bBarcelona \d|\bInstagram \d|BytedanceWebview|musical_ly"
    r"|\btrill_\d|\bLine/\d|\bGSA/\d|\bSnapchat/?\d|\[Pinterest/|\[LinkedInApp\]"
    r"|Twitter for (?:iPhone|Android)|MicroMessenger/|\bReddit/\d|KAKAOTALK|\bDdg/\d|Nextdoor"
)
_BROWSER: Final = re.compile(
    r"Mozilla/5\.0 \(.*?(?:Chrome/|CriOS/|Firefox/|FxiOS/|Safari/|EdgiOS/|Edg/|SamsungBrowser/"
    r"|AppleWebKit/|Trident/|Gecko/)|Opera/9\.80"
)
_CHUNK: Final = 25  # more alternatives in one pattern make Python's regex engine slower


@lru_cache(maxsize=1)
def _robots() -> list[tuple[re.Pattern[str], list[tuple[str, frozenset[str]]]]]:
    """The package's patterns by the chunk: one for all of a chunk, then each with its tags."""
    rows = [
        (row["pattern"], frozenset(row.get("tags") or ("robot",)))
        for row in CRAWLER_USER_AGENTS_DATA
    ]
    chunks = [rows[at : at + _CHUNK] for at in range(0, len(rows), _CHUNK)]
    return [(re.compile("|".join(pattern for pattern, _ in chunk)), chunk) for chunk in chunks]


def _robot_tags(user_agent: str) -> frozenset[str]:
    """Tags of every known robot that `user_agent` matches; empty for none."""
    found: set[str] = set()
    for any_of_them, chunk in _robots():
        if any_of_them.search(user_agent):
            for pattern, tags in chunk:
                if re.search(pattern, user_agent):
                    found |= tags
    return frozenset(found)
