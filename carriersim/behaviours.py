"""What becomes of a message: the scripts by number, and the shares of the profile.

Pure: a `Plan` follows from the settings, To, Body and how often that pair was refused before, so a
run repeats with the same seed. Doing it is for `simulator`, `callbacks` and `people`.
docs/carriersim.md holds the same table for readers; a test keeps the two equal.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carriersim.settings import Profile, Settings


@dataclass(slots=True, frozen=True)
class Outcome:
    """The end of a message: its last status, and whether it gets as far as sent and final."""

    name: str
    status: str
    code: int | None = None
    is_sent: bool = True
    is_final: bool = True


OUTCOMES: dict[str, Outcome] = {
    outcome.name: outcome
    for outcome in (
        Outcome("delivered", "delivered"),
        Outcome("landline", "undelivered", 30006),
        Outcome("filtered", "undelivered", 30007),
        Outcome("unreachable", "undelivered", 30003),
        Outcome("unknown_handset", "undelivered", 30005),
        Outcome("unknown_error", "undelivered", 30008),
        Outcome("queue_overflow", "failed", 30001, is_sent=False),
        Outcome("opted_out_late", "failed", 21610, is_sent=False),
        Outcome("never_final", "sent", is_final=False),
        Outcome("never_sent", "queued", is_sent=False, is_final=False),
    )
}
DELIVERED = OUTCOMES["delivered"]
# What media bring about (`media.failure`): no script and no share plans these.
MEDIA_OUTCOMES: dict[str, Outcome] = {
    outcome.name: outcome
    for outcome in (
        Outcome("media_unreachable", "failed", 11200, is_sent=False),
        Outcome("media_type", "failed", 12300, is_sent=False),
        Outcome("media_too_large", "failed", 30019, is_sent=False),
    )
}


@dataclass(slots=True, frozen=True)
class Plan:
    """What is to happen with one message.

    Attributes:
        refusal: the error code it is refused with at create, 0 for none.
        fault: `rate_limited`, `server_error` or `unavailable`: not accepted, worth another try.
        fault_times: only the first so many tries have the fault; 0 for every one.
        answer: how an accepted create is answered wrongly: `lost_cut`, `lost_hang`, `lost_error`,
            `slow`; empty for at once and well.
        outcome: the end it comes to.
        callback_fault: a key that `callbacks.program` knows, empty for none.
        replies: what the phone texts back once delivered, in order.
        hits: who fetches each link once delivered, in order: `human`, `preview`, `scanner`.
    """

    refusal: int = 0
    fault: str = ""
    fault_times: int = 0
    answer: str = ""
    outcome: Outcome = DELIVERED
    callback_fault: str = ""
    replies: tuple[str, ...] = ()
    hits: tuple[str, ...] = ()


_PLAIN = Plan()

SCRIPTS: dict[str, Plan] = {
    **{name: Plan(outcome=outcome) for name, outcome in OUTCOMES.items()},
    "opted_out": Plan(refusal=21610),
    "invalid": Plan(refusal=21211),
    "not_mobile": Plan(refusal=21614),
    "callbacks_lost": Plan(callback_fault="lost"),
    "final_lost": Plan(callback_fault="final_lost"),
    "duplicated": Plan(callback_fault="duplicated"),
    "reordered": Plan(callback_fault="reordered"),
    "early": Plan(callback_fault="early"),
    "lost_hang": Plan(answer="lost_hang"),
    "lost_cut": Plan(answer="lost_cut"),
    "lost_error": Plan(answer="lost_error"),
    "slow": Plan(answer="slow"),
    "server_error": Plan(fault="server_error"),
    "server_error_once": Plan(fault="server_error", fault_times=1),
    "unavailable": Plan(fault="unavailable"),
    "rate_limited": Plan(fault="rate_limited"),
    "rate_limited_twice": Plan(fault="rate_limited", fault_times=2),
    "reply_yes": Plan(replies=("YES",)),
    "reply_stop": Plan(replies=("STOP",)),
    "reply_question": Plan(replies=("question",)),
    "reply_free_stop": Plan(replies=("please stop texting me",)),
    "click": Plan(hits=("human",)),
    "preview": Plan(hits=("preview",)),
    "preview_click": Plan(hits=("preview", "human")),
    "click_twice": Plan(hits=("human", "human")),
    "scanner": Plan(hits=("scanner",)),
    "click_reply": Plan(hits=("human",), replies=("YES",)),
    "contradicted": Plan(callback_fault="contradicted"),
    "unknown_status": Plan(callback_fault="unknown_status"),
    "bad_signature": Plan(callback_fault="bad_signature"),
    "extra_parameter": Plan(callback_fault="extra_parameter"),
    "foreign_sid": Plan(callback_fault="foreign_sid"),
}

# The table: +1 (any area code) 555 01NN, the numbers set aside for fiction; NN < 50 is ordinary.
NUMBERED_SCRIPTS: dict[int, str] = {
    50: "delivered", 51: "landline", 52: "filtered", 53: "unreachable", 54: "unknown_handset",
    55: "unknown_error", 56: "queue_overflow", 57: "opted_out", 58: "invalid", 59: "not_mobile",
    60: "opted_out_late", 61: "never_final", 62: "never_sent", 63: "callbacks_lost",
    64: "final_lost", 65: "duplicated", 66: "reordered", 67: "early", 68: "lost_hang",
    69: "lost_cut", 70: "lost_error", 71: "slow", 72: "server_error", 73: "server_error_once",
    74: "unavailable", 75: "rate_limited", 76: "rate_limited_twice", 77: "reply_yes",
    78: "reply_stop", 79: "reply_question", 80: "reply_free_stop", 81: "click", 82: "preview",
    83: "preview_click", 84: "click_twice", 85: "scanner", 86: "click_reply", 87: "contradicted",
    88: "unknown_status", 89: "bad_signature", 90: "extra_parameter", 91: "foreign_sid",
}  # fmt: skip
PATTERN_STEM = "55501"

OUTCOME_NAMES = frozenset(OUTCOMES) - {"delivered"}
REFUSAL_CODES = frozenset({"21211", "21610", "21614"})
REFUSED_FAULTS = frozenset({"rate_limited", "server_error", "unavailable"})
FAULT_NAMES = REFUSED_FAULTS | {"lost_answer", "slow_answer"}
CALLBACK_FAULT_NAMES = frozenset({"lost", "final_lost", "duplicated", "reordered", "early"})

_DRAWS = struct.Struct("<16I")


class Draws:
    """Sixteen random numbers of one message, each from 0 to below 1 and each for one purpose."""

    __slots__ = ("_values",)

    def __init__(self, *, seed: int, to: str, body: str, tries: int) -> None:
        key = f"{seed}\0{tries}\0{to}\0{body}".encode("utf-8", "surrogatepass")
        self._values = _DRAWS.unpack(hashlib.blake2b(key).digest())

    def share(self, purpose: int) -> float:
        """The number kept for this purpose (a constant of this package)."""
        return float(self._values[purpose] / 4294967296.0)

    def between(self, purpose: int, bounds: tuple[float, float]) -> float:
        """A value between two bounds."""
        least, most = bounds
        return least + (most - least) * self.share(purpose)


# One draw a purpose, so that changing one share leaves everything else as it was.
REFUSAL, FAULT, OUTCOME, CALLBACK_FAULT, SENT, FINAL, REPLY, REPLY_KIND = range(8)
REPLY_TEXT, REPLY_DELAY, CLICK, CLICK_DELAY, PREVIEW, PREVIEW_DELAY, AGENT, METHOD = range(8, 16)


def script_of(settings: Settings, to: str) -> Plan | None:
    """The plan scripted for a number, by the longest ending that matches; None for no script."""
    if settings.scripts:
        for start in range(len(to)):
            name = settings.scripts.get(to[start:])
            if name is not None:
                return SCRIPTS[name]
    if settings.patterns and to[-7:-2] == PATTERN_STEM:
        name = NUMBERED_SCRIPTS.get(int(to[-2:]))
        return SCRIPTS[name] if name else None
    return None


def plan_for(settings: Settings, *, to: str, tries: int, draws: Draws) -> Plan:
    """What is to happen with a message.

    Args:
        tries: how often the same To and Body met a fault before.
    """
    scripted = script_of(settings, to)
    if scripted is not None:
        if scripted.fault and 0 < scripted.fault_times <= tries:
            return _PLAIN
        return scripted
    return _by_profile(settings, settings.profile, draws)


def _by_profile(settings: Settings, profile: Profile, draws: Draws) -> Plan:
    refusal = _pick(profile.refusals, draws.share(REFUSAL))
    if refusal:
        return Plan(refusal=int(refusal))
    fault = _pick(profile.faults, draws.share(FAULT))
    if fault in REFUSED_FAULTS:
        return Plan(fault=fault)
    answer = {"": "", "slow_answer": "slow", "lost_answer": f"lost_{settings.lost_answer}"}[fault]

    outcome = OUTCOMES[_pick(profile.outcomes, draws.share(OUTCOME)) or "delivered"]
    callback_fault = _pick(profile.callback_faults, draws.share(CALLBACK_FAULT))
    plan = _PLAIN
    if answer or callback_fault or outcome is not DELIVERED:
        plan = Plan(answer=answer, outcome=outcome, callback_fault=callback_fault)
    if outcome is DELIVERED:
        plan = _with_phone(plan, profile, draws)
    return plan


def _with_phone(plan: Plan, profile: Profile, draws: Draws) -> Plan:
    """The plan with what the phone does, which only a delivered message brings about."""
    previewed = draws.share(PREVIEW) < profile.preview_share
    clicked = draws.share(CLICK) < profile.click_share
    replied = draws.share(REPLY) < profile.reply_share
    if not (previewed or clicked or replied):
        return plan
    hits = ("preview",) * previewed + ("human",) * clicked
    replies: tuple[str, ...] = ()
    if replied:
        total = sum(profile.replies.values())
        weights = {text: weight / total for text, weight in profile.replies.items()}
        replies = (_pick(weights, draws.share(REPLY_KIND)) or next(iter(weights)),)
    return replace(plan, hits=hits, replies=replies)


def _pick(shares: dict[str, float], share: float) -> str:
    """The name under which a share from 0 to 1 falls; empty beyond the last."""
    for name, width in shares.items():
        if share < width:
            return name
        share -= width
    return ""
