"""Which messages a list shows: read from an address, told in words, written back into an address.

Owns the one vocabulary of every list of messages: the log, the people of a report, their exports
and the groups made of them. Pure; `messaging.selectors.messages_list` makes a query of it, and
`messaging.opening` the addresses behind figures.
"""

import re
from calendar import day_name
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final
from urllib.parse import urlencode

from common.text import searched, whole_number
from messaging.choices import BatchKind, Direction, MessageState, Reason

_TAKEN: Final = (
    MessageState.ACCEPTED,
    MessageState.SENT,
    MessageState.DELIVERED,
    MessageState.UNDELIVERED,
    MessageState.FAILED,
)
# Several states under one word, as a report's figures count them.
STATES: Final[Mapping[str, tuple[MessageState, ...]]] = {
    # What the carrier took, whatever became of it afterwards.
    "accepted": _TAKEN,
    # What it took or refused.
    "asked": (*_TAKEN, MessageState.REFUSED),
    # And what it may have taken: its answer was lost.
    "handed": (*_TAKEN, MessageState.REFUSED, MessageState.UNKNOWN),
    "meant": (*_TAKEN, MessageState.REFUSED, MessageState.UNKNOWN, MessageState.PENDING),
    "delivered": (MessageState.DELIVERED,),
    # Taken, and no last word of it yet.
    "unheard": (MessageState.ACCEPTED, MessageState.SENT),
    "waiting": (
        MessageState.PENDING,
        MessageState.UNKNOWN,
        MessageState.ACCEPTED,
        MessageState.SENT,
    ),
    "failed": (MessageState.UNDELIVERED, MessageState.FAILED, MessageState.REFUSED),
    "skipped": (MessageState.SKIPPED,),
}
# What a person did, as one word (`show` of a figure, `did` of the log).
DEEDS: Final[Mapping[str, tuple[str, str]]] = {
    "clicked": ("clicked", "yes"),
    "hit": ("clicked", "hit"),
    "replied": ("replied", "yes"),
    "opted_out": ("left", "yes"),
}
# Answers that each question about a person takes, and their words.
ANSWERS: Final[Mapping[str, Mapping[str, str]]] = {
    "clicked": {
        "yes": "Clicked",
        "no": "Did not click",
        "hit": "Link was hit, robots too",
    },
    "replied": {"yes": "Replied", "no": "Did not reply"},
    "left": {"yes": "Opted out", "no": "Did not opt out"},
}
_SHOW_WORDS: Final[Mapping[str, str]] = {
    "accepted": "Accepted",
    "asked": "Accepted or refused",
    "handed": "With the carrier",
    "meant": "To be texted",
    "delivered": "Delivered",
    "unheard": "No word yet",
    "waiting": "Waiting",
    "failed": "Not delivered",
    "skipped": "Not texted",
}
# What happened at a moment, whose day or hour of the week a list may ask for.
MOMENTS: Final = ("delivered", "clicked", "replied")
# Who sent it: an account user's id, or nobody who is still there.
NOBODY: Final = "nobody"
# The carrier's code of messages that have none.
NO_CODE: Final = "none"
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)
_NUMBER: Final = re.compile(r"\+?[0-9]{3,15}")
_CODE: Final = re.compile(r"[0-9A-Za-z]{1,12}")
_DAY: Final = re.compile(rf"({'|'.join(MOMENTS)})-(\d{{4}}-\d\d-\d\d)")
_HOUR: Final = re.compile(rf"({'|'.join(MOMENTS)})-([1-7])-([01]\d|2[0-3])")


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What all rows of a list have in common; empty fields ask for nothing.

    Attributes:
        show: A word of `STATES`.
        state: One `MessageState`.
        reason: One `Reason`.
        code: The carrier's code, or `NO_CODE`.
        direction: One `Direction`.
        clicked: `yes` (a person did), `no`, or `hit` (a person or a robot).
        replied: `yes` or `no`; opt-out words are no reply.
        left: `yes` or `no`: opted out after the text.
        kind: One `BatchKind`.
        since, until: First and last day (ISO) on which it was asked for, in the account's zone.
        number: The account's number, as messages name it.
        by: The id of the account user who sent it, or `NOBODY`.
        linked: `yes`: of a batch whose text has a link.
        day: One of `MOMENTS` and the day of it: `clicked-2026-05-10`.
        hour: One of `MOMENTS`, its weekday (1 Monday to 7) and hour: `clicked-7-09`.
        link: Only people who clicked this link; with `clicked=hit` robots' hits too.
        search: A person's name, a phone in any form, or words of the text.
    """

    show: str = ""
    state: str = ""
    reason: str = ""
    code: str = ""
    direction: str = ""
    clicked: str = ""
    replied: str = ""
    left: str = ""
    kind: str = ""
    since: str = ""
    until: str = ""
    number: str = ""
    by: str = ""
    linked: str = ""
    day: str = ""
    hour: str = ""
    link: int | None = None
    search: str = ""

    @property
    def params(self) -> dict[str, str]:
        """The same as parameters of an address, without what asks for nothing."""
        named = {_PARAMS.get(name, name): str(getattr(self, name) or "") for name in _FIELDS}
        return {name: value for name, value in named.items() if value}

    @property
    def query(self) -> str:
        """The same behind the question mark of an address."""
        return urlencode(self.params)

    @property
    def words(self) -> list[str]:
        """What the rows have in common, most general first: "Delivered", "Did not reply"."""
        told = [
            dict(Direction.choices).get(self.direction),
            dict(BatchKind.choices).get(self.kind),
            *_period(self.since, self.until),
            f"From {self.number}" if self.number else None,
            _sent_by(self.by),
            "With a link" if self.linked else None,
            self.show_words,
            dict(MessageState.choices).get(self.state),
            dict(Reason.choices).get(self.reason),
            self.code_words,
            *(ANSWERS[name].get(getattr(self, name)) for name in ANSWERS),
            self.day_words,
            self.hour_words,
            f"link {self.link}" if self.link else None,
            f"“{self.search}”" if self.search else None,
        ]
        return [words for words in told if words]

    @property
    def show_words(self) -> str:
        """ "Not delivered", or nothing."""
        return _SHOW_WORDS.get(self.show, "")

    @property
    def code_words(self) -> str:
        """ "Carrier’s code 30006", or nothing."""
        if self.code == NO_CODE:
            return "Without a carrier’s code"
        return f"Carrier’s code {self.code}" if self.code else ""

    @property
    def day_words(self) -> str:
        """ "Clicked on 10 May 2026", or nothing."""
        if self.moment_day is None:
            return ""
        what, day = self.moment_day
        return f"{what.capitalize()} on {_day_words(day)}"

    @property
    def hour_words(self) -> str:
        """ "Clicked on Sundays from 09:00 to 10:00", or nothing."""
        if self.moment_hour is None:
            return ""
        what, weekday, hour = self.moment_hour
        times = f"from {hour:02}:00 to {(hour + 1) % 24:02}:00"
        return f"{what.capitalize()} on {day_name[weekday - 1]}s {times}"

    @property
    def of_messages(self) -> "ListFilter":
        """The same without what is asked of their batches: kind, days, by whom, with a link."""
        return replace(self, kind="", since="", until="", by="", linked="")

    @property
    def moment_day(self) -> tuple[str, date] | None:
        """What happened, and on which day."""
        found = _DAY.fullmatch(self.day)
        return (found[1], date.fromisoformat(found[2])) if found else None

    @property
    def moment_hour(self) -> tuple[str, int, int] | None:
        """What happened, and on which weekday (1 Monday to 7) and in which hour."""
        found = _HOUR.fullmatch(self.hour)
        return (found[1], int(found[2]), int(found[3])) if found else None

    def __bool__(self) -> bool:
        """Whether it asks for anything."""
        return bool(self.params)


_FIELDS: Final = tuple(ListFilter.__dataclass_fields__)
# Fields that an address calls otherwise.
_PARAMS: Final = {"since": "from", "until": "to", "search": "q"}
EVERYTHING: Final = ListFilter()


def listing_read(params: Mapping[str, str]) -> ListFilter:
    """The filter that an address asks for; what makes no sense is left out.

    `show` and `did` may also name a deed (`clicked`, `hit`, `replied`, `opted_out`), which stands
    for the answer to its question unless that question is answered too.
    """
    show, link, by = (params.get(name, "") for name in ("show", "link", "by"))
    answers = dict(DEEDS[word] for word in (show, params.get("did", "")) if word in DEEDS)
    answers |= {name: params[name] for name in ANSWERS if params.get(name) in ANSWERS[name]}
    return ListFilter(
        show=show if show in STATES else "",
        state=_one_of(MessageState.values, params.get("state", "")),
        reason=_one_of(Reason.values, params.get("reason", "")),
        code=_whole(_CODE, params.get("code", "")),
        direction=_one_of(Direction.values, params.get("direction", "")),
        kind=_one_of(BatchKind.values, params.get("kind", "")),
        since=_day(params.get("from", "")),
        until=_day(params.get("to", "")),
        number=_whole(_NUMBER, params.get("number", "")),
        by=by if by == NOBODY or whole_number(by) is not None else "",
        linked="yes" if params.get("linked") == "yes" else "",
        day=_moment_day(params.get("day", "")),
        hour=_whole(_HOUR, params.get("hour", "")),
        link=whole_number(link),
        search=searched(params.get("q", "")),
        **answers,
    )


def _period(since: str, until: str) -> list[str]:
    first, last = (_day_words(date.fromisoformat(day)) if day else "" for day in (since, until))
    if first and first == last:
        return [f"On {first}"]
    return [f"{word} {day}" for word, day in (("From", first), ("Until", last)) if day]


def _day_words(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _sent_by(by: str) -> str:
    if not by:
        return ""
    return "By somebody who has left" if by == NOBODY else f"By account user {by}"


def _one_of(values: list[str], word: str) -> str:
    return word if word in values else ""


def _whole(pattern: re.Pattern[str], text: str) -> str:
    return text if text.isascii() and pattern.fullmatch(text) else ""


def _day(text: str) -> str:
    """A day as an address writes it, if there is such a day in the times of texts."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return ""
    return text if _FIRST_DAY <= day <= _LAST_DAY and text == f"{day}" else ""


def _moment_day(text: str) -> str:
    found = _DAY.fullmatch(text)
    return text if text.isascii() and found and _day(found[2]) else ""
