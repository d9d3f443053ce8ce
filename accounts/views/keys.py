"""API keys: the list, making one (its secret is shown once), revoking one."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import selectors, services
from accounts.access import AccountRequest, requires
from accounts.choices import Role, Scope
from accounts.forms import ApiKeyForm
from accounts.views.answers import done_or_refused


@never_cache
@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def api_keys(request: AccountRequest) -> HttpResponse:
    """The keys; a POST makes one and shows its secret in the answer, the only time it is known."""
    form = ApiKeyForm(request.POST or None)
    made = secret = None
    if form.is_valid():
        made, secret = services.apikey_create(
            account=request.account,
            actor=request.user,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
        )
        form = ApiKeyForm()
    keys = [
        {"row": key, "scopes": [Scope(scope).label for scope in key.scopes]}
        for key in selectors.apikeys_list(request.account)
    ]
    context = {
        "form": form,
        "keys": keys,
        "made": made,
        "secret": secret,
        "first_call": settings.PUBLIC_URL + reverse("campaign-list"),
    }
    return render(request, "accounts/api_keys.html", context)


@requires(Role.ADMIN)
@require_POST
def api_key_revoke(request: AccountRequest, key_id: int) -> HttpResponse:
    """Stop a key from working."""

    def act() -> str:
        key = services.apikey_revoke(account=request.account, actor=request.user, key_id=key_id)
        return f"The key “{key.name}” no longer works."

    return done_or_refused(request, back="api_keys", act=act)
