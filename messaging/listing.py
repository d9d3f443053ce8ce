"""Which messages a list shows: read from an address, told in words, written back into an address.

Owns the one vocabulary of every list of messages: the log, the people of a report, their exports
and the groups made of them. Pure; `messaging.selectors.messages_list` makes a query of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from common.text import typed
from messaging.choices import Direction, MessageState, Reason

# Several states under one word, as a report's figures count them.
STATES: Final[Mapping[str, tuple[MessageState, ...]]] = {
    # What the carrier took, whatever became of it afterwards.
    "accepted": (
        MessageState.ACCEPTED,
        MessageState.SENT,
        MessageState.DELIVERED,
        MessageState.UNDELIVERED,
        MessageState.FAILED,
    ),
    "delivered": (MessageState.DELIVERED,),
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
    "delivered": "Delivered",
    "waiting": "Waiting",
    "failed": "Not delivered",
    "skipped": "Not texted",
}
_SEARCH_LENGTH: Final = 80
_MOST_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What all rows of a list have in common; empty fields ask for nothing.

    Attributes:
        show: A word of `STATES`.
        state: One `MessageState`.
        reason: One `Reason`.
        direction: One `Direction`.
        clicked: `yes` (a person did), `no`, or `hit` (a person or a robot).
        replied: `yes` or `no`; opt-out words are no reply.
        left: `yes` or `no`: opted out after the text.
        link: Only people who clicked this link.
        search: A person's name, a phone in any form, or words of the text.
    """

    show: str = ""
    state: str = ""
    reason: str = ""
    direction: str = ""
    clicked: str = ""
    replied: str = ""
    left: str = ""
    link: int | None = None
    search: str = ""

    @property
    def params(self) -> dict[str, str]:
        """The same as parameters of an address, without what asks for nothing."""
        named = {name: getattr(self, name) for name in _FIELDS}
        named |= {"link": str(self.link or ""), "q": self.search}
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
            _SHOW_WORDS.get(self.show),
            dict(MessageState.choices).get(self.state),
            dict(Reason.choices).get(self.reason),
            *(ANSWERS[name].get(getattr(self, name)) for name in ANSWERS),
            f"link {self.link}" if self.link else None,
            f"“{self.search}”" if self.search else None,
        ]
        return [words for words in told if words]

    def __bool__(self) -> bool:
        """Whether it asks for anything."""
        return bool(self.params)


_FIELDS: Final = ("show", "state", "reason", "direction", "clicked", "replied", "left")
EVERYTHING: Final = ListFilter()


def listing_read(params: Mapping[str, str]) -> ListFilter:
    """The filter that an address asks for; what makes no sense is left out.

    `show` and `did` may also name a deed (`clicked`, `hit`, `replied`, `opted_out`), which stands
    for the answer to its question unless that question is answered too.
    """
    show, link = params.get("show", ""), params.get("link", "")
    answers = dict(DEEDS[word] for word in (show, params.get("did", "")) if word in DEEDS)
    answers |= {name: params[name] for name in ANSWERS if params.get(name) in ANSWERS[name]}
    return ListFilter(
        show=show if show in STATES else "",
        state=_one_of(MessageState.values, params.get("state", "")),
        reason=_one_of(Reason.values, params.get("reason", "")),
        direction=_one_of(Direction.values, params.get("direction", "")),
        link=int(link) if _is_id(link) else None,
        search=typed(params.get("q", ""))[:_SEARCH_LENGTH],
        **answers,
    )


def _one_of(values: list[str], word: str) -> str:
    return word if word in values else ""


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
