"""Addresses below the API that do not exist: a problem (404), never a page for browsers."""

from typing import Any

from django.http import HttpResponsePermanentRedirect
from django.urls import Resolver404, resolve
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView


class NoSuchAddress(APIView):
    """Every method, for everybody: what is not there needs no key.

    One that only lacks the slash at its end is sent on with its method and body (308).
    """

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse, whatever the method."""
        raise NotFound("There is no such address in the API; /api/v1/docs/ lists them all.")

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Send on, or refuse."""
        if not request.path.endswith("/") and _is_known(f"{request.path_info}/"):
            address = request.get_full_path(force_append_slash=True)
            return HttpResponsePermanentRedirect(address, preserve_request=True)
        return super().dispatch(request, *args, **kwargs)


def _is_known(path: str) -> bool:
    try:
        view = resolve(path).func
    except Resolver404:
        return False
    return getattr(view, "view_class", None) is not NoSuchAddress
