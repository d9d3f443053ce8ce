"""Edge and workers killed while a carrier posts and recipients tap: all is applied exactly once."""

import http.client
import threading
from collections import Counter
from functools import partial

import pytest
from django.db.models import Count

from accounts.models import Account
from messaging.models import CarrierAccount, CarrierEvent, CarrierEventQueue, Message
from messaging.recounting import differences
from tests.edge.conftest import EdgeClient
from tests.edge.test_intake import status
from tests.receipts.conftest import MakeBatch, recount, sid, tally
from tests.stack import Stack
from tracking.choices import Verdict
from tracking.codes import encode
from tracking.models import Click
from tracking.services import links_create

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

CLIENTS = 4
TAP = "tap"


class Sender(threading.Thread):
    """Sends each request until it is answered, as carriers and people do.

    Attributes:
        answered: Requests answered 2xx or 302, by (message, what).
        repeated: Requests sent once more, since their answer never came.
    """

    def __init__(
        self, client: EdgeClient, carrier: CarrierAccount, work: list[tuple[int, str, str]]
    ) -> None:
        super().__init__()
        self.answered: Counter[tuple[int, str]] = Counter()
        self.repeated: Counter[tuple[int, str]] = Counter()
        self._client = client
        self._carrier = carrier
        self._work = work
        self._is_over = threading.Event()

    def run(self) -> None:
        for message_id, what, path in self._work:
            while not self._is_over.is_set() and not self._send(message_id, what, path):
                self.repeated[message_id, what] += 1
                self._is_over.wait(0.05)

    def give_up(self) -> None:
        """End soon, whatever is left."""
        self._is_over.set()

    def _send(self, message_id: int, what: str, path: str) -> bool:
        try:
            if what == TAP:
                is_done = self._client.request(path).status == 302
            else:
                number = sid(message_id)
                form = status(self._carrier, what, MessageSid=number, SmsSid=number)
                is_done = self._client.post_form(path, form).status == 204
        except (OSError, http.client.HTTPException):
            return False
        self.answered[message_id, what] += is_done
        return is_done


def test_killed_edge_and_workers_apply_everything_once(
    stack: Stack, make_batch: MakeBatch, carrier: CarrierAccount, account: Account, long_form: bool
) -> None:
    messages = make_batch(9_999 if long_form else 100)
    batch_id = messages[0].batch_id
    assert batch_id is not None
    (link,) = links_create(
        account=account,
        batch_id=batch_id,
        destinations=["https://example.com"],
        label="",
        recipients=len(messages),
    )
    whats = ["sent", "delivered", "sent", TAP, TAP] * (2 if long_form else 1)
    work = [
        (
            message.pk,
            what,
            f"/{encode(link.pk, message.recipient_no or 0)}"
            if what == TAP
            else f"/webhooks/twilio/{carrier.pk}/status/{message.pk}-1",
        )
        for what in whats
        for message in messages
    ]
    client = EdgeClient(stack.edge_url)
    senders = [Sender(client, carrier, work[at::CLIENTS]) for at in range(CLIENTS)]

    def has_come_far(quarters: int) -> bool:
        return sum(sum(one.answered.values()) for one in senders) >= len(work) * quarters // 4

    try:
        for sender in senders:
            sender.start()
        for kill in (1, 2, 3):
            stack.wait_until(partial(has_come_far, kill), timeout_s=900, what="answers")
            stack.kill("edge", "worker")
            stack.start("edge", "worker")
        for sender in senders:
            sender.join(900)
    finally:
        for sender in senders:
            sender.give_up()
            sender.join()
    stack.wait_until(
        lambda: (
            not CarrierEventQueue.objects.exists()
            and not Click.objects.filter(verdict=Verdict.PENDING).exists()
        ),
        timeout_s=300,
        what="applying",
    )

    answered = sum((sender.answered for sender in senders), Counter[tuple[int, str]]())
    repeated = sum((sender.repeated for sender in senders), Counter[tuple[int, str]]())
    assert answered == Counter((message_id, what) for message_id, what, _ in work)
    stored = Counter(
        {
            (message_id or 0, word): times
            for message_id, word, times in CarrierEvent.objects.values_list("message_id", "word")
            .annotate(times=Count("id"))
            .order_by()
        }
    )
    ids = {message.recipient_no: message.pk for message in messages}
    for no, hits in Click.objects.values_list("recipient_no").annotate(hits=Count("id")).order_by():
        stored[ids[no], TAP] = hits
    # What was sent again may have been stored before its answer was lost; nothing else is twice.
    assert all(
        answered[one] <= times <= answered[one] + repeated[one] for one, times in stored.items()
    )
    assert stored.keys() == answered.keys()
    assert set(Message.objects.values_list("state", flat=True)) == {"delivered"}
    assert tally(batch_id) == recount(batch_id) == {("delivered", ""): len(messages)}
    assert differences(batch_id=batch_id) == []
