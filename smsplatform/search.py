"""Finds anything of an account by a few letters: the palette behind Ctrl-K, and the same as a page.

Owns what is looked through and in which order it is shown; what a word matches is decided by each
app's selectors. It lives here because it knows all apps, as the frame does (`smsplatform.context`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from accounts.access import AccountRequest, requires, role_includes
from accounts.choices import Role
from accounts.models import Account
from campaigns import selectors as campaigns
from campaigns.choices import BlastState
from campaigns.models import Blast
from common.phone import PhoneError, normalise
from common.templatetags.ui import phone
from common.text import searched
from contacts import selectors as contacts
from contacts.models import Contact
from inbox import selectors as inbox
from tracking import selectors as tracking

ROWS = 5
# One letter fits nearly everything, so it only narrows the pages.
_LEAST_LETTERS = 2

R = TypeVar("R", bound=Model)


@dataclass(frozen=True)
class Hit:
    """One thing found: where it is, what it is called, what tells it from its like."""

    href: str
    icon: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class Section:
    """Things of one kind, the newest first."""

    title: str
    hits: list[Hit]


# label, URL name, icon, other words for it, who may open it
_PLACES: Final = (
    ("New blast", "blast_create", "plus", "send text write message", Role.MARKETER),
    ("New campaign", "campaign_create", "plus", "create", Role.MARKETER),
    ("Add contact", "contact_create", "user-plus", "new person customer", Role.MARKETER),
    ("Import contacts", "import_create", "upload", "csv excel list upload people", Role.MARKETER),
    (
        "Make a smart group",
        "group_smart",
        "users-group",
        "new rules segment filter",
        Role.MARKETER,
    ),
    ("Overview", "overview", "layout-dashboard", "home start dashboard", Role.VIEWER),
    ("Campaigns", "campaign_list", "speakerphone", "blasts reports", Role.VIEWER),
    ("Inbox", "inbox", "messages", "conversations replies answers", Role.VIEWER),
    ("Contacts", "contact_list", "users", "people customers", Role.VIEWER),
    ("Groups", "group_list", "users-group", "lists segments contacts", Role.VIEWER),
    ("Imports", "import_list", "file-import", "csv files contacts", Role.VIEWER),
    ("Links", "link_list", "link", "clicks urls", Role.VIEWER),
    ("Messages", "message_log", "list-details", "log texts history", Role.VIEWER),
    ("Settings", "settings", "settings", "", Role.VIEWER),
    ("Team", "team", "users-group", "invite colleagues roles members settings", Role.VIEWER),
    ("Numbers", "numbers", "phone", "sender carrier twilio verify settings", Role.VIEWER),
    ("Credits", "credits", "coins", "balance bill cost settings", Role.VIEWER),
    ("Allowed hours", "allowed_hours", "clock", "quiet law night rules settings", Role.VIEWER),
    (
        "Opt-outs at the carrier",
        "opt_out_drift",
        "arrows-left-right",
        "stop blocked compare drift settings",
        Role.ADMIN,
    ),
    ("API keys", "api_keys", "key", "programs token settings", Role.ADMIN),
    (
        "Account",
        "account_settings",
        "building-store",
        "quiet hours time zone country consent help settings",
        Role.ADMIN,
    ),
    ("Who did what", "audit_log", "history", "audit trail settings", Role.ADMIN),
    ("Profile", "profile", "user-circle", "my name password two-step settings", Role.VIEWER),
    ("API documentation", "api_docs", "api", "developers calls", Role.VIEWER),
)
# The lists with a search of their own, for what is not among the few rows shown here.
_LISTS: Final[tuple[tuple[str, str, str, dict[str, str]], ...]] = (
    ("All contacts like “{}”", "contact_list", "users", {}),
    ("All texts with “{}”", "message_log", "list-details", {}),
    ("All conversations with “{}”", "inbox", "messages", {"show": "all"}),
)


@requires(Role.VIEWER)
@require_GET
def search(request: AccountRequest) -> HttpResponse:
    """`q` in the URL. A whole page, or only its results for the palette, which asks with htmx."""
    words = searched(request.GET.get("q", ""))
    is_palette = "HX-Request" in request.headers
    context = {
        "q": words,
        "sections": found(account=request.account, role=request.membership.role, words=words),
        "is_palette": is_palette,
    }
    name = "search/_results.html" if is_palette else "search/page.html"
    response = render(request, name, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def found(*, account: Account, role: str, words: str) -> list[Section]:
    """What fits `words`, in at most ROWS rows of a kind; the pages alone where nothing was typed.

    At most six queries, each along an index that begins with the account, or one of its own.

    Args:
        account: Whose things.
        role: Of who looks; what the role may not open is not shown.
        words: As typed: beginnings of names, a number in any form, a part of an address.
    """
    sections = []
    if len(words) >= _LEAST_LETTERS:
        people = list(contacts.contacts_list(account=account, search=words).order_by("-pk")[:ROWS])
        sections = [
            Section("Contacts", [_contact(person) for person in people]),
            Section("Campaigns", _campaigns(account, words)),
            Section("Blasts", _blasts(account, role, words)),
            Section("Conversations", _conversations(account, words, people)),
            Section("Groups", _groups(account, words)),
            Section("Links", _links(account, words)),
        ]
    sections.append(Section("Go to", _places(role, words)))
    if words:
        sections.append(Section("Look further", _lists(words)))
    return [section for section in sections if section.hits]


def _contact(person: Contact) -> Hit:
    name, number = person.full_name, phone(person.phone)
    return Hit(reverse("contact_detail", args=[person.pk]), "user", name or number, name and number)


def _conversations(account: Account, words: str, people: list[Contact]) -> list[Hit]:
    """With the people found, and with a number that was typed in full, known or not."""
    names = {person.phone: person.full_name for person in people}
    try:
        phones = {*names, normalise(words, account.default_country).e164}
    except PhoneError:
        phones = set(names)
    rows = inbox.conversations_with(account=account, phones=phones) if phones else ()
    return [
        Hit(
            reverse("conversation", args=[row.pk]),
            "messages",
            names.get(row.phone) or phone(row.phone),
            row.snippet,
        )
        for row in rows[:ROWS]
    ]


def _campaigns(account: Account, words: str) -> list[Hit]:
    rows = campaigns.campaigns_list(account=account, search=words).order_by("-pk")
    return _hits(rows, "campaign_report", "speakerphone", lambda row: (row.name, ""))


def _blasts(account: Account, role: str, words: str) -> list[Hit]:
    rows = campaigns.blasts_list(account=account).order_by("-pk")
    if not role_includes(role, Role.MARKETER):
        rows = rows.exclude(state=BlastState.DRAFT)

    def told(blast: Blast) -> tuple[str, str]:
        return blast.name, f"{blast.campaign.name} · {blast.get_state_display()}"

    return _hits(_named(rows, words, "name", "campaign__name"), "blast_report", "send", told)


def _groups(account: Account, words: str) -> list[Hit]:
    rows = _named(contacts.groups_named(account=account), words, "name")
    return _hits(rows, "group_detail", "users-group", lambda row: (row.name, ""))


def _links(account: Account, words: str) -> list[Hit]:
    rows = tracking.links_list(account=account, search=words).order_by("-pk")
    return _hits(rows, "link_report", "link", lambda row: (row.destination, row.label))


def _hits(
    rows: QuerySet[R], page: str, icon: str, told: Callable[[R], tuple[str, str]]
) -> list[Hit]:
    return [Hit(reverse(page, args=[row.pk]), icon, *told(row)) for row in rows[:ROWS]]


def _named(rows: QuerySet[R], words: str, *fields: str) -> QuerySet[R]:
    """Rows in which every word stands in one of the fields, whatever its case."""
    for word in words.split():
        either = Q()
        for field in fields:
            either |= Q(**{f"{field}__icontains": word})
        rows = rows.filter(either)
    return rows


def _places(role: str, words: str) -> list[Hit]:
    return [
        Hit(reverse(name), icon, label)
        for label, name, icon, others, needed in _PLACES
        if role_includes(role, needed) and _begins(words, f"{label} {others}".lower().split())
    ]


def _begins(words: str, known: Iterable[str]) -> bool:
    """Whether each word typed begins one of those known."""
    known = list(known)
    return all(any(one.startswith(word) for one in known) for word in words.lower().split())


def _lists(words: str) -> list[Hit]:
    return [
        Hit(f"{reverse(name)}?{urlencode({**more, 'q': words})}", icon, label.format(words))
        for label, name, icon, more in _LISTS
    ]
