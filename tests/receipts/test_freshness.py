"""From a webhook, a tap or a reply to the report that counts it: within two seconds."""

import re
import time
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import Account, User
from campaigns.choices import BlastState
from campaigns.models import Blast, Campaign
from common.clock import now
from messaging.choices import BatchState
from messaging.models import Batch, CarrierAccount
from tests.edge.conftest import EdgeClient
from tests.edge.test_intake import status
from tests.receipts.conftest import IPHONE, MakeBatch, links_of, sid
from tests.stack import Stack
from tracking.codes import encode

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5
WITHIN_S = 2.0
BROWSER = {"User-Agent": IPHONE, "Accept": "text/html", "Accept-Language": "en"}


def test_what_comes_in_stands_in_the_report_within_two_seconds(
    stack: Stack, make_batch: MakeBatch, carrier: CarrierAccount, account: Account, alice: User
) -> None:
    stack.freeze("beat")  # its sweep finds work every two seconds, which is not to help here
    messages = make_batch(20)
    (link,) = links_of(messages, account)
    batch = Batch.objects.get()
    batch.body = "See https://example.com/0"
    batch.state, batch.finished_at = BatchState.DONE, now()
    batch.save()
    blast = Blast.objects.create(
        account=account,
        campaign=Campaign.objects.create(account=account, name="Spring", created_by=alice),
        name="Flowers",
        created_by=alice,
        state=BlastState.LAUNCHED,
        batch=batch,
    )
    edge, browser = EdgeClient(stack.edge_url), Client()
    browser.force_login(alice)

    def counted(figure: str) -> int:
        page = browser.get(f"/blasts/{blast.pk}/live?was=settling").content.decode()
        found = re.search(rf'\?{figure}#people"[^>]*>(?:<[^>]+>|\s)*(\d+)', page)
        return int(found[1]) if found else 0

    def deliver(at: int) -> int:
        number = sid(messages[at].pk)
        form = status(carrier, "delivered", MessageSid=number, SmsSid=number)
        return edge.post_form(
            f"/webhooks/twilio/{carrier.pk}/status/{messages[at].pk}-1", form
        ).status

    def tap(at: int) -> int:
        code = encode(link.pk, messages[at].recipient_no or 0)
        return edge.request(f"/{code}", headers=BROWSER).status

    def reply(at: int) -> int:
        form = {
            **status(carrier, "received", MessageSid=f"SM{at:032}"),
            "From": messages[at].phone,
            "To": messages[at].our_number,
            "Body": "Lovely!",
        }
        return edge.post_form(f"/webhooks/twilio/{carrier.pk}/inbound", form).status

    def took(act: Callable[[int], int], answer: int, figure: str) -> float:
        # The quickest: how slow others are says what else the machine does.
        return min(once(act, at, answer, figure) for at in range(ROUNDS))

    def once(act: Callable[[int], int], at: int, answer: int, figure: str) -> float:
        assert act(at) == answer
        answered = time.monotonic()
        stack.wait_until(lambda: counted(figure) == at + 1, what=f"{figure} {at + 1}")
        return time.monotonic() - answered

    assert took(deliver, 204, "show=delivered") <= WITHIN_S
    assert took(tap, 302, "clicked=yes") <= WITHIN_S
    assert took(reply, 200, "replied=yes") <= WITHIN_S
