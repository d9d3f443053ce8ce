"""The vocabulary of sending: what a carrier is asked, what its answer came to.

Owns the normalised shapes and the `Gateway` protocol. A gateway is a pure translator between these
and a carrier's HTTP: it opens no connection (`transport.py` does) and touches no database. What
carriers tell later, in webhooks, has its own vocabulary in `events.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from messaging.choices import Outcome


class Endpoint(NamedTuple):
    """Where requests of one kind go; the same for every message, so connections are reused."""

    method: str
    url: str
    headers: tuple[str, ...]


class Answer(NamedTuple):
    """What came back from one HTTP request.

    Attributes:
        status: HTTP status; 0 when no complete answer came.
        body: The answer's body.
        is_written: Whether any byte of the request may have reached the other side. False is a
            proof that nothing was taken.
        error: The transport's words when `status` is 0.
    """

    status: int
    body: bytes
    is_written: bool = True
    error: str = ""


class Result(NamedTuple):
    """What one request to send came to.

    Attributes:
        outcome: accepted, rejected (not taken, for `reason`), retryable (proven not processed, the
            same request may be made again) or unknown (may have been taken).
        carrier_id: The carrier's id of the message when accepted, else "".
        http_status: As answered; 0 when none came.
        code: The carrier's error code, or "".
        reason: The `Reason` it means, or "".
        is_opt_out: The carrier says that this person left.
        stops_sender: Every further request from this log-in or number would fail alike; a person
            has to put something right first.
    """

    outcome: Outcome
    carrier_id: str = ""
    http_status: int = 0
    code: str = ""
    reason: str = ""
    is_opt_out: bool = False
    stops_sender: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A message as the carrier's own list shows it.

    Attributes:
        carrier_id: The carrier's id.
        phone: Whom it went to.
        our_number: Whom it came from; "" while a pool has not chosen yet.
        body: As the carrier keeps it: may be prefixed or re-encoded.
        state: `MessageState`, or "" for a word this gateway does not know.
        code: Error code, or "".
        segments: As counted by the carrier; 0 when not counted yet.
        created_at: When the carrier took it, to the second.
        is_outbound: Whether we sent it.
        media: How many pictures it carries.
        cost_micros: What the carrier charges for it, in millionths of `currency`; None until it
            has set a price, which may take hours.
        currency: ISO 4217, or "".
    """

    carrier_id: str
    phone: str
    our_number: str
    body: str
    state: str
    code: str
    segments: int
    created_at: datetime
    is_outbound: bool
    media: int = 0
    cost_micros: int | None = None
    currency: str = ""


class Line(NamedTuple):
    """What one request for a number's kind of line came to.

    Attributes:
        outcome: accepted (told, and paid for), rejected (not taken), retryable (proven not
            processed) or unknown (may have been taken, and paid for).
        line_type: `LineType`, when accepted.
        carrier_name: Whose line it is, when told.
        stops: Every further request from this log-in would fail alike.
    """

    outcome: Outcome
    line_type: str = ""
    carrier_name: str = ""
    stops: bool = False


class ListPage(NamedTuple):
    """One page of a carrier's list, newest first, and where the next one is."""

    messages: list[Listed]
    next_url: str


class Gateway(Protocol):
    """One log-in at one carrier. Implementations are cheap to make and hold no state."""

    @property
    def tells_lines(self) -> bool:
        """Whether the carrier tells line types, for money; only then is it asked for them."""

    @property
    def sending(self) -> Endpoint:
        """Where messages are posted."""

    @property
    def reading(self) -> Endpoint:
        """How lists are read; its URL is the list without filters."""

    @staticmethod
    def encode(text: str) -> str:
        """`text` as it stands inside a request; letters and digits of ASCII stay as they are.

        Concatenation holds: encode(a) + encode(b) == encode(a + b). The engine therefore encodes
        the fixed parts of a template once for a whole batch.
        """

    @staticmethod
    def encode_media(urls: Sequence[str]) -> str:
        """Addresses of pictures as they stand inside a request; made once for a whole batch."""

    def request(
        self, *, to: str, our_number: str, encoded_body: str, ref: str, media: str = ""
    ) -> bytes:
        """The body of a request to send one message.

        Args:
            to: E.164.
            our_number: The sender, E.164.
            encoded_body: The text, encoded by `encode`.
            ref: `<message id>-<attempt>`, which ends the address of its status callbacks, so that
                a callback names its message even when the answer to this request is lost.
            media: Its pictures, encoded by `encode_media`; "" for words alone.
        """

    def result(self, answer: Answer) -> Result:
        """What an answer to `request` came to. Never raises: what is not understood is unknown."""

    def list_url(self, *, to: str) -> str:
        """The first page of what was sent to `to`, newest first."""

    def list_from_url(self, *, our_number: str) -> str:
        """The first page of what was sent from one of our numbers, newest first."""

    def list_page(self, answer: Answer) -> ListPage | None:
        """A page of the carrier's list, or None when the answer is not one."""

    def line_endpoint(self, *, phone: str) -> Endpoint:
        """Where the kind of line of `phone` (E.164) is asked for."""

    def line(self, answer: Answer) -> Line:
        """What an answer from there came to. Never raises: what is not understood is unknown."""
