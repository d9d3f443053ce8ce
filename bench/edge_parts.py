"""What carriers post, as bytes on the wire, for `make bench-edge`."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from carriersim.signing import signature
from messaging.models import CarrierAccount


class Sent(NamedTuple):
    """A message as the carrier knows it."""

    message_id: int
    carrier_id: str
    phone: str
    our_number: str


def callbacks(carrier: CarrierAccount, messages: Iterable[Sent], word: str) -> list[bytes]:
    """One signed status callback per message, in their order."""
    host = urlsplit(settings.EDGE_URL).netloc
    requests = []
    for message_id, carrier_id, phone, our_number in messages:
        fields = {
            "AccountSid": carrier.external_id,
            "ApiVersion": "2010-04-01",
            "From": our_number,
            "To": phone,
            "MessageSid": carrier_id,
            "SmsSid": carrier_id,
            "MessageStatus": word,
            "SmsStatus": word,
        }
        path = f"/webhooks/twilio/{carrier.pk}/status/{message_id}-1"
        signed = signature(
            auth_token=settings.TWILIO_AUTH_TOKEN, url=settings.EDGE_URL + path, params=fields
        )
        body = urlencode(fields)
        requests.append(
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"X-Twilio-Signature: {signed}\r\nUser-Agent: TwilioProxy/1.1\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
    return requests
