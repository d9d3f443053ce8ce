"""Every address of the `web` process, as the URL table has it, for the tests that walk it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

# Parts with rules of their own: Django's admin (staff only) and allauth's log-in pages.
OTHERS = ("staff/", "auth/")
API = "api/v1/"


@dataclass(frozen=True)
class Route:
    """One entry of the URL table."""

    path: str
    name: str
    view: Any
    parameters: tuple[str, ...]

    @property
    def actions(self) -> dict[str, str]:
        """Method (upper case) to action, for the API's view sets."""
        return {
            method.upper(): action for method, action in getattr(self.view, "actions", {}).items()
        }


def _walk(resolver: URLResolver, prefix: str, found: tuple[str, ...]) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        names = (*found, *entry.pattern.regex.groupindex)
        if isinstance(entry, URLResolver):
            yield from _walk(entry, path, names)
        else:
            assert isinstance(entry, URLPattern)
            yield Route(path, entry.name or "", entry.callback, names)


_EVERY = list(_walk(get_resolver(), "", ()))
ALL = [route for route in _EVERY if not route.path.startswith(OTHERS)]
LOG_IN = [route for route in _EVERY if route.path.startswith("auth/")]
DASHBOARD = [route for route in ALL if not route.path.startswith(API)]
REST = [route for route in ALL if route.path.startswith(API)]
