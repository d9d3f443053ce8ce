"""Everything that can be set, its defaults, and what values are possible.

Settings are plain data: `merged` gives a new checked dictionary, `Settings` is the same with
attributes for the paths that read them per message. docs/carriersim.md explains each key.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from carriersim import behaviours

DEFAULTS: dict[str, Any] = {
    "seed": 1,
    "speed": 1.0,
    "callbacks": True,
    "callback_concurrency": 128,
    "patterns": True,
    "scripts": {},
    "rate_limit_per_s": 0,
    "list_delay_s": 0.0,
    "trial_prefix": False,
    "smart_encoding": False,
    "opt_out_block": True,
    "opt_out_reply": False,
    "require_known_from": False,
    "sending_callbacks": False,
    "fetch_media": False,
    "lost_answer": "cut",
    "lost_answer_s": 60.0,
    "slow_answer_s": 20.0,
    "link_prefixes": [],
    "line_types": {},
    "price_per_segment": "0.0079",
    "delays": {
        "sent": [0.1, 0.6],
        "final": [0.4, 3.0],
        "preview": [0.3, 2.0],
        "click": [5.0, 120.0],
        "reply": [5.0, 60.0],
    },
    "profile": {
        "outcomes": {},
        "refusals": {},
        "faults": {},
        "callback_faults": {},
        "reply_share": 0.0,
        "replies": {"YES": 0.6, "STOP": 0.15, "question": 0.25},
        "click_share": 0.0,
        "preview_share": 0.0,
    },
}

_SHARE_NAMES: dict[str, frozenset[str]] = {
    "outcomes": behaviours.OUTCOME_NAMES,
    "refusals": behaviours.REFUSAL_CODES,
    "faults": behaviours.FAULT_NAMES,
    "callback_faults": behaviours.CALLBACK_FAULT_NAMES,
}


class SettingsError(ValueError):
    """A key that does not exist, or a value it cannot have."""


@dataclass(slots=True, frozen=True)
class Delays:
    """Seconds, [least, most], before the speed factor."""

    sent: tuple[float, float]
    final: tuple[float, float]
    preview: tuple[float, float]
    click: tuple[float, float]
    reply: tuple[float, float]


@dataclass(slots=True, frozen=True)
class Profile:
    """How the ordinary numbers behave: shares from 0 to 1."""

    outcomes: dict[str, float]
    refusals: dict[str, float]
    faults: dict[str, float]
    callback_faults: dict[str, float]
    reply_share: float
    replies: dict[str, float]
    click_share: float
    preview_share: float


@dataclass(slots=True, frozen=True)
class Settings:
    """The settings in force."""

    seed: int
    speed: float
    callbacks: bool
    callback_concurrency: int
    patterns: bool
    scripts: dict[str, str]
    rate_limit_per_s: float
    list_delay_s: float
    trial_prefix: bool
    smart_encoding: bool
    opt_out_block: bool
    opt_out_reply: bool
    require_known_from: bool
    sending_callbacks: bool
    fetch_media: bool
    lost_answer: str
    lost_answer_s: float
    slow_answer_s: float
    link_prefixes: list[str]
    line_types: dict[str, str]
    price_per_segment: str
    delays: Delays
    profile: Profile

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Settings:
        """Settings from a dictionary that `merged` made."""
        flat = {key: value for key, value in data.items() if key not in ("delays", "profile")}
        delays = Delays(**{name: (pair[0], pair[1]) for name, pair in data["delays"].items()})
        return cls(**flat, delays=delays, profile=Profile(**data["profile"]))


def merged(current: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A new dictionary of settings with the changes made.

    Raises:
        SettingsError: a key is unknown or a value impossible; the message names it.
    """
    result = copy.deepcopy(current)
    for key, value in changes.items():
        if key not in DEFAULTS:
            raise SettingsError(f"Unknown setting: {key}")
        if key in ("delays", "profile"):
            _expect(isinstance(value, dict), key, "an object")
            for name, inner in value.items():
                if name not in DEFAULTS[key]:
                    raise SettingsError(f"Unknown setting: {key}.{name}")
                check = _delay if key == "delays" else _profile
                check(name, inner)
                result[key][name] = copy.deepcopy(inner)
        else:
            _check(key, value)
            result[key] = copy.deepcopy(value)
    return result


def _expect(good: bool, key: str, what: str) -> None:
    if not good:
        raise SettingsError(f"{key} must be {what}")


def _is_number(value: object, *, least: float = 0.0) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def _check(key: str, value: Any) -> None:
    default = DEFAULTS[key]
    if isinstance(default, bool):
        _expect(isinstance(value, bool), key, "true or false")
    elif key == "speed":
        _expect(_is_number(value) and value > 0, key, "a number above 0")
    elif key in ("seed", "callback_concurrency"):
        _expect(isinstance(value, int) and _is_number(value, least=1), key, "a whole number from 1")
    elif isinstance(default, int | float):
        _expect(_is_number(value), key, "a number from 0")
    elif key == "scripts":
        _scripts(value)
    elif key == "line_types":
        good = isinstance(value, dict) and all(
            ending.removeprefix("+").isdigit() and isinstance(name, str)
            for ending, name in value.items()
        )
        _expect(good, key, "an object of number ending: type")
    elif key == "link_prefixes":
        good = isinstance(value, list) and all(
            isinstance(one, str) and one.startswith(("http://", "https://")) for one in value
        )
        _expect(good, key, "a list of http addresses")
    elif key == "lost_answer":
        _expect(value in ("cut", "hang", "error"), key, "cut, hang or error")
    else:
        _expect(isinstance(value, str), key, "text")


def _scripts(value: Any) -> None:
    _expect(isinstance(value, dict), "scripts", "an object of number ending: name")
    for ending, name in value.items():
        _expect(ending.removeprefix("+").isdigit(), f"scripts.{ending}", "under a number's ending")
        _expect(name in behaviours.SCRIPTS, f"scripts.{ending}", "the name of a script")


def _delay(name: str, value: Any) -> None:
    good = isinstance(value, list) and len(value) == 2 and all(_is_number(one) for one in value)
    _expect(good and value[0] <= value[1], f"delays.{name}", "[least, most] in seconds")


def _profile(name: str, value: Any) -> None:
    key = f"profile.{name}"
    if name.endswith("_share"):
        _expect(_is_number(value) and value <= 1, key, "a share from 0 to 1")
        return
    _expect(isinstance(value, dict) and all(map(_is_number, value.values())), key, "shares by name")
    if name == "replies":
        _expect(sum(value.values()) > 0, key, "weights that are not all 0")
        return
    unknown = sorted(set(value) - _SHARE_NAMES[name])
    _expect(not unknown, key, f"shares of {', '.join(sorted(_SHARE_NAMES[name]))}")
    _expect(sum(value.values()) <= 1.000001, key, "shares that add up to at most 1")
