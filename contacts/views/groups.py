"""Pages of groups: the list, one group with its members, renaming and deleting."""

from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.clock import now
from common.errors import DomainError
from common.pagination import keyset_page
from common.text import searched
from contacts import selectors, services
from contacts.errors import GroupInImport, GroupInRules, ListTooLong
from contacts.forms import GroupForm, refuse
from contacts.looking import looking
from contacts.models import Group
from contacts.rule_choices import RuleChoices
from contacts.rules import parse

PAGE_SIZE = 50
# A count that has not come by then was lost, or is asked for again.
_WAIT_S = 300


@requires(Role.VIEWER)
@require_GET
def group_list(request: AccountRequest) -> HttpResponse:
    """All groups by name, with their sizes."""
    return _list(request, GroupForm())


@requires(Role.MARKETER)
@require_POST
def group_create(request: AccountRequest) -> HttpResponse:
    """Make an empty group and open it."""
    form = GroupForm(request.POST)
    if form.is_valid():
        try:
            group = services.group_create(
                account=request.account, actor=request.user, name=form.cleaned_data["name"]
            )
        except DomainError as error:
            refuse(form, error)
        else:
            return redirect("group_detail", group.pk)
    return _list(request, form)


@requires(Role.VIEWER)
@require_GET
def group_detail(request: AccountRequest, pk: int) -> HttpResponse:
    """One group and its members: `q` in the URL. A smart one is counted anew."""
    group = owned(selectors.groups_list(account=request.account), request.account, pk=pk)
    return _detail(request, group, GroupForm(initial={"name": group.name}))


@requires(Role.MARKETER)
@require_POST
def group_rename(request: AccountRequest, pk: int) -> HttpResponse:
    """Give a group another name."""
    group = owned(selectors.groups_list(account=request.account), request.account, pk=pk)
    form = GroupForm(request.POST)
    if form.is_valid():
        try:
            services.group_rename(
                account=request.account,
                actor=request.user,
                group_id=pk,
                name=form.cleaned_data["name"],
            )
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, "Renamed.")
            return redirect("group_detail", pk)
    return _detail(request, group, form)


@requires(Role.MARKETER)
@require_POST
def group_delete(request: AccountRequest, pk: int) -> HttpResponse:
    """Delete a group; its contacts stay."""
    group = owned(Group.objects.all(), request.account, pk=pk)
    try:
        size = services.group_delete(account=request.account, actor=request.user, group_id=pk)
    except (GroupInImport, GroupInRules) as error:
        messages.error(request, error.message)
        return redirect("group_detail", pk)
    kept = "The people in it" if group.is_smart else f"The {size:,} contacts in it"
    messages.success(request, f"“{group.name}” was deleted. {kept} are still here.")
    return redirect("group_list")


@requires(Role.VIEWER)
@require_GET
def group_size(request: AccountRequest, pk: int) -> HttpResponse:
    """The sentence of a smart group's size, which asks for itself while a worker counts."""
    group = owned(selectors.groups_list(account=request.account), request.account, pk=pk)
    return render(request, "contacts/_size.html", _size(request, group))


@requires(Role.VIEWER)
@require_POST
def group_recount(request: AccountRequest, pk: int) -> HttpResponse:
    """Have a smart group counted exactly, in the background."""
    group = owned(selectors.groups_list(account=request.account), request.account, pk=pk)
    services.group_count_ask(account=request.account, group=group)
    return redirect(f"{reverse('group_detail', args=[pk])}?since={int(now().timestamp())}")


@requires(Role.MARKETER)
@require_POST
def group_remove(request: AccountRequest, pk: int, contact_pk: int) -> HttpResponse:
    """Take one contact out of a group."""
    group = owned(selectors.groups_static(account=request.account), request.account, pk=pk)
    services.group_remove(
        account=request.account, actor=request.user, group_id=group.pk, contact_ids=[contact_pk]
    )
    return redirect("group_detail", pk)


def _size(request: AccountRequest, group: Any) -> dict[str, Any]:
    """What its last count says, and whether another one is waited for: `since` in the address."""
    since = request.GET.get("since", "")
    asked_s = int(since) if since.isdecimal() and len(since) < 12 else 0
    counted_s = group.counted_at.timestamp() if group.counted_at else 0
    is_waiting = counted_s < asked_s and now().timestamp() - asked_s < _WAIT_S
    return {
        "group": group,
        "size": group.people,
        "total": selectors.contacts_count(account=request.account),
        "since": asked_s,
        "is_waiting": is_waiting,
    }


def _list(request: AccountRequest, form: GroupForm) -> HttpResponse:
    context = {"groups": selectors.groups_list(account=request.account), "form": form}
    return render(request, "contacts/groups.html", context, status=422 if form.errors else 200)


def _detail(request: AccountRequest, group: Any, form: GroupForm) -> HttpResponse:
    search = searched(request.GET.get("q", ""))
    members = selectors.contacts_list(account=request.account, search=search, group=group.pk)
    lines, is_exact = [], True
    if group.is_smart:
        is_exact = services.group_look(account=request.account, group=group)
        if not is_exact and group.counted_at is None:
            services.group_count_ask(account=request.account, group=group)
        lines = RuleChoices(request.account).lines(parse(group.rules))
    page = None
    with suppress(ListTooLong), looking():
        page = keyset_page(members, request.GET, size=PAGE_SIZE)
    context = {
        **(_size(request, group) if group.is_smart else {"group": group, "size": group.size}),
        "is_exact": is_exact,
        "lines": lines,
        "page": page,
        "file_url": f"{reverse('contact_export')}?group={group.pk}",
        "q": search,
        "form": form,
    }
    return render(request, "contacts/group.html", context, status=422 if form.errors else 200)
