"""Pages of people: the list, one contact, adding and changing one, opting in and out by hand."""

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from accounts.models import Account
from common.errors import DomainError
from common.pagination import keyset_page
from common.templatetags.ui import group_told
from common.text import typed
from contacts import selectors, services
from contacts.choices import Consent, ConsentSource, TimelineKind, WayBack
from contacts.errors import ListTooLong, OptedOut, ProofMissing
from contacts.exporting import contacts_chosen
from contacts.field_types import words
from contacts.fields import CUSTOM_PREFIX
from contacts.forms import ContactForm, WordingForm, refuse
from contacts.looking import looking
from contacts.models import Contact
from contacts.timeline import contact_timeline
from exports.answering import export_answer

PAGE_SIZE = 50


@requires(Role.VIEWER)
@require_GET
def contact_list(request: AccountRequest) -> HttpResponse:
    """Live contacts, newest first; what the address narrows them to is `contacts.exporting`'s."""
    account, params = request.account, list_chosen(request.GET)
    found = contacts_chosen(account, params)
    blank = params.get("blank", "")
    page = None
    with suppress(ListTooLong), looking():
        page = keyset_page(selectors.with_tags(found), request.GET, size=PAGE_SIZE)
    context = {
        "page": page,
        "chosen": params,
        "query": urlencode(params),
        "q": params.get("q", ""),
        "group": params.get("group", ""),
        "consent": params.get("consent", ""),
        "groups": selectors.groups_named(account=account),
        "tag": params.get("tag", ""),
        "tags": selectors.tags_named(account=account),
        "consents": Consent.choices,
        "total": selectors.contacts_count(account=account),
        "blank": next((m for m in selectors.merge_fields(account=account) if m.name == blank), None)
        if blank
        else None,
        "own": _own_told(account, params),
        "is_filtered": bool(params),
    }
    return render(request, "contacts/list.html", context)


@requires(Role.VIEWER)
@require_GET
def contact_export(request: AccountRequest) -> HttpResponseBase:
    """The list as filtered, as CSV, the oldest first."""
    params = list_chosen(request.GET)
    return export_answer(
        request,
        kind="contacts",
        params=params,
        filename="contacts.csv",
        back=f"{reverse('contact_list')}?{urlencode(params)}",
    )


@requires(Role.MARKETER)
@require_POST
def contact_group(request: AccountRequest) -> HttpResponse:
    """Make a group of the list as filtered, and begin a blast to it."""
    params = list_chosen(request.POST)
    try:
        group, count = services.group_from(
            account=request.account,
            actor=request.user,
            name=request.POST.get("name", ""),
            contact_ids=contacts_chosen(request.account, params).values("pk"),
        )
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(f"{reverse('contact_list')}?{urlencode(params)}")
    messages.success(request, group_told(group.name, count))
    return redirect(f"{reverse('blast_create')}?group={group.pk}")


def list_chosen(params: Mapping[str, str]) -> dict[str, str]:
    """What the list is narrowed to; what makes no sense is left out."""
    consent, group, tag = (params.get(name, "") for name in ("consent", "group", "tag"))
    kept = {
        "q": typed(params.get("q", "")),
        "group": group if group.isdecimal() else "",
        "tag": tag if tag.isdecimal() else "",
        "consent": consent if consent in Consent.values else "",
        "blank": typed(params.get("blank", "")),
        "own": typed(params.get("own", "")),
        "value": typed(params.get("value", "")) if params.get("own") else "",
    }
    return {name: value for name, value in kept.items() if value}


def _own_told(account: Account, params: Mapping[str, str]) -> tuple[str, str] | None:
    """(name of the field, value in words) that the list is narrowed to, if it is."""
    types = selectors.field_types(account=account) if params.get("own") else {}
    own = types.get(params.get("own", "").removeprefix(CUSTOM_PREFIX))
    return (own.label, words(own.kind, params.get("value", ""))) if own else None


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def contact_create(request: AccountRequest) -> HttpResponse:
    """Add one contact; `group` and `phone` of the URL fill the form in beforehand."""
    account = request.account
    if request.method == "GET":
        initial = {"groups": request.GET.getlist("group"), "phone": request.GET.get("phone", "")}
        return _form(request, ContactForm(account=account, initial=initial), None)
    form = ContactForm(request.POST, account=account)
    if form.is_valid():
        try:
            contact = services.contact_upsert(
                account=account,
                actor=request.user,
                group_ids=form.group_ids(),
                consent_source=ConsentSource.MANUAL,
                consent_wording=form.cleaned_data["wording"],
                **form.values(),
            )
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, f"{contact} is in your contacts.")
            return redirect("contact_detail", contact.pk)
    return _form(request, form, None)


@requires(Role.VIEWER)
@require_GET
def contact_detail(request: AccountRequest, pk: int) -> HttpResponse:
    """One contact: fields, groups, and everything that happened with them, newest first."""
    contact = _contact(request.account, pk)
    return _detail(request, contact, WordingForm())


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def contact_edit(request: AccountRequest, pk: int) -> HttpResponse:
    """Change a contact's fields and groups."""
    account = request.account
    contact = _contact(account, pk)
    if request.method == "GET":
        return _form(request, ContactForm(account=account, contact=contact), contact)
    form = ContactForm(request.POST, account=account, contact=contact)
    if form.is_valid():
        try:
            with transaction.atomic():
                changed = services.contact_update(
                    account=account, actor=request.user, contact_id=pk, **form.values()
                )
                services.contact_groups_set(
                    account=account,
                    actor=request.user,
                    contact_id=changed.pk,
                    group_ids=form.group_ids(),
                )
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("contact_detail", changed.pk)
    return _form(request, form, contact)


@requires(Role.MARKETER)
@require_POST
def contact_delete(request: AccountRequest, pk: int) -> HttpResponse:
    """Take a contact out of lists and groups."""
    contact = _contact(request.account, pk)
    services.contact_delete(account=request.account, actor=request.user, contact_id=pk)
    messages.success(request, f"{contact} was deleted. You find them under Deleted contacts.")
    return redirect("contact_list")


@requires(Role.MARKETER)
@require_POST
def contact_opt_out(request: AccountRequest, pk: int) -> HttpResponse:
    """Stop all texts to a contact, because they asked for it in some other way."""
    contact = _contact(request.account, pk)
    services.consent_revoke(
        account=request.account,
        phone=contact.phone,
        source=ConsentSource.MANUAL,
        wording=typed(request.POST.get("wording", "")),
        actor=request.user,
    )
    messages.success(request, f"{contact} will get no more texts.")
    return redirect("contact_detail", pk)


@requires(Role.MARKETER)
@require_POST
def contact_opt_in(request: AccountRequest, pk: int) -> HttpResponse:
    """Put on record how a contact agreed to be texted."""
    contact = _contact(request.account, pk)
    form = WordingForm(request.POST)
    if form.is_valid():
        try:
            services.consent_grant(
                account=request.account,
                phone=contact.phone,
                source=ConsentSource.MANUAL,
                wording=form.cleaned_data["wording"],
                actor=request.user,
            )
        except (OptedOut, ProofMissing) as error:
            refuse(form, error)
        else:
            messages.success(request, f"{contact} is on record as opted in.")
            return redirect("contact_detail", pk)
    return _detail(request, contact, form)


def _contact(account: Account, pk: int) -> Contact:
    return owned(selectors.contacts_list(account=account), account, pk=pk)


def _form(request: AccountRequest, form: ContactForm, contact: Contact | None) -> HttpResponse:
    context = {"form": form, "contact": contact}
    return render(request, "contacts/form.html", context, status=422 if form.errors else 200)


def _detail(request: AccountRequest, contact: Contact, form: WordingForm) -> HttpResponse:
    account = request.account
    opt_out = selectors.opt_out_get(account=account, phone=contact.phone)
    context = {
        "contact": contact,
        "groups": selectors.groups_of(account=account, contact=contact),
        "tags": selectors.tags_of(account=account, contact=contact),
        "known_tags": selectors.tags_named(account=account),
        "own_fields": [
            (own.label, words(own.kind, str(contact.custom[key])))
            for key, own in selectors.field_types(account=account).items()
            if key in contact.custom
        ],
        "timeline": contact_timeline(
            contact=contact,
            kind=request.GET.get("kind", ""),
            before=request.GET.get("before", ""),
        ),
        "kinds": TimelineKind.choices,
        "kind": request.GET.get("kind", ""),
        "is_later_page": "before" in request.GET,
        "opt_out": opt_out,
        "line_fact": selectors.line_fact(account=account, phone=contact.phone),
        "may_opt_in": opt_out is None or services.way_back(opt_out) == WayBack.SHOP,
        "form": form,
    }
    status = 422 if form.errors else 200
    return render(request, "contacts/detail.html", context, status=status)
