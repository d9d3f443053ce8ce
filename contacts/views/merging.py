"""Likely duplicates, and the page on which two contacts become one."""

from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from accounts.models import Account
from common.errors import DomainError
from common.text import typed
from contacts import selectors, services
from contacts.duplicates import REASONS, Likely, duplicates_list, duplicates_of
from contacts.errors import ListTooLong
from contacts.field_types import words
from contacts.fields import CUSTOM_PREFIX, LABELS
from contacts.models import Contact
from contacts.services.uniting import OWN_FIELDS

FOUND_MOST = 20


@requires(Role.VIEWER)
@require_GET
def duplicate_list(request: AccountRequest) -> HttpResponse:
    """Contacts that share an address or a name, by what they share."""
    reason = request.GET.get("by", "")
    reason = reason if reason in REASONS else "email"
    after = typed(request.GET.get("after", ""))
    page: list[Likely] | None = None
    further = ""
    with suppress(ListTooLong):
        page, further = duplicates_list(account=request.account, reason=reason, after=after)
    context = {"page": page, "further": further, "by": reason, "reasons": REASONS.items()}
    return render(request, "contacts/duplicates.html", {**context, "after": after})


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def contact_merge(request: AccountRequest, pk: int) -> HttpResponse:
    """Choose who is the same person (`other`), see both side by side, merge."""
    account = request.account
    contact = _live(account, pk)
    asked = request.POST if request.method == "POST" else request.GET
    other_id = asked.get("other", "")
    if not (other_id.isascii() and other_id.isdigit() and len(other_id) < 19):
        return _choose(request, contact)
    other = _live(account, int(other_id))
    if request.method == "POST":
        names = [name for name, *_ in _rows(account, contact, other)]
        try:
            services.contacts_unite(
                account=account,
                actor=request.user,
                contact_id=pk,
                other_id=other.pk,
                take=[name for name in names if request.POST.get(f"take-{name}") == "other"],
            )
        except DomainError as error:
            messages.error(request, error.message)
            return redirect("contact_merge", pk)
        messages.success(request, "They are one contact now.")
        return redirect("contact_detail", pk)
    context = {"contact": contact, "other": other, "rows": _rows(account, contact, other)}
    return render(request, "contacts/merge.html", context)


def _live(account: Account, pk: int) -> Contact:
    return owned(selectors.contacts_list(account=account), account, pk=pk)


def _choose(request: AccountRequest, contact: Contact) -> HttpResponse:
    q = typed(request.GET.get("q", ""))
    if q:
        found = selectors.contacts_list(account=request.account, search=q).exclude(pk=contact.pk)
        people = list(found.order_by("-pk")[:FOUND_MOST])
    else:
        people = duplicates_of(account=request.account, contact=contact)
    return render(
        request, "contacts/merge_choose.html", {"contact": contact, "people": people, "q": q}
    )


def _rows(account: Account, contact: Contact, other: Contact) -> list[tuple[str, str, Any, Any]]:
    """(field, label, the contact's value, the other's) of every field that one of them has."""
    rows = [
        (name, LABELS[name], getattr(contact, name), getattr(other, name)) for name in OWN_FIELDS
    ]
    for key, own in selectors.field_types(account=account).items():
        mine, theirs = (words(own.kind, str(one.custom.get(key, ""))) for one in (contact, other))
        rows.append((CUSTOM_PREFIX + key, own.label, mine, theirs))
    return [row for row in rows if row[2] or row[3]]
