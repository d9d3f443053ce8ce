"""The public opt-in form of an account: no log-in, and one answer whatever the number's state."""

import logging

from allauth.core import ratelimit
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from contacts import selectors
from contacts.models import OptInForm
from messaging.errors import NoSender
from messaging.services.joining import form_submit, form_works
from messaging.services.single import sender_default
from messaging.views.joining_forms import SubscribeForm

log = logging.getLogger(__name__)

_TOO_MANY = "So many numbers came from here that we take no more for now. Try again in an hour."


@never_cache
@require_http_methods(["GET", "POST"])
def subscribe(request: HttpRequest, token: str) -> HttpResponse:
    """The form, and the sentence after it.

    Limits (settings.ACCOUNT_RATE_LIMITS): by address and by form with a sentence, by number in
    silence. A filled-in trap is answered like a person.
    """
    form = selectors.optin_form_open(token=token)
    if form is None:
        raise Http404("There is no such form, or it was closed.")
    if request.method == "GET" and "sent" in request.GET:
        return _page(request, form, is_sent=True, our_number=_our_number(form))
    if not form_works(form):
        return _page(request, form, status=503)
    typed = SubscribeForm(request.POST or None, form=form)
    if not typed.is_valid():
        return _page(request, form, typed=typed, status=422 if typed.errors else 200)
    if not _has_room(request, form):
        typed.add_error(None, _TOO_MANY)
        return _page(request, form, typed=typed, status=429)
    phone = typed.cleaned_data["phone"]
    if typed.is_trapped():
        log.info("a robot filled in form %s", form.pk)
    elif ratelimit.consume(request, action="subscribe_phone", key=phone):
        form_submit(form=form, phone=phone, first_name=typed.cleaned_data["first_name"])
    return redirect(f"{request.path}?sent")


def _our_number(form: OptInForm) -> str:
    try:
        return sender_default(form.account).phone
    except NoSender:  # given up since
        return ""


def _has_room(request: HttpRequest, form: OptInForm) -> bool:
    return ratelimit.consume(request, action="subscribe") and ratelimit.consume(
        request, action="subscribe_form", key=str(form.pk)
    )


def _page(
    request: HttpRequest,
    form: OptInForm,
    *,
    typed: SubscribeForm | None = None,
    is_sent: bool = False,
    our_number: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "join": form,
        "brand": form.account.brand or form.account.name,
        "form": typed,
        "is_sent": is_sent,
        "our_number": our_number,
    }
    return render(request, "joining/subscribe.html", context, status=status)
