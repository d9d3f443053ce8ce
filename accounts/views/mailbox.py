"""The local mailbox page: mail that was not sent because there is no mail server."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import mailbox


@never_cache
@require_http_methods(["GET"])
def mailbox_page(request: HttpRequest) -> HttpResponse:
    """The mails, newest first. Needs no log-in, because one is what the mail may be about."""
    if not mailbox.mailbox_is_open(request):
        raise Http404("There is no mailbox page here.")
    return render(request, "accounts/mailbox.html", {"mails": mailbox.mails_list()})
