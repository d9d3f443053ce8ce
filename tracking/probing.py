"""Asking an address whether anybody answers there, as a recipient's browser would. No database.

Owns the request and its guard: every connection, also of a redirect or a name that changes its
answer, goes to a public address, so that nobody explores a private network through us.
"""

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pycurl

from tracking.locations import location

TIMEOUT_S: Final = 5.0
# People who wait longer go away (Google, "The need for mobile speed", 2016).
SLOW_S: Final = 3.0
_REDIRECTS: Final = 5
_AGENT: Final = "Mozilla/5.0 (compatible; Textledger link check)"
# What some servers answer to HEAD though they serve GET.
_NO_HEAD: Final = frozenset({403, 404, 405, 501})
# They ask who we are, which says nothing about what a person would see.
_GUARDED: Final = frozenset({401, 403, 429})

Allows = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: The last HTTP status; 0 where nobody answered.
        elapsed_ms: Until the answer began, redirects included.
        problem: "" where it is fine, `dead`, `slow` or `refused` (a private address).
    """

    status: int
    elapsed_ms: int
    problem: str


def probe(url: str, *, allows: Allows | None = None, timeout_s: float = TIMEOUT_S) -> Answer:
    """Ask with HEAD, and with GET where a server does not like that.

    Args:
        url: An http(s) address.
        allows: Whether an IP address may be connected to; public ones by default.
        timeout_s: For each of the two requests.
    """
    guard = _Guard(allows or is_public)
    answer = _ask(url, guard, timeout_s, is_head=True)
    if answer.status in _NO_HEAD:
        answer = _ask(url, guard, timeout_s, is_head=False)
    return answer


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet at large."""
    found = ipaddress.ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_global and not found.is_multicast


class _Guard:
    """Opens sockets to allowed addresses alone, and remembers a refusal."""

    def __init__(self, allows: Allows) -> None:
        self.allows = allows
        self.refused = False

    def open(self, purpose: int, address: Any) -> Any:
        """libcurl's hook: a socket, or `SOCKET_BAD`."""
        family, kind, protocol, (host, *_) = address
        if isinstance(host, bytes):
            host = host.decode()
        if family not in (socket.AF_INET, socket.AF_INET6) or not self.allows(host):
            self.refused = True
            return pycurl.SOCKET_BAD
        return socket.socket(family, kind, protocol)


def _ask(url: str, guard: _Guard, timeout_s: float, *, is_head: bool) -> Answer:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, location(url))
    curl.setopt(pycurl.PROXY, "")  # the guard judges where we connect to, so nobody stands between
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.REDIR_PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.FOLLOWLOCATION, 1)
    curl.setopt(pycurl.MAXREDIRS, _REDIRECTS)
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.TIMEOUT_MS, int(timeout_s * 1000))
    curl.setopt(pycurl.USERAGENT, _AGENT)
    curl.setopt(pycurl.OPENSOCKETFUNCTION, guard.open)
    if is_head:
        curl.setopt(pycurl.NOBODY, 1)
    # The first bytes are enough: what is longer ends here, and that is no error.
    curl.setopt(pycurl.WRITEFUNCTION, lambda data: 0)
    try:
        curl.perform()
    except pycurl.error as error:
        if error.args[0] != pycurl.E_WRITE_ERROR:
            return Answer(0, _elapsed_ms(curl), "refused" if guard.refused else "dead")
    finally:
        status = int(curl.getinfo(pycurl.RESPONSE_CODE))
        elapsed_ms = _elapsed_ms(curl)
        curl.close()
    if status >= 400 and status not in _GUARDED:
        return Answer(status, elapsed_ms, "dead")
    return Answer(status, elapsed_ms, "slow" if elapsed_ms > SLOW_S * 1000 else "")


def _elapsed_ms(curl: pycurl.Curl) -> int:
    return int(
        (curl.getinfo(pycurl.STARTTRANSFER_TIME) + curl.getinfo(pycurl.REDIRECT_TIME)) * 1000
    )
