"""How facts are written on pages: numbers, shares, phones, times, states.

Owns the look of values only. Colours go by role: delivered green, clicked blue, replied
violet, unsubscribed amber, failed red, waiting grey. Times are told in the current time zone, which
`accounts.access.requires` sets to the account's.
"""

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime

from common.charts import Chart
from common.clock import now
from common.countries import COUNTRIES
from common.phone import display

register = template.Library()

DASH = "–"

# word stored in a row -> (colour role, icon, words)
_STATES: Mapping[str, tuple[str, str, str]] = {
    # messages
    "pending": ("waiting", "clock", "Waiting"),
    "unknown": ("waiting", "help-circle", "Unknown"),
    "accepted": ("waiting", "send", "Accepted"),
    "sent": ("waiting", "send", "Sent"),
    "delivered": ("delivered", "circle-check", "Delivered"),
    "undelivered": ("failed", "circle-x", "Not delivered"),
    "failed": ("failed", "circle-x", "Failed"),
    "refused": ("failed", "ban", "Refused"),
    "skipped": ("skipped", "minus", "Not texted"),
    "confirmed": ("waiting", "circle-check", "Opt-out confirmed by the carrier"),
    "received": ("replied", "arrow-down-left", "Received"),
    # what people did
    "clicked": ("clicked", "pointer", "Clicked"),
    "hit": ("waiting", "robot", "Robot hit"),
    "replied": ("replied", "message-circle", "Replied"),
    "opted_out": ("unsubscribed", "user-minus", "Opted out"),
    "opted_in": ("delivered", "circle-check", "Opted in"),
    # blasts and batches
    "draft": ("waiting", "pencil", "Draft"),
    "scheduled": ("accent", "calendar", "Scheduled"),
    "leaving": ("accent", "send", "Going out"),
    "requested": ("waiting", "user-question", "Waits for approval"),
    "approved": ("delivered", "user-check", "Approved"),
    "rejected": ("failed", "user-x", "Refused"),
    "void": ("skipped", "ban", "No longer holds"),
    "repeating": ("accent", "repeat", "Repeats"),
    "ended": ("waiting", "circle-check", "Ended"),
    "launched": ("delivered", "circle-check", "Sent"),
    "running": ("accent", "send", "Sending"),
    "paused": ("unsubscribed", "player-pause", "Paused"),
    "canceled": ("skipped", "ban", "Canceled"),
    "done": ("delivered", "circle-check", "Done"),
    # imports
    "uploaded": ("waiting", "clock", "Waiting"),
    "checked": ("unsubscribed", "clock", "To confirm"),
    "undone": ("skipped", "ban", "Undone"),
    # conversations
    "open": ("accent", "message-circle", "Open"),
    "closed": ("waiting", "circle-check", "Closed"),
    # verdicts on link hits
    "human": ("clicked", "pointer", "Person"),
    "preview": ("waiting", "robot", "Preview robot"),
    "scanner": ("waiting", "robot", "Scanner"),
    "unsure": ("waiting", "help-circle", "Unsure"),
    # accounts
    "trial": ("unsubscribed", "hourglass", "Trial"),
    "active": ("delivered", "circle-check", "Active"),
    "suspended": ("failed", "ban", "Suspended"),
}


@register.filter
def num(value: Any) -> str:
    """4812 -> "4,812"; None -> a dash."""
    if value is None or value == "":
        return DASH
    return f"{value:,}" if isinstance(value, int) else f"{float(value):,.1f}"


@register.filter
def change(value: int) -> str:
    """12 -> "+12", -3 -> "−3"; no change -> a dash."""
    return DASH if not value else f"{value:+,}".replace("-", "−")


def group_told(name: str, people: int) -> str:
    """What is said once a list was made a group."""
    words = "1 person" if people == 1 else f"{num(people)} people"
    return f"The group “{name}” holds {words}. Write to them here."


@register.filter
def percent(ratio: float | None) -> str:
    """0.1113 -> "11.1%"; None (nothing to divide by) -> a dash.

    What is not all never reads "100%", what is not nothing never "0%".
    """
    if ratio is None:
        return DASH
    if 0 < ratio < 0.001:
        return "<0.1%"
    if 0.9995 <= ratio < 1:
        return ">99.9%"
    text = f"{ratio * 100:.1f}"
    return (text[:-2] if ratio in (0, 1) else text) + "%"


@register.filter
def css_percent(ratio: float | None) -> str:
    """A width for styles: between 0% and 100%, with a point whatever the language."""
    return f"{min(max(ratio or 0.0, 0.0), 1.0) * 100:.2f}%"


@register.filter
def chart_value(value: float | None, unit: str) -> str:
    """A value of a chart's table, in the chart's unit."""
    if value is None:
        return DASH
    return percent(value) if unit == "%" else num(int(value) if value == int(value) else value)


@register.filter
def phone(e164: Any) -> str:
    """+14155550150 -> "+1 415 555 0150", with spaces that do not break."""
    if not e164:
        return ""
    return display(str(e164)).replace("-", " ").replace(" ", "\u00a0")


@register.filter
def country(code: str) -> str:
    """US -> "United States"; a code without a name stays."""
    return COUNTRIES.get(code, code)


@register.filter
def initials(name: str) -> str:
    """ "Dana Reyes" -> "DR"."""
    words = [word for word in re.split(r"[\s._@-]+", name or "") if word]
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


@register.filter
def exact(moment: datetime | date | None) -> str:
    """The full time in the account's zone: "Tue 5 May 2026, 10:00 EDT"."""
    if moment is None:
        return DASH
    if not isinstance(moment, datetime):
        return f"{moment:%a} {moment.day} {moment:%b %Y}"
    local = localtime(moment)
    return f"{local:%a} {local.day} {local:%b %Y}, {local:%H:%M %Z}"


@register.filter
def short_time(moment: datetime | None) -> str:
    """ "Tue 5 May 10:00"; the year only where it is not this one."""
    if moment is None:
        return DASH
    local = localtime(moment)
    year = "" if local.year == localtime(now()).year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year} {local:%H:%M}"


def _relative(moment: datetime) -> str:
    seconds = (now() - moment).total_seconds()
    ahead, size = seconds < 0, abs(seconds)
    if size < 45:
        return "in a moment" if ahead else "just now"
    for limit, each, word in ((5400, 60, "min"), (86_400, 3600, "h"), (7 * 86_400, 86_400, "d")):
        if size < limit:
            count = max(round(size / each), 1)
            return f"in {count} {word}" if ahead else f"{count} {word} ago"
    return short_time(moment)


@register.filter
def when(moment: datetime | None) -> SafeString:
    """A relative time ("3 h ago"; older than a week: the date), the exact one on hover."""
    if moment is None:
        return SafeString(DASH)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        exact(moment),
        _relative(moment),
    )


@register.filter
def to_json(value: Any) -> str:
    """For data attributes that a script reads; escaped like any other value."""
    return json.dumps(value, ensure_ascii=False)


@register.filter
def zone(name: str) -> str:
    """ "America/New_York" -> "New York"."""
    return (name or "").rpartition("/")[2].replace("_", " ")


# Without what ends a sentence or a bracket around it.
_ADDRESS = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]]")


@register.filter
def linkify(text: str) -> SafeString:
    """A text's web addresses marked as such, and nothing made clickable: it is a picture."""
    parts, end = [], 0
    for match in _ADDRESS.finditer(text or ""):
        parts += [escape(text[end : match.start()]), f"<u>{escape(match.group())}</u>"]
        end = match.end()
    parts.append(escape((text or "")[end:]))
    return mark_safe("".join(parts))


@register.inclusion_tag("_parts/_badge.html")
def badge(state: str, label: str = "", hint: str = "") -> dict[str, str]:
    """A state as icon and word: `{% badge m.state %}`, `{% badge "clicked" "12 clicks" %}`."""
    role, icon, words = _STATES.get(
        state, ("waiting", "circle", str(state).replace("_", " ").capitalize())
    )
    return {"role": role, "icon": icon, "label": label or words, "hint": hint}


@register.filter
def state_role(state: str) -> str:
    """The colour role of a state, for `class="role-..."`."""
    return _STATES.get(state, ("waiting", "", ""))[0]


@register.inclusion_tag("_parts/_chart.html")
def chart(picture: Chart, id: str) -> dict[str, Any]:
    """A chart with its sentence and its table: `{% chart over_time "over-time" %}`."""
    return {"chart": picture, "id": id, "data_id": f"{id}-data"}
