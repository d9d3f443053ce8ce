"""Which account a person works in: none yet, another one, a new one."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts import selectors, services
from accounts.forms import AccountNameForm
from accounts.middleware import SESSION_KEY
from accounts.models import User


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@login_required
@require_http_methods(["GET", "POST"])
def account_none(request: HttpRequest) -> HttpResponse:
    """For who belongs to no account (any more): make one, where sign-up is open."""
    user = _user(request)
    if selectors.memberships_of(user).exists():
        return redirect("overview")
    may_create = settings.SIGNUP == "open"
    form = AccountNameForm(request.POST or None) if may_create else None
    if form is not None and form.is_valid():
        services.account_open(
            name=form.cleaned_data["account_name"],
            owner=user,
            timezone=form.cleaned_data["timezone"],
        )
        return redirect("overview")
    return render(request, "accounts/account_none.html", {"form": form})


@login_required
@require_POST
def account_switch(request: HttpRequest, account_id: int) -> HttpResponse:
    """Work in another of one's accounts; it is remembered for this log-in."""
    if not selectors.memberships_of(_user(request)).filter(account_id=account_id).exists():
        raise Http404("There is no such thing in this account.")
    request.session[SESSION_KEY] = account_id
    return redirect("overview")
