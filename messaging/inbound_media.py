"""Files that came in with texts: fetched from the carrier in the background, kept in the account.

Owns `InboundMedia`. Never a way to make our servers ask for anything else: an address is fetched
only where it names a file of a message of the very carrier account that brought it, and what it is
sent on to only at the carrier's own stores, without the log-in.
"""

import base64
import http.client
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.db import transaction

from common.clock import now
from common.crypto import decrypt
from common.jobs import enqueue
from messaging.choices import InboundMediaState
from messaging.models import CarrierAccount, InboundMedia, Message
from messaging.pictures import sniffed
from messaging.services.media import media_keep

log = logging.getLogger(__name__)

# Twilio passes on up to 5 MB a message.
LIMIT_BYTES: Final = 10_000_000
MOST_FILES: Final = 10
MOST_TRIES: Final = 8
_FIRST_WAIT_S: Final = 15
_REDIRECTS: Final = 3
_STORES: Final = ("twilio.com", "twiliocdn.com", "amazonaws.com")
_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]{1,30}")


class _Gone(Exception):
    """The file will never be had; the sentence says why."""


class _Away(Exception):
    """Perhaps later."""


class _Found(NamedTuple):
    data: bytes
    content_type: str


def inbound_media_note(
    *, message: Message, carrier_account: CarrierAccount, urls: Sequence[str]
) -> None:
    """Note the files of a text that is being stored, to be fetched once it is. Each once.

    Side effects: a hint to fetch them, after commit.
    """
    if not urls:
        return
    InboundMedia.objects.bulk_create(
        (
            InboundMedia(
                account_id=message.account_id,
                message=message,
                carrier_account=carrier_account,
                n=n,
                url=url,
            )
            for n, url in enumerate(urls[:MOST_FILES])
        ),
        ignore_conflicts=True,
    )
    enqueue("messaging.fetch_media")


def inbound_media_fetch() -> int:
    """Fetch what is due; what cannot be had now is tried again, ever later, for some hours.

    Returns:
        How many files were stored.

    Side effects: requests to carriers with no transaction open; files in the storage.
    """
    stored = 0
    while one := _next_due():
        try:
            stored += _fetch_one(one)
        except Exception:
            # It is put off; the others are not to wait for it.
            log.exception("media %s of message %s was not stored", one.pk, one.message_id)
    return stored


@transaction.atomic
def _next_due() -> InboundMedia | None:
    """One that nobody else fetches, put off so that a worker that dies leaves it for another.

    Locks: the row (SKIP LOCKED).
    """
    at = now()
    one = (
        InboundMedia.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("carrier_account", "account")
        .filter(state=InboundMediaState.WAITING, not_before__lte=at)
        .order_by("not_before", "pk")
        .first()
    )
    if one is not None:
        one.tries += 1
        one.not_before = at + timedelta(seconds=_FIRST_WAIT_S * 2**one.tries)
        one.save(update_fields=["tries", "not_before"])
    return one


def _fetch_one(one: InboundMedia) -> bool:
    try:
        found = _fetched(one)
    except _Gone as gone:
        return _refuse(one, str(gone))
    except _Away as away:
        log.warning("media of message %s cannot be fetched now: %s", one.message_id, away)
        if one.tries < MOST_TRIES:
            return False
        return _refuse(one, "The carrier did not give it, however often it was asked.")
    with transaction.atomic():
        media = media_keep(
            account=one.account,
            actor=None,
            data=found.data,
            content_type=found.content_type,
        )
        # Where its text was removed meanwhile, nothing refers to it, and it goes again.
        waiting = InboundMedia.objects.filter(pk=one.pk, state=InboundMediaState.WAITING)
        return bool(waiting.update(state=InboundMediaState.STORED, media=media, url=""))


def _refuse(one: InboundMedia, why: str) -> bool:
    waiting = InboundMedia.objects.filter(pk=one.pk, state=InboundMediaState.WAITING)
    waiting.update(state=InboundMediaState.REFUSED, error=why[:200], url="")
    return False


def _fetched(one: InboundMedia) -> _Found:
    """The file, from the carrier.

    Raises:
        _Gone: it is not at this carrier, or too large.
        _Away: no answer, or none with a file.
    """
    carrier = one.carrier_account
    own = f"{carrier.api_base_url}/2010-04-01/Accounts/{carrier.external_id}/Messages/"
    rest = re.compile(r"[A-Z]{2}[0-9a-f]{32}/Media/ME[0-9a-f]{32}")
    if not one.url.startswith(own) or not rest.fullmatch(one.url[len(own) :]):
        raise _Gone("Its address is not one of this carrier.")
    login = f"{carrier.external_id}:{decrypt(bytes(carrier.secret_encrypted))}"
    headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
    url = one.url
    for _ in range(_REDIRECTS + 1):
        answer = _asked(url, headers)
        if isinstance(answer, _Found):
            return answer
        try:
            url, headers = urljoin(url, answer), {}
            is_store = _is_store(url, carrier.api_base_url)
        except ValueError:  # it is no address at all
            is_store = False
        if not is_store:
            raise _Gone("The carrier keeps it at a place we do not know.")
    raise _Away("it was sent on too often")


def _is_store(url: str, api_base_url: str) -> bool:
    """Whether the carrier may send us there: to its own stores, or back to where it was asked."""
    there, here = urlsplit(url), urlsplit(api_base_url)
    if (there.scheme, there.netloc) == (here.scheme, here.netloc):
        return True
    host = there.hostname or ""
    known = any(host == store or host.endswith("." + store) for store in _STORES)
    return there.scheme == "https" and there.port in (None, 443) and known


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(_NoRedirect)


def _asked(url: str, headers: dict[str, str]) -> _Found | str:
    """What one address answers: a file, or where it is.

    Raises:
        _Gone: it is too large.
        _Away: neither came.
    """
    request = urllib.request.Request(url, headers=headers)
    try:
        with _OPENER.open(request, timeout=settings.CARRIER_REQUEST_TIMEOUT_S) as answer:
            data = answer.read(LIMIT_BYTES + 1)
            declared = answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        with error:
            where = error.headers.get("Location")
        if error.code in (301, 302, 303, 307, 308) and where:
            return str(where)
        raise _Away(f"HTTP {error.code}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Away(str(error)) from error
    if len(data) > LIMIT_BYTES:
        raise _Gone(f"It has more than {LIMIT_BYTES / 1e6:g} MB.")
    return _Found(data, _content_type(data, declared))


def _content_type(data: bytes, declared: str) -> str:
    """A picture by its first bytes; of the rest what the carrier says, unless that is a picture."""
    found = sniffed(data)
    if found:
        return found
    is_odd = not _TYPE.fullmatch(declared) or declared in ("image/jpeg", "image/png", "image/gif")
    return "application/octet-stream" if is_odd else declared
