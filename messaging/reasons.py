"""Why somebody was not texted or not reached, and what a marketer does about it.

Owns the words of reports for each `Reason`. What single carrier codes mean is
`messaging.carrier_codes`'; the words for a carrier's reason are those of its commonest code.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from messaging.carrier_codes import codes_of, explain
from messaging.choices import Reason


class Words(NamedTuple):
    """One reason in a report; `codes` are the carrier's, the commonest first."""

    label: str
    cause: str
    advice: str
    codes: tuple[str, ...] = ()


_SKIPPED: Final[Mapping[str, Words]] = {
    Reason.OPTED_OUT: Words(
        "Opted out",
        "They asked not to be texted.",
        "Nothing; they come back by texting START.",
    ),
    Reason.NO_CONSENT: Words(
        "No consent on record",
        "Your account texts only people whose consent is on record.",
        "Record how they agreed, in their contact or by importing the list with its proof.",
    ),
    Reason.LANDLINE: Words(
        "Landline",
        "These numbers cannot receive texts.",
        "Ask these people for a mobile number.",
    ),
    Reason.DUPLICATE: Words(
        "Duplicate", "The same number stood in the list twice.", "Nothing; each was texted once."
    ),
    Reason.BLANK_FIELD: Words(
        "Blank merge field",
        "The text uses a field that is empty for them.",
        "Fill the field in, or write a fallback: {{first_name|there}}.",
    ),
    Reason.INVALID_NUMBER: Words(
        "Impossible number", "The number cannot exist.", "Correct or remove these contacts."
    ),
    Reason.UNVERIFIED_TRIAL: Words(
        "Trial: number not verified",
        "A trial account texts only numbers it verified.",
        "Verify numbers under Settings, or ask staff to approve the account.",
    ),
    Reason.EMAIL_UNVERIFIED: Words(
        "Email not verified",
        "Whoever sent this had not confirmed their email address.",
        "Open the link in the mail we sent, then send again.",
    ),
    Reason.QUIET_HOURS_MISSED: Words(
        "Allowed hours passed",
        "It was outside the hours in which they may be texted, and the blast ended first.",
        "Send the next one earlier in the day.",
    ),
    Reason.CAPPED: Words(
        "Texted too often",
        "They had had as many texts as your account allows in a while.",
        "Wait a day or two before the next blast, or give it more time.",
    ),
    Reason.GIVEN_UP: Words(
        "Time was up",
        "The blast was to stop after some hours, and their turn had not come.",
        "Give the next one more time, or use a faster number.",
    ),
    Reason.DELETED: Words(
        "Contact deleted",
        "Somebody deleted these contacts before their turn.",
        "Nothing; whoever is brought back gets the next blast.",
    ),
    Reason.BAD_SENDER: Words(
        "Sender cannot be used",
        "The number they were to be texted from is no longer yours.",
        "Text these people from a number that you have.",
    ),
    Reason.NO_CREDITS: Words(
        "No credits", "The account ran out of credits.", "Add credits and text these people again."
    ),
    Reason.SUSPENDED: Words(
        "Account suspended", "Sending was stopped for your account.", "Write to the platform staff."
    ),
    Reason.CANCELED: Words("Canceled", "The blast was canceled before their turn.", "Nothing."),
    Reason.TOO_LONG: Words(
        "Longer than 1,600 characters",
        "With their merge values the text became too long for the carrier.",
        "Shorten the text or the values.",
    ),
}

# Reasons of many codes, or of none: words that hold for all of them.
_FAILED: Final[Mapping[str, tuple[str, str]]] = {
    Reason.RATE: (
        "More was sent at once, or in a day, than the carrier or the phone's own lets through.",
        "Try these again later, or spread large blasts over more time.",
    ),
    Reason.CARRIER_ACCOUNT: (
        "Something about the account at the carrier is in the way: its log-in, a limit, its bills.",
        "Ask an admin of the account or the platform's staff to mend the carrier set-up.",
    ),
    Reason.PROVIDER: (
        "The carrier, or the next one on the way, had a fault and did not pass it on.",
        "Try these once more later.",
    ),
    Reason.OTHER: (
        "The carrier gave no cause, or one that is not known here.",
        "Try these once more later; each text shows the carrier's code, where it gave one.",
    ),
}

# The commonest code of a reason given by a carrier, whose explanation stands for it.
_CODE: Final[Mapping[str, str]] = {
    Reason.OPTED_OUT: "21610",
    Reason.LANDLINE: "30006",
    Reason.INVALID_NUMBER: "21211",
    Reason.UNREACHABLE: "30003",
    Reason.BLOCKED: "30004",
    Reason.FILTERED: "30007",
    Reason.BAD_SENDER: "21606",
    Reason.REGION: "21408",
    Reason.RATE: "30001",
    Reason.MEDIA: "30019",
    Reason.EXPIRED: "30036",
    Reason.CARRIER_ACCOUNT: "30002",
    Reason.PROVIDER: "30410",
    Reason.OTHER: "30008",
    Reason.TOO_LONG: "21617",
    Reason.UNVERIFIED_TRIAL: "21608",
}


def skipped_words(reason: str) -> Words:
    """Why we did not text somebody."""
    return _SKIPPED.get(reason) or Words(_label(reason), "", "")


def failed_words(reason: str) -> Words:
    """Why a carrier refused or did not deliver, and by which of its codes it says so."""
    commonest = _CODE.get(reason, "")
    told = explain(commonest)
    codes = sorted(codes_of(reason), key=lambda code: code != commonest)
    cause, advice = _FAILED.get(reason, (f"{told.meaning} {told.cause}", told.advice))
    return Words(_label(reason), cause, advice, tuple(codes))


def _label(reason: str) -> str:
    return Reason(reason).label if reason in Reason.values else "No reason given"
