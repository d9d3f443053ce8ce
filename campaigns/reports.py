"""From figures to what a report says: the answer, the funnel, the five rates.

Pure: everything is computed from `messaging.selectors.Figures`. Whom blasts did not reach, and why,
is `campaigns.unreached`'s. The definitions of the rates stand here once, beside their numbers on
every page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.templatetags.ui import num, percent
from messaging.opening import Opens
from messaging.selectors import Figures
from messaging.selectors.figures import Rate, rate

DELIVERY: Final = (
    "Delivered, of everyone the carrier was asked for: what it accepted and what it refused. People"
    " still waiting are not counted yet."
)
CLICK: Final = (
    "People who tapped a link, of those who got a text with one. Preview robots and scanners are"
    " left out."
)
CLICK_ALL: Final = (
    "People whose link was hit, by them or by a robot that previews or scans, of those who got a"
    " text with one."
)
RESPONSE: Final = "People who replied anything but an opt-out, of those who got the text."
UNSUBSCRIBE: Final = "People who opted out after this text, of those who got it."
CREDITS: Final = (
    "Segments the carrier accepted, each at the price of its country (one credit in the US and"
    " Canada). Who was not texted costs nothing."
)

# A median of less says nothing about what is usual.
_USUAL_NEEDS: Final = 3


@dataclass(frozen=True)
class Step:
    """One bar of the funnel; `ratio` of the widest bar, `href` the list behind it."""

    label: str
    count: int
    ratio: float
    role: str
    icon: str
    href: str


@dataclass(frozen=True)
class RateCard:
    """One of the four rates; `href` and `whole_href` are the lists behind its two counts."""

    key: str
    label: str
    rate: Rate
    definition: str
    role: str
    href: str
    whole_href: str
    note: str = ""
    missing: str = "none yet"


def funnel(figures: Figures, opens: Opens) -> list[Step]:
    """From the list to those who replied; each bar against the whole audience."""
    steps = (
        ("in the list", figures.audience, "waiting", "users", "audience"),
        ("accepted", figures.accepted, "waiting", "send", "accepted"),
        ("delivered", figures.delivered, "delivered", "circle-check", "delivered"),
        ("clicked", figures.clicked, "clicked", "pointer", "clicked"),
        ("replied", figures.replied, "replied", "message-circle", "replied"),
    )
    whole = max(figures.audience, 1)
    return [
        Step(label, count, count / whole, role, icon, opens[figure])
        for label, count, role, icon, figure in steps
    ]


def rate_cards(
    figures: Figures,
    opens: Opens,
    *,
    earlier: Sequence[Figures] = (),
    all_hits: bool = False,
    has_link: bool = True,
) -> list[RateCard]:
    """Delivery, click, response, unsubscribed, in this order.

    Args:
        figures: What is reported on.
        opens: Where the lists behind them open.
        earlier: Other blasts of the account, for what is usual.
        all_hits: Count robots' hits as clicks too.
        has_link: Whether there was anything to click.
    """
    click = rate(figures.hit, figures.delivered_linked) if all_hits else figures.click_rate
    if not has_link:
        click = (0, 0, None)
    cards = (
        (
            "delivery",
            "Delivery",
            figures.delivery_rate,
            DELIVERY,
            "delivered",
            "delivered",
            "asked",
        ),
        (
            "click",
            "Click, robots too" if all_hits else "Click",
            click,
            CLICK_ALL if all_hits else CLICK,
            "clicked",
            "hit" if all_hits else "clicked",
            "linked",
        ),
        (
            "response",
            "Response",
            figures.response_rate,
            RESPONSE,
            "replied",
            "replied",
            "delivered",
        ),
        (
            "unsubscribe",
            "Unsubscribed",
            figures.unsubscribe_rate,
            UNSUBSCRIBE,
            "unsubscribed",
            "opted_out",
            "delivered",
        ),
    )
    return [
        RateCard(
            key,
            label,
            rate,
            definition,
            role,
            href=opens[part],
            whole_href=opens[whole],
            note=_usual([getattr(one, f"{key}_rate") for one in earlier]),
            missing="no link in the text" if key == "click" and not has_link else "none yet",
        )
        for key, label, rate, definition, role, part, whole in cards
    ]


def _usual(rates: Iterable[Rate]) -> str:
    known = [rate[2] for rate in rates if rate[2] is not None]
    return f"usual {percent(median(known))}" if len(known) >= _USUAL_NEEDS else ""


def segments_each(figures: Figures) -> str:
    """ "2.0 segments each", of what the carrier accepted."""
    if not figures.accepted:
        return ""
    return f"{figures.segments / figures.accepted:.1f} segments each"


def answer(
    figures: Figures, opens: Opens, *, is_running: bool, is_paused: bool = False
) -> SafeString:
    """Did it work? In one or two sentences."""
    asked = figures.asked
    if is_paused:
        return format_html(
            "Paused: {} of {} are with the carrier, {} still wait."
            " Nothing more goes out until you resume.",
            opened(asked + figures.unknown, opens["handed"]),
            opened(figures.audience - figures.skipped, opens["meant"]),
            opened(figures.pending, opens["pending"]),
        )
    if is_running:
        return format_html(
            "Going out now: {} of {} are with the carrier, {} delivered so far.",
            opened(asked + figures.unknown, opens["handed"]),
            opened(figures.audience - figures.skipped, opens["meant"]),
            opened(figures.delivered, opens["delivered"]),
        )
    if not asked and not figures.unknown:
        return format_html(
            "Nobody was texted: all {} in the list were left out. The reasons are below.",
            opened(figures.audience, opens["audience"]),
        )
    first = format_html(
        "{} of {} people got it ({}).",
        opened(figures.delivered, opens["delivered"]),
        opened(asked, opens["asked"]),
        percent(figures.delivery_rate[2]),
    )
    return format_html("{} {}", first, _after(figures, opens))


def opened(count: int, href: str) -> SafeString:
    """A figure within a sentence, which opens the list behind it."""
    return format_html('<a href="{}"><strong>{}</strong></a>', href, num(count))


def _after(figures: Figures, opens: Opens) -> SafeString:
    did = [
        (figures.clicked, "clicked", "tapped the link"),
        (figures.replied, "replied", "replied"),
        (figures.opted_out, "opted_out", "left"),
    ]
    done = [
        format_html("{} {}", opened(count, opens[figure]), word)
        for count, figure, word in did
        if count
    ]
    if not done:
        return format_html("{}", "Nobody has tapped a link, replied or left so far.")
    if len(done) == 1:
        return format_html("{}.", done[0])
    return format_html("{} and {}.", SafeString(", ".join(done[:-1])), done[-1])


@dataclass(frozen=True)
class PeriodCard:
    """A rate of a period beside that of the period before; `change` in percentage points."""

    card: RateCard
    change: float | None

    @property
    def change_words(self) -> str:
        """ "+1.2 points", or nothing where there is nothing to compare with."""
        if self.change is None:
            return ""
        if abs(self.change) < 0.05:
            return "as before"
        return f"{self.change:+.1f} points"


def period_cards(
    figures: Figures | None, earlier: Figures | None, opens: Opens, *, has_link: bool = True
) -> list[PeriodCard]:
    """The four rates of a period against the one before; empty without a blast."""
    if figures is None:
        return []
    before = {card.key: card.rate[2] for card in rate_cards(earlier, opens)} if earlier else {}
    cards = []
    for card in rate_cards(figures, opens, has_link=has_link):
        then, ratio = before.get(card.key), card.rate[2]
        change = (ratio - then) * 100 if ratio is not None and then is not None else None
        cards.append(PeriodCard(card, change))
    return cards
