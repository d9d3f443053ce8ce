"""The page behind an invitation's link, for people with and without a log-in."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import selectors, services
from accounts.errors import InvitationGone
from accounts.forms import JoinForm
from accounts.middleware import SESSION_KEY
from accounts.models import Invitation, Membership, User
from common.errors import DomainError

BACKEND = "django.contrib.auth.backends.ModelBackend"


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def invitation_accept(request: HttpRequest, token: str) -> HttpResponse:
    """Show who invites to what; a POST joins."""
    try:
        invitation = services.invitation_by_token(token)
    except InvitationGone as error:
        context = {"refusal": error.message}
        return render(request, "accounts/invitation_accept.html", context, status=404)
    if isinstance(request.user, User):
        return _as_user(request, invitation, token, request.user)
    if selectors.user_by_email(invitation.email):
        to_login = f"{reverse('account_login')}?{urlencode({'next': request.path})}"
        return _page(request, invitation, login_url=to_login)
    return _as_new(request, invitation, token)


def _page(request: HttpRequest, invitation: Invitation, **context: object) -> HttpResponse:
    return render(request, "accounts/invitation_accept.html", {"invitation": invitation, **context})


def _as_user(request: HttpRequest, invitation: Invitation, token: str, user: User) -> HttpResponse:
    if user.email.lower() != invitation.email:
        return _page(request, invitation, other_user=user)
    if request.method != "POST":
        return _page(request, invitation, can_join=True)
    try:
        return _joined(request, services.invitation_accept(token=token, user=user))
    except DomainError as error:
        return _page(request, invitation, refusal=error.message)


def _as_new(request: HttpRequest, invitation: Invitation, token: str) -> HttpResponse:
    if settings.SIGNUP == "closed":
        return _page(request, invitation, signup_closed=True)
    form = JoinForm(request.POST or None, email=invitation.email)
    if not form.is_valid():
        return _page(request, invitation, form=form)
    try:
        membership = services.invitation_accept_new(token=token, **form.cleaned_data)
    except DomainError as error:
        return _page(request, invitation, form=form, refusal=error.message)
    login(request, membership.user, backend=BACKEND)
    return _joined(request, membership)


def _joined(request: HttpRequest, membership: Membership) -> HttpResponse:
    request.session[SESSION_KEY] = membership.account_id
    messages.success(request, f"Welcome to {membership.account.name}.")
    return redirect("overview")
