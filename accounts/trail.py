"""The audit trail as people read it: in words on a page, and as a file."""

from collections.abc import Iterator
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.timezone import override

from accounts.models import Account, AuditEvent
from common.csvout import csv_lines
from common.phone import is_e164
from common.templatetags.ui import exact, num, phone

HEADING: Final = ("number", "at", "who", "email", "action", "did", "to", "particulars")
_AT_ONCE: Final = 1000
# Actions whose own name says too little.
_ACTIONS: Final = {
    "account.status": "account status changed",
    "approval.void": "approval no longer holds",
    "consent.review_kept": "opt-out kept",
    "consent.review_undone": "opt-out undone",
    "consent.compared": "opt-outs compared",
    "links.changed": "link settings changed",
    "member.role": "member role changed",
    "number.code_requested": "code for a phone requested",
    "number.verified": "phone verified",
    "number.removed": "verified phone removed",
    "optin.form_changed": "public form changed",
    "optin.keyword_changed": "word to join changed",
    "optin.keyword_deleted": "word to join deleted",
    "sender.default": "number made the default",
}
# Kinds that pages call otherwise.
_NOUNS: Final = {
    "api_key": "API key",
    "batch": "send",
    "lines": "line types",
    "media": "picture",
    "sender": "number",
    "series": "repeating blast",
}
# Particulars that prove something to a program and tell people nothing.
_DIGESTS: Final = frozenset({"members"})


def did(event: AuditEvent) -> str:
    """What was done, in words."""
    kind, _, done = event.action.partition(".")
    return _ACTIONS.get(event.action) or f"{_NOUNS.get(kind, kind)} {done}".replace("_", " ")


def done_to(event: AuditEvent) -> str:
    """What it was done to; phones as people write them."""
    return phone(event.subject) if is_e164(event.subject) else event.subject


def particulars(event: AuditEvent) -> list[str]:
    """One line a fact; a pair is what was and what is. Empty lists and digests are left out.

    Times in the current zone.
    """
    lines = []
    for name, value in event.data.items():
        if name in _DIGESTS or value in ([], {}):
            continue
        words = name.replace("_", " ")
        said = list(map(_said, value)) if isinstance(value, list) else [_said(value)]
        lines.append(f"{words}: {(' → ' if len(said) == 2 else ', ').join(said)}")
    return lines


def trail_csv(*, account: Account, events: QuerySet[AuditEvent]) -> Iterator[str]:
    """Lines of CSV, heading first, newest event first, times in the account's zone."""
    zone = ZoneInfo(account.timezone)
    rows = events.order_by("-at", "-pk").iterator(chunk_size=_AT_ONCE)
    return csv_lines(HEADING, (_cells(event, zone) for event in rows))


def _cells(event: AuditEvent, zone: ZoneInfo) -> list[str | int]:
    with override(zone):
        facts = "; ".join(particulars(event))
    return [
        event.pk,
        event.at.astimezone(zone).isoformat(timespec="seconds"),
        event.actor.display_name if event.actor else "the platform",
        event.actor.email if event.actor else "",
        event.action,
        did(event),
        event.subject,
        facts,
    ]


def _said(value: Any) -> str:
    """A stored value as people write it; times in the account's zone."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return num(value)
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_said(one)}" for name, one in value.items())
    try:
        moment = parse_datetime(str(value))
    except ValueError:  # looks like a time and is none
        moment = None
    return str(value) if moment is None or moment.tzinfo is None else exact(moment)
