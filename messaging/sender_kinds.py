"""Kinds of numbers an account texts from, and what each changes. Pure.

Owns reading the kind from a number, what may be such a number, and the sentences for people. Rates
are those that Twilio usually grants (docs/consent.md); each number has its own beside it.
"""

import re
from dataclasses import dataclass
from typing import Final

from common.phone import PhoneError, normalise
from contacts.choices import LineType
from messaging.choices import SenderKind

_SHORT_CODE: Final = re.compile(r"[0-9]{5,6}")


@dataclass(frozen=True, slots=True)
class KindFacts:
    """What a kind of number changes.

    Attributes:
        rate_per_s: Segments a second that carriers usually grant.
        network_answers_stop: The network itself confirms STOP; a second text would be one too many.
        blocks_after_stop: Texts are blocked at the carrier from STOP to START, whatever we do; an
            opt-in keyword does not lift that.
        sentence: The same for people.
    """

    rate_per_s: float
    network_answers_stop: bool
    blocks_after_stop: bool
    sentence: str


FACTS: Final[dict[str, KindFacts]] = {
    SenderKind.LOCAL: KindFacts(
        1.0,
        False,
        True,
        "1 segment a second until your brand and campaign are registered (10DLC). Carriers such as"
        " Twilio block texts after STOP until START.",
    ),
    SenderKind.TOLL_FREE: KindFacts(
        3.0,
        True,
        True,
        "3 segments a second, once verified. The network answers STOP itself, so we do not, and"
        " blocks texts until START.",
    ),
    SenderKind.SHORT_CODE: KindFacts(
        100.0,
        False,
        False,
        "100 segments a second. No carrier answers or blocks anything: STOP, HELP and START are"
        " answered by us alone, and an opt-in keyword is enough to come back.",
    ),
}


def kind_of(phone: str) -> SenderKind:
    """What kind of number `phone` (E.164, or the digits of a short code) is by its digits."""
    if _SHORT_CODE.fullmatch(phone):
        return SenderKind.SHORT_CODE
    try:
        is_toll_free = normalise(phone, "").line_type == LineType.TOLL_FREE
    except PhoneError:  # a practice number rings nowhere
        is_toll_free = False
    return SenderKind.TOLL_FREE if is_toll_free else SenderKind.LOCAL


def kind_refused(kind: str, phone: str) -> str:
    """Why `phone` cannot be of this kind, in a sentence; "" if it can."""
    looks = kind_of(phone)
    if kind == looks:
        return ""
    if SenderKind.SHORT_CODE in (kind, looks):
        return "A short code has five or six digits; every other number has more."
    if looks == SenderKind.TOLL_FREE:
        return "This number is toll-free: its first digits say so."
    return "This number is not toll-free: its first digits say so."


def pictures_usual(phone: str) -> bool:
    """Whether carriers usually send pictures from such a number: North American, no short code.

    A short code needs MMS to be set up by the carrier; elsewhere Twilio's numbers have none.
    """
    return phone.startswith("+1")
