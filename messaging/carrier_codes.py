"""Twilio's error codes, in a marketer's words.

Owns what a code means, its likely cause, what to do, whether the same message may be tried again
and whether the number should be texted no more. Whether a retry happens is the send engine's
affair, suppressing is the contacts app's. Keyed on the code alone: Twilio says its message texts
may change. Source: twilio.com/docs/api/errors, one page per code.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from messaging.choices import Reason


class Retry(StrEnum):
    """Whether the same message may be asked for again."""

    NEVER = "never"  # the answer would be the same
    LATER = "later"  # not processed, or a passing condition: safe and sensible after a wait
    OTHER_SENDER = "other_sender"  # only from another number
    AMBIGUOUS = "ambiguous"  # it may have gone out: only once it is proven that it did not


@dataclass(frozen=True, slots=True)
class CarrierCode:
    """One code.

    Attributes:
        code: Digits as Twilio writes them; "" where none came.
        reason: The `Reason` that messages with this code carry.
        meaning: What happened, one sentence.
        cause: The likely cause, one sentence.
        advice: What to do, one sentence.
        retry: Whether the same message may be tried again.
        is_suppressing: Whether this number should not be texted again.
        is_tenant_stop: Whether nothing at all can be sent until someone mends the carrier account.
    """

    code: str
    reason: Reason
    meaning: str
    cause: str
    advice: str
    retry: Retry = Retry.NEVER
    is_suppressing: bool = False
    is_tenant_stop: bool = False


def explain(code: str | int | None) -> CarrierCode:
    """What `code` means. Unknown codes get a general explanation, never an exception."""
    key = "" if code is None else str(code).strip()
    return _BY_CODE.get(key) or CarrierCode(
        key,
        Reason.OTHER,
        f"The carrier reported problem {key}." if key else "The carrier gave no cause.",
        "It is not one of the problems known here.",
        f"Look it up at twilio.com/docs/api/errors/{key}, or ask the platform's staff."
        if key.isascii() and key.isdigit()
        else "If it happens often, ask the platform's staff.",
    )


def reason(code: str | int | None) -> Reason:
    """The `Reason` of `code`; `Reason.OTHER` for unknown codes and for none."""
    return explain(code).reason


def known() -> Iterator[CarrierCode]:
    """All codes that are explained, in ascending order."""
    return iter(_BY_CODE.values())


def codes_of(reason: str) -> list[str]:
    """The codes whose messages carry this reason, in ascending order."""
    return [row.code for row in known() if row.reason == reason]


_STAFF: Final = "Ask the platform's staff; nothing on your side needs to change."
_SETUP: Final = "Ask an admin of the account or the platform's staff to mend the carrier set-up."
_WAIT: Final = "Try the failed ones again later, or spread large blasts over more time."
_CLEAN: Final = "Take these numbers off your list; texting them only costs money and reputation."

_CODES: Final = (
    # Answers to the request itself: the message was not taken.
    CarrierCode(
        "20003",
        Reason.CARRIER_ACCOUNT,
        "The carrier did not accept the platform's log-in.",
        "The carrier account's secret was changed or mistyped.",
        _SETUP,
        is_tenant_stop=True,
    ),
    CarrierCode(
        "20005",
        Reason.CARRIER_ACCOUNT,
        "The carrier account is not active.",
        "It was closed or suspended at the carrier.",
        _SETUP,
        is_tenant_stop=True,
    ),
    CarrierCode(
        "20404",
        Reason.CARRIER_ACCOUNT,
        "The carrier does not know what was asked for.",
        "The carrier account's id or address is wrong in the settings.",
        _SETUP,
    ),
    CarrierCode(
        "20429",
        Reason.RATE,
        "The carrier was asked too many things at once and did not process this message.",
        "More was sent at the same moment than the carrier account allows.",
        _WAIT,
        Retry.LATER,
    ),
    CarrierCode(
        "20500",
        Reason.PROVIDER,
        "The carrier had an internal error.",
        "A fault at the carrier.",
        "Wait until the message is checked against the carrier's records; it may have gone out.",
        Retry.AMBIGUOUS,
    ),
    CarrierCode(
        "20503",
        Reason.PROVIDER,
        "The carrier was not available.",
        "A fault or maintenance at the carrier.",
        "Wait until the message is checked against the carrier's records; it may have gone out.",
        Retry.AMBIGUOUS,
    ),
    CarrierCode(
        "21211",
        Reason.INVALID_NUMBER,
        "The carrier says that this is no valid phone number.",
        "A typing mistake, or a number that was never given out.",
        _CLEAN,
        is_suppressing=True,
    ),
    CarrierCode(
        "21212",
        Reason.BAD_SENDER,
        "The number the message was sent from is not valid.",
        "The sender number is mistyped or not one of the carrier account's.",
        _SETUP,
        Retry.OTHER_SENDER,
    ),
    CarrierCode(
        "21606",
        Reason.BAD_SENDER,
        "The sender number cannot send texts.",
        "It is not owned by the carrier account, or cannot send texts to this country.",
        _SETUP,
        Retry.OTHER_SENDER,
    ),
    CarrierCode(
        "21408",
        Reason.REGION,
        "The carrier account may not text this country.",
        "Sending to this country is switched off at the carrier.",
        "Ask an admin to switch the country on at the carrier, or leave these numbers out.",
    ),
    CarrierCode(
        "21602",
        Reason.OTHER,
        "The message had no text.",
        "Merge fields left nothing to send.",
        "Add fixed text, or fallbacks to the merge fields.",
    ),
    CarrierCode(
        "21603",
        Reason.BAD_SENDER,
        "No sender number was given to the carrier.",
        "The blast has no usable sender number.",
        _SETUP,
        Retry.OTHER_SENDER,
    ),
    CarrierCode(
        "21604",
        Reason.INVALID_NUMBER,
        "No phone number was given to the carrier.",
        "The contact's phone is empty.",
        "Add the contact's phone number.",
    ),
    CarrierCode(
        "21608",
        Reason.UNVERIFIED_TRIAL,
        "A trial at the carrier texts verified numbers only.",
        "The carrier account is still on trial and has not verified this number.",
        "Verify the number at the carrier, or upgrade the carrier account.",
    ),
    CarrierCode(
        "21609",
        Reason.CARRIER_ACCOUNT,
        "The carrier did not accept the address for delivery reports.",
        "The platform's public address is set wrongly.",
        _STAFF,
    ),
    CarrierCode(
        "21610",
        Reason.OPTED_OUT,
        "This person has opted out.",
        "They replied STOP to this sender number, perhaps before they were on your list.",
        "Nothing: they are on your opt-out list now. Only they can undo it, by texting START.",
        is_suppressing=True,
    ),
    CarrierCode(
        "21611",
        Reason.RATE,
        "The sender number's queue at the carrier is full.",
        "More was sent from this number than it can send in hours.",
        _WAIT,
        Retry.LATER,
    ),
    CarrierCode(
        "21612",
        Reason.BAD_SENDER,
        "This phone cannot be reached from this sender number.",
        "The carrier has no route between the two, often across countries.",
        "Send to these people from another number, one of their own country if you can.",
        Retry.OTHER_SENDER,
    ),
    CarrierCode(
        "21614",
        Reason.LANDLINE,
        "This number is not a mobile phone.",
        "A landline, or a number that cannot receive texts.",
        _CLEAN,
        is_suppressing=True,
    ),
    CarrierCode(
        "21617",
        Reason.TOO_LONG,
        "The message is longer than 1,600 characters.",
        "Long text, or long values in merge fields.",
        "Shorten the text.",
    ),
    CarrierCode(
        "21624",
        Reason.OTHER,
        "The time allowed for sending was not accepted.",
        "The sending deadline is outside what the carrier takes (1 second to 10 hours).",
        _STAFF,
    ),
    CarrierCode(
        "21635",
        Reason.LANDLINE,
        "This number is a landline.",
        "Landlines in this country cannot receive texts.",
        _CLEAN,
        is_suppressing=True,
    ),
    *(
        CarrierCode(
            code,
            Reason.BAD_SENDER,
            "The carrier's messaging service cannot send.",
            cause,
            _SETUP,
            Retry.OTHER_SENDER,
        )
        for code, cause in (
            ("21703", "No number is assigned to the service."),
            ("21704", "The service has no number left that can send."),
            ("21705", "The service is unknown or was deleted."),
        )
    ),
    # Told later, by callback: the message had been taken.
    CarrierCode(
        "30001",
        Reason.RATE,
        "The message waited in a queue that overflowed.",
        "More was sent from this number than it can send.",
        _WAIT,
        Retry.LATER,
    ),
    CarrierCode(
        "30002",
        Reason.CARRIER_ACCOUNT,
        "The carrier account was suspended before the message left.",
        "Billing or a complaint at the carrier.",
        _SETUP,
        is_tenant_stop=True,
    ),
    CarrierCode(
        "30003",
        Reason.UNREACHABLE,
        "The phone could not be reached.",
        "It is switched off, out of coverage or roaming; now and then it is a landline.",
        "Try these once more in some hours; take off those that fail again and again.",
        Retry.LATER,
    ),
    CarrierCode(
        "30004",
        Reason.BLOCKED,
        "The message was blocked.",
        "The person or their carrier blocks texts from this number.",
        "Do not text them again unless they ask for it.",
    ),
    CarrierCode(
        "30005",
        Reason.INVALID_NUMBER,
        "The number is not in service.",
        "The phone was disconnected or the number given up.",
        _CLEAN,
        is_suppressing=True,
    ),
    CarrierCode(
        "30006",
        Reason.LANDLINE,
        "The number is a landline, or its carrier cannot be reached.",
        "Mostly a landline on the list.",
        _CLEAN,
        is_suppressing=True,
    ),
    CarrierCode(
        "30007",
        Reason.FILTERED,
        "The message was filtered as spam.",
        "Public link shorteners, capitals, money or loan words, a missing brand name or opt-out "
        "line, or many equal texts in a short time.",
        "Name your brand, say how to opt out, use your own links, and vary and calm the wording.",
    ),
    CarrierCode(
        "30008",
        Reason.OTHER,
        "The phone's carrier gave no cause.",
        "Anything from a full inbox to a fault at their carrier.",
        "Try these once more later; take off those that fail again.",
        Retry.LATER,
    ),
    CarrierCode(
        "30010",
        Reason.CARRIER_ACCOUNT,
        "The message costs more than the highest price that is allowed.",
        "A price limit is set at the carrier.",
        _SETUP,
    ),
    CarrierCode(
        "30017",
        Reason.RATE,
        "The phone's carrier was congested.",
        "Too much traffic in that network.",
        _WAIT,
        Retry.LATER,
    ),
    CarrierCode(
        "30022",
        Reason.RATE,
        "The sender number passed its rate at the phone's carrier.",
        "US carriers limit how many texts a registered campaign may send a minute.",
        _WAIT,
        Retry.LATER,
    ),
    CarrierCode(
        "30023",
        Reason.RATE,
        "The day's limit of your brand is used up.",
        "US carriers cap how many texts a brand may send in a day.",
        "Try the failed ones again tomorrow, or ask the carrier for a higher trust score.",
        Retry.LATER,
    ),
    CarrierCode(
        "30027",
        Reason.RATE,
        "T-Mobile's daily limit for your brand is used up.",
        "T-Mobile caps how many texts a brand may send in a day.",
        "Try the failed ones again tomorrow, or ask the carrier for a higher trust score.",
        Retry.LATER,
    ),
    CarrierCode(
        "30032",
        Reason.BAD_SENDER,
        "The toll-free number is not verified.",
        "Toll-free numbers may text only after a check by the carriers.",
        "Have the number verified at the carrier, or send from another one.",
        Retry.OTHER_SENDER,
    ),
    CarrierCode(
        "30034",
        Reason.BAD_SENDER,
        "The sender number is not registered for business texts.",
        "US carriers take business texts only from numbers registered with a campaign (10DLC).",
        "Register the number at the carrier, or send from a registered one.",
        Retry.OTHER_SENDER,
    ),
    CarrierCode(
        "30036",
        Reason.EXPIRED,
        "The message waited too long and was dropped.",
        "It stood in the carrier's queue beyond its deadline.",
        _WAIT,
        Retry.LATER,
    ),
    CarrierCode(
        "30410",
        Reason.PROVIDER,
        "The next carrier did not answer in time.",
        "A fault between carriers.",
        "Try these once more later.",
        Retry.LATER,
    ),
    # Pictures.
    CarrierCode(
        "11200",
        Reason.MEDIA,
        "The carrier could not fetch the picture.",
        "It could not reach our address for pictures, or the message waited for over a week.",
        _WAIT,
        Retry.LATER,
    ),
    *(
        CarrierCode(code, Reason.MEDIA, "The carrier did not pass the picture on.", cause, advice)
        for code, cause, advice in (
            ("12300", "It is of a kind that phones do not show.", "Send a JPEG, PNG or GIF."),
            ("21620", "The carrier did not accept its address.", _STAFF),
            ("21623", "There are more than ten.", "Send fewer pictures in one text."),
            ("30019", "It is too large for this phone's carrier.", "Send a smaller picture."),
        )
    ),
    # Scheduling at the carrier.
    *(
        CarrierCode(
            code,
            Reason.PROVIDER,
            "The carrier did not accept the planned time.",
            cause,
            _STAFF,
        )
        for code, cause in (
            ("35111", "The time was missing."),
            ("35114", "The time is outside what the carrier plans ahead."),
            ("35115", "The time is outside what the carrier plans ahead."),
            ("35117", "The time is outside what the carrier plans ahead."),
            ("35118", "Planning needs a messaging service."),
            ("35125", "Too many messages are planned already."),
        )
    ),
)

_BY_CODE: Final = MappingProxyType({row.code: row for row in sorted(_CODES, key=lambda r: r.code)})
