"""What the edge is held against: the best simple servers that do only a part of its work.

`verify_only` checks signatures and stores nothing; `redirect_only` answers 302 and records nothing;
`django_wsgi` is the usual way: a Django view, the carrier's SDK as validator, one ORM update per
callback.
"""

from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.urls import path
from twilio.request_validator import RequestValidator

from common.garbage import collect_rarely
from messaging.gateways import twilio_webhooks
from messaging.models import Message
from messaging.state import RANKS
from smsplatform.edge.http import Answer, Receive, Scope, Send, read_body
from smsplatform.edge.webhooks import target_text

_STORED = Answer(204)
_REFUSED = Answer(403)
_FOUND = Answer(302, b"", b"", (b"location", b"https://shop.example.com/sale"))
_SECRETS = (settings.TWILIO_AUTH_TOKEN.encode(),)


async def verify_only(scope: Scope, receive: Receive, send: Send) -> None:
    """The edge's own signature check, and no more."""
    if scope["type"] != "http":
        return await _lifespan(receive, send)
    body = await read_body(scope, receive)
    signature = b""
    for name, value in scope["headers"]:
        if name == b"x-twilio-signature":
            signature = value
    is_ours = twilio_webhooks.verify(
        origin=settings.EDGE_URL,
        target=target_text(scope),
        body=body,
        pairs=twilio_webhooks.form_pairs(body),
        signature=signature,
        secrets=_SECRETS,
    )
    await (_STORED if is_ours else _REFUSED).to(send)


async def redirect_only(scope: Scope, receive: Receive, send: Send) -> None:
    """A bare 302."""
    if scope["type"] != "http":
        return await _lifespan(receive, send)
    await _FOUND.to(send)


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    collect_rarely()  # as the edge does
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


_validator = RequestValidator(settings.TWILIO_AUTH_TOKEN)


def callback(request: HttpRequest, pk: int, ref: str) -> HttpResponse:
    """One callback, the usual way."""
    url = settings.EDGE_URL + request.get_full_path()
    if not _validator.validate(url, request.POST, request.headers.get("X-Twilio-Signature", "")):
        return HttpResponseForbidden()
    state = twilio_webhooks.STATES[request.POST["MessageStatus"]]
    Message.objects.filter(pk=int(ref.partition("-")[0]), rank__lt=RANKS[state]).update(
        state=state, rank=RANKS[state]
    )
    return HttpResponse(status=204)


urlpatterns = [path("webhooks/twilio/<int:pk>/status/<str:ref>", callback)]


class _Bare(WSGIHandler):
    """Django without middleware: nothing but the view, so that the baseline is not slowed down."""

    def load_middleware(self, is_async: bool = False) -> None:
        settings.MIDDLEWARE = []
        settings.ROOT_URLCONF = "bench.edge_apps"
        super().load_middleware(is_async)


def django_wsgi(environ: dict[str, Any], start_response: Any) -> Any:
    """The WSGI application."""
    return _handler(environ, start_response)


_handler = _Bare()
