"""Settings: the index, the account's own, one's profile, the audit trail."""

from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts import selectors, services
from accounts.access import AccountRequest, requires
from accounts.choices import Role
from accounts.forms import AccountForm, ProfileForm
from common.errors import DomainError
from common.pagination import keyset_page


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
    """Name, zone, quiet hours, consent, automatic answers."""
    form = AccountForm(request.POST or None, instance=request.account)
    if request.method == "POST" and form.is_valid():
        try:
            services.account_update(
                account=request.account, actor=request.user, **form.cleaned_data
            )
        except DomainError as error:
            for name, sentence in error.fields.items():
                form.add_error(name, sentence)
        else:
            messages.success(request, "Saved.")
            return redirect("account_settings")
    return render(request, "accounts/account_settings.html", {"form": form})


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
            "words": event.action.replace(".", " ").replace("_", " "),
            "particulars": _particulars(event.data),
        }
        for event in page.rows
    ]
    return render(request, "accounts/audit.html", {"page": page, "events": events})


def _particulars(data: dict[str, Any]) -> list[str]:
    """One line a fact; a pair is what was and what is."""
    lines = []
    for name, value in data.items():
        words = name.replace("_", " ")
        if isinstance(value, list) and len(value) == 2:
            lines.append(f"{words}: {value[0]} → {value[1]}")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            lines.append(f"{words}: {shown}")
    return lines
