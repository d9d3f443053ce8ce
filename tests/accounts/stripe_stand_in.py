"""A stand-in for Stripe's API on loopback: payment pages are made, and what was asked is kept."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl


@dataclass
class StripeStandIn:
    """What came in, and how it is answered.

    Attributes:
        base_url: Where it listens.
        asked: The form of each request for a payment page, oldest first, with its key.
        is_down: Answer nothing but 503.
    """

    base_url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    is_down: bool = False
    _pages: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, path: str, key: str, bearer: str, form: dict[str, str]) -> tuple[int, Any]:
        """As Stripe answers: one key, one payment page."""
        self.asked.append({**form, "key": key})
        if self.is_down:
            return 503, {"error": {"type": "api_error", "message": "Down"}}
        if bearer != "Bearer sk_test_stand_in":
            return 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key"}}
        if path != "/v1/checkout/sessions":
            return 404, {"error": {"type": "invalid_request_error", "message": path}}
        made = f"cs_test_{len(self._pages) + 1}"
        page = {
            "id": made,
            "object": "checkout.session",
            "client_reference_id": form["client_reference_id"],
            "payment_status": "unpaid",
            "url": f"https://checkout.stripe.com/c/pay/{made}",
        }
        return 200, self._pages.setdefault(key, page)


@contextmanager
def stand_in() -> Iterator[StripeStandIn]:
    """Serve until the block ends."""
    stripe = StripeStandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            status, answer = stripe.answer(
                self.path,
                self.headers.get("Idempotency-Key", ""),
                self.headers.get("Authorization", ""),
                dict(parse_qsl(body)),
            )
            told = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stripe.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield stripe
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
