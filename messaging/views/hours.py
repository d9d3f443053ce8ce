"""Settings: the rules of allowed hours with their sources, and what holds for one number."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.access import AccountRequest, requires
from accounts.choices import Role
from common.clock import now
from messaging.hours_telling import hours_try, rules_told
from messaging.views.number_forms import PhoneField


class TryForm(forms.Form):
    """A number to try, and a zone instead of the one it tells."""

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["phone"] = PhoneField(label="Number", country=country)
        self.fields["zone"] = forms.ChoiceField(
            label="Time zone",
            required=False,
            choices=[("", "As it is known"), *((z, z) for z in sorted(available_timezones()))],
        )


@requires(Role.VIEWER)
@require_GET
def allowed_hours(request: AccountRequest) -> HttpResponse:
    """The rules in force; `phone` and `zone` in the address ask what holds for a number now."""
    account = request.account
    typed = "phone" in request.GET
    form = TryForm(request.GET if typed else None, country=account.default_country)
    tried = None
    if form.is_valid():
        tried = hours_try(account=account, at=now(), **form.cleaned_data)
    context = {"form": form, "tried": tried, "rules": rules_told()}
    status = 422 if typed and tried is None else 200
    return render(request, "messaging/hours.html", context, status=status)
