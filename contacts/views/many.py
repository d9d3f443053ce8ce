"""One change to many people: those ticked in the list, or everybody whom the list fits."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.access import AccountRequest, requires
from accounts.choices import Role
from accounts.models import Account
from common.errors import DomainError
from common.text import ids_typed
from contacts import selectors, services
from contacts.errors import ListTooLong
from contacts.exporting import contacts_chosen
from contacts.forms import ManyForm, refuse
from contacts.looking import looking
from contacts.models import Contact
from contacts.views.people import list_chosen

TICKED_MAX: Final = 1000
_SERVICES: Final[Mapping[str, Callable[..., int]]] = {
    "tag": services.contacts_tag,
    "untag": services.contacts_untag,
    "group": services.contacts_group,
    "ungroup": services.contacts_ungroup,
    "field": services.contacts_field_set,
    "zone": services.contacts_timezone_set,
    "delete": services.contacts_delete,
}
_DONE: Final[Mapping[str, str]] = {
    "tag": "got the tag",
    "untag": "no longer have the tag",
    "group": "were put into the group",
    "ungroup": "were taken out of the group",
    "field": "were changed",
    "zone": "have another time zone",
    "delete": "were deleted. What they agreed to or left stays on file",
}


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def contact_many(request: AccountRequest) -> HttpResponse:
    """Choose what to do (GET), with how many people that is; do it (POST, `act`)."""
    given = _given(request)
    contacts = _people(request.account, given)
    if request.method == "GET":
        return _page(request, given, contacts, ManyForm(account=request.account))
    form = ManyForm(request.POST, account=request.account)
    if form.is_valid():
        act = form.cleaned_data["act"]
        try:
            people = _SERVICES[act](
                account=request.account, actor=request.user, contacts=contacts, **form.values()
            )
        except DomainError as error:
            refuse(form, error)
        else:
            who = "1 person" if people == 1 else f"{people:,} people"
            messages.success(request, f"Done: {who} {_DONE[act]}.")
            return redirect(f"{reverse('contact_list')}?{urlencode(list_chosen(given))}")
    return _page(request, given, contacts, form)


def _given(request: HttpRequest) -> QueryDict:
    return request.GET if request.method == "GET" else request.POST


def _people(account: Account, given: QueryDict) -> QuerySet[Contact]:
    """Everybody of the list as it is narrowed, or whoever is ticked."""
    if given.get("who") == "all":
        return contacts_chosen(account, list_chosen(given))
    return selectors.contacts_ticked(account=account, ids=ids_ticked(given))


def ids_ticked(given: QueryDict) -> list[int]:
    """Ids of the people ticked in a list; what is none is left out."""
    return ids_typed(given.getlist("id"))[:TICKED_MAX]


def _page(
    request: AccountRequest, given: QueryDict, contacts: QuerySet[Contact], form: ManyForm
) -> HttpResponse:
    who = "all" if given.get("who") == "all" else "ticked"
    narrowed = list_chosen(given)
    back = f"{reverse('contact_list')}?{urlencode(narrowed)}"
    try:
        with looking():
            people = contacts.count()
    except ListTooLong as error:
        messages.error(request, error.message)
        return redirect(back)
    hidden: list[tuple[str, Any]] = [("who", who), *narrowed.items()]
    if who == "ticked":
        hidden += [("id", pk) for pk in ids_ticked(given)]
    context = {
        "form": form,
        "people": people,
        "who": who,
        "is_filtered": bool(narrowed),
        "hidden": hidden,
        "back": back,
    }
    return render(request, "contacts/many.html", context, status=422 if form.errors else 200)
