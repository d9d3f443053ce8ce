"""Settings: the index, the account's own, one's profile, the audit trail."""

from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods

from accounts import selectors, services
from accounts.access import AccountRequest, requires
from accounts.account_form import SECTIONS, AccountForm
from accounts.choices import Role
from accounts.forms import ProfileForm
from common.errors import DomainError
from common.pagination import keyset_page
from common.templatetags.ui import exact, num


@requires(Role.VIEWER)
@require_http_methods(["GET"])
def settings_index(request: AccountRequest) -> HttpResponse:
    """What can be set, each with what it is now."""
    context = {
        "team_size": selectors.team_list(request.account).count(),
        "email_verified": selectors.user_may_send(request.user),
        "mfa_enabled": is_mfa_enabled(request.user),
    }
    return render(request, "accounts/settings.html", context)


@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def account_settings(request: AccountRequest) -> HttpResponse:
    """All settings of the account, one `section` saved at a time; `saved` says which was."""
    asked = SECTIONS.get(request.POST.get("section", ""))
    if request.method == "POST" and asked is None:
        raise Http404("There is no such section.")
    posted = AccountForm(request.POST, instance=request.account, section=asked) if asked else None
    if posted is not None and posted.is_valid():
        try:
            services.account_update(
                account=request.account, actor=request.user, **posted.cleaned_data
            )
        except DomainError as error:
            for name, sentence in error.fields.items():
                posted.add_error(name, sentence)
        else:
            name = posted.section.name
            return redirect(f"{reverse('account_settings')}?saved={name}#{name}")
    forms = [
        posted
        if posted is not None and section is asked
        else AccountForm(instance=request.account, section=section)
        for section in SECTIONS.values()
    ]
    context = {"forms": forms, "saved": request.GET.get("saved", "")}
    return render(request, "accounts/account_settings.html", context)


@requires(Role.VIEWER)
@require_http_methods(["GET", "POST"])
def profile(request: AccountRequest) -> HttpResponse:
    """One's own name, and the ways to address, password and two-factor log-in."""
    form = ProfileForm(request.POST or None, initial={"name": request.user.name})
    if form.is_valid():
        services.user_rename(user=request.user, name=form.cleaned_data["name"])
        messages.success(request, "Saved.")
        return redirect("profile")
    context = {
        "form": form,
        "email_verified": selectors.user_may_send(request.user),
        "mfa_enabled": is_mfa_enabled(request.user),
        "memberships": selectors.memberships_of(request.user),
    }
    return render(request, "accounts/profile.html", context)


@requires(Role.ADMIN)
@require_http_methods(["GET"])
def audit_log(request: AccountRequest) -> HttpResponse:
    """Who did what, newest first."""
    page = keyset_page(selectors.audit_events(request.account), request.GET)
    events = [
        {
            "row": event,
            "words": _ACTIONS.get(event.action) or event.action.translate(_SPACED),
            "particulars": _particulars(event.data),
        }
        for event in page.rows
    ]
    return render(request, "accounts/audit.html", {"page": page, "events": events})


_SPACED = str.maketrans("._", "  ")
# Actions whose own name says too little.
_ACTIONS = {
    "account.status": "account status changed",
    "approval.void": "approval no longer holds",
    "member.role": "member role changed",
    "sender.default": "sender made the default",
}
# Particulars that prove something to a program and tell people nothing.
_DIGESTS = frozenset({"members"})


def _particulars(data: dict[str, Any]) -> list[str]:
    """One line a fact; a pair is what was and what is. Empty lists and digests are left out."""
    lines = []
    for name, value in data.items():
        if name in _DIGESTS or value in ([], {}):
            continue
        words = name.replace("_", " ")
        said = list(map(_said, value)) if isinstance(value, list) else [_said(value)]
        lines.append(f"{words}: {(' → ' if len(said) == 2 else ', ').join(said)}")
    return lines


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
