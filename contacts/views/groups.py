"""Pages of groups: the list, one group with its members, renaming and deleting."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.errors import DomainError
from common.pagination import keyset_page
from contacts import selectors, services
from contacts.errors import GroupInRules
from contacts.forms import GroupForm, refuse
from contacts.models import Group
from contacts.rule_choices import RuleChoices
from contacts.rules import parse

PAGE_SIZE = 50


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
    except GroupInRules as error:
        messages.error(request, error.message)
        return redirect("group_detail", pk)
    kept = "The people in it" if group.is_smart else f"The {size:,} contacts in it"
    messages.success(request, f"“{group.name}” was deleted. {kept} are still here.")
    return redirect("group_list")


@requires(Role.MARKETER)
@require_POST
def group_remove(request: AccountRequest, pk: int, contact_pk: int) -> HttpResponse:
    """Take one contact out of a group."""
    group = owned(selectors.groups_static(account=request.account), request.account, pk=pk)
    services.group_remove(
        account=request.account, actor=request.user, group_id=group.pk, contact_ids=[contact_pk]
    )
    return redirect("group_detail", pk)


def _list(request: AccountRequest, form: GroupForm) -> HttpResponse:
    context = {"groups": selectors.groups_list(account=request.account), "form": form}
    return render(request, "contacts/groups.html", context, status=422 if form.errors else 200)


def _detail(request: AccountRequest, group: Any, form: GroupForm) -> HttpResponse:
    search = request.GET.get("q", "").strip()
    members = selectors.contacts_list(account=request.account, search=search, group=group.pk)
    lines = []
    if group.is_smart:
        services.group_count(account=request.account, group=group)
        lines = RuleChoices(request.account).lines(parse(group.rules))
    context = {
        "group": group,
        "size": group.people if group.is_smart else group.size,
        "lines": lines,
        "total": selectors.contacts_count(account=request.account) if group.is_smart else 0,
        "page": keyset_page(members, request.GET, size=PAGE_SIZE),
        "q": search,
        "form": form,
    }
    return render(request, "contacts/group.html", context, status=422 if form.errors else 200)
