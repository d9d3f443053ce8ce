"""Pages of smart groups: the builder, with the number of people as the rules change."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from accounts.models import Account
from common.errors import DomainError
from contacts import selectors, services
from contacts.errors import CountTooLong, GroupIsStatic, RulesInvalid
from contacts.forms import GroupForm, refuse
from contacts.models import Group
from contacts.rule_choices import RuleChoices
from contacts.rule_form import Draft, draft_change, draft_of, draft_read, draft_rules
from contacts.rules import parse

_SAVE = "save"


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def group_smart(request: AccountRequest) -> HttpResponse:
    """Make a smart group: `act` says which button of the form was pressed."""
    if request.method == "GET":
        return _page(request, None, GroupForm(), Draft())
    return _posted(request, None)


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def group_rules(request: AccountRequest, pk: int) -> HttpResponse:
    """Change the rules of a smart group; those deeper than the form are only shown."""
    group = owned(Group.objects.all(), request.account, pk=pk)
    if not group.is_smart:
        messages.error(request, GroupIsStatic(group.name).message)
        return redirect("group_detail", pk)
    if request.method == "GET":
        draft = draft_of(parse(group.rules))
        return _page(request, group, GroupForm(initial={"name": group.name}), draft)
    return _posted(request, group)


def _posted(request: AccountRequest, group: Group | None) -> HttpResponse:
    draft, form = draft_read(request.POST), GroupForm(request.POST)
    act = request.POST.get("act", "")
    if act != _SAVE:
        draft_change(draft, act)
        return _page(request, group, GroupForm(initial=request.POST.dict()), draft)
    try:
        rules = draft_rules(draft)
        if rules is None:
            raise RulesInvalid("rule_empty", "Choose at least one thing to ask.")
        if form.is_valid():
            saved = _save(request, group, form.cleaned_data["name"], rules)
            return redirect("group_detail", saved.pk)
    except DomainError as error:
        refuse(form, error)
    return _page(request, group, form, draft, is_refused=True)


def _save(request: AccountRequest, group: Group | None, name: str, rules: object) -> Group:
    if group is None:
        group = services.group_create(
            account=request.account, actor=request.user, name=name, rules=rules
        )
        messages.success(request, f"“{group.name}” is kept up to date by itself from now on.")
    else:
        group = services.group_change(
            account=request.account, actor=request.user, group_id=group.pk, name=name, rules=rules
        )
        messages.success(request, "Saved.")
    return group


def _page(
    request: AccountRequest,
    group: Group | None,
    form: GroupForm,
    draft: Draft | None,
    *,
    is_refused: bool = False,
) -> HttpResponse:
    choices = RuleChoices(request.account)
    context = {
        "group": group,
        "form": form,
        "draft": draft,
        "choices": choices,
        "blocks": choices.rows(draft) if draft else [],
        "lines": choices.lines(parse(group.rules)) if group and not draft else [],
        "is_refused": is_refused,
        **(_told(request.account, draft) if draft else {}),
    }
    part = request.headers.get("HX-Request") == "true"
    template = "contacts/_rules.html" if part else "contacts/smart.html"
    return render(request, template, context, status=422 if is_refused and not part else 200)


def _told(account: Account, draft: Draft) -> dict[str, object]:
    """How many of how many people match; `people` is None while a rule is not finished.

    Also where counting takes longer than a moment, which `is_long` says.
    """
    total, people, is_long = selectors.contacts_count(account=account), None, False
    try:
        rules = draft_rules(draft)
        if rules is not None:
            people = services.rules_count(account=account, rules=rules)
    except CountTooLong:
        is_long = True
    except DomainError:
        people = None
    return {"people": people, "total": total, "is_long": is_long}
