"""A carrier's own list of texts, read page by page.

Who asks for it concludes nothing from half of it. No transaction is open while a carrier is asked.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from django.conf import settings

from messaging.gateways.base import Answer, Endpoint, Gateway, Listed
from messaging.gateways.transport import Transport
from messaging.models import CarrierAccount
from messaging.sending.batches import gateway

# A carrier's clock is not ours, and it tells whole seconds.
SKEW: Final = timedelta(seconds=30)
# After four days no carrier changes its word.
KEEPS_ITS_WORD: Final = timedelta(days=4)
_PAGES_MOST: Final = 2_000


class CarrierAway(Exception):
    """The carrier's list could not be read to its end; nothing is concluded from half of it.

    Attributes:
        carrier_account_id: Whose log-in got no list.
    """

    def __init__(self, carrier_account: CarrierAccount, words: str) -> None:
        """Say of `carrier_account` what `words` tell."""
        super().__init__(f"{carrier_account} {words}")
        self.carrier_account_id = carrier_account.pk


class ListUnreadable(CarrierAway):
    """The carrier answers, but not with all of this one list; its others may well be read."""


def listed(
    carrier_account: CarrierAccount, *, since: datetime, our_number: str = "", to: str = ""
) -> Iterator[Listed]:
    """What the carrier lists from one of our numbers, or to one, back to `since`; newest first.

    Raises:
        CarrierAway: the carrier does not answer.
        ListUnreadable: it began to, and a page could not be read, or there was no end of pages.
    """
    asked = _gateway(carrier_account)
    url = asked.list_url(to=to) if to else asked.list_from_url(our_number=our_number)
    for number in range(_PAGES_MOST):
        answer = _get(asked, url)
        page = asked.list_page(answer)
        if page is None and number == 0 and answer.status != HTTPStatus.OK:
            raise CarrierAway(carrier_account, "does not answer with a list")
        if page is None:
            raise ListUnreadable(carrier_account, f"has a list of {our_number or to} that breaks")
        for one in page.messages:
            if one.created_at < since:
                return
            yield one
        if not page.next_url:
            return
        url = page.next_url
    raise ListUnreadable(
        carrier_account, f"has more than {_PAGES_MOST:,} pages in its list of {our_number or to}"
    )


def _gateway(carrier_account: CarrierAccount) -> Gateway:
    return gateway(
        carrier_account.pk,
        carrier_account.gateway,
        carrier_account.external_id,
        bytes(carrier_account.secret_encrypted),
        carrier_account.api_base_url,
    )


def _get(asked: Gateway, url: str) -> Answer:
    answers: list[Answer] = []
    request = (0, Endpoint("GET", url, asked.reading.headers), b"")
    _transport().run([request], lambda _, answer, *__: answers.append(answer))
    return answers[0]


@lru_cache(maxsize=1)
def _transport() -> Transport:
    return Transport(concurrency=4, timeout_s=settings.CARRIER_REQUEST_TIMEOUT_S)
