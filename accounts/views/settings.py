"""Settings: the index, the account's own, one's profile."""

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts import selectors, services
from accounts.access import AccountRequest, requires
from accounts.account_form import SECTIONS, AccountForm
from accounts.choices import Role
from accounts.forms import ProfileForm
from common.errors import DomainError


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
