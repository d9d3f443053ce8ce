"""How a page answers an act: a sentence, and back to the list it was done from."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from common.errors import DomainError, NotFound


def done_or_refused(request: HttpRequest, *, back: str, act: Callable[[], str]) -> HttpResponse:
    """Carry out `act` and say what it answers, or why it was refused; then go `back`.

    Args:
        request: A POST.
        back: URL name of the page that shows the outcome.
        act: Calls one service and returns the sentence for its success.

    Raises:
        Http404: the thing does not exist in this account.
    """
    try:
        messages.success(request, act())
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, " ".join([error.message, *error.fields.values()]))
    return redirect(back)
