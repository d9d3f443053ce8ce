"""What was answered is stored, whatever happens to the edge afterwards."""

import threading
from itertools import chain

import pytest

from accounts.models import Account
from messaging.models import CarrierAccount, CarrierEvent, CarrierEventQueue
from tests.edge.conftest import EdgeClient, EdgeProcess
from tests.edge.test_intake import status
from tracking.codes import encode
from tracking.models import Click
from tracking.services import links_create

pytestmark = pytest.mark.faults


def test_killed_edge_loses_nothing_it_answered(
    own_edge: tuple[EdgeProcess, EdgeClient], carrier: CarrierAccount, account: Account
) -> None:
    process, client = own_edge
    process.start()
    (link,) = links_create(
        account=account, batch_id=7, destinations=["http://example.com"], label="", recipients=9999
    )
    answered: list[int] = []
    redirected: list[int] = []

    def post(first: int) -> None:
        for no in range(first, first + 1000):
            try:
                reply = client.post_form(
                    f"/webhooks/twilio/{carrier.pk}/status/{no}-1", status(carrier)
                )
                if reply.status == 204:
                    answered.append(no)
                if client.request(f"/{encode(link.pk, no)}").status == 302:
                    redirected.append(no)
            except OSError:
                return

    threads = [threading.Thread(target=post, args=(1 + 1000 * at,)) for at in range(6)]
    for thread in threads:
        thread.start()
    threads[0].join(2)
    process.kill()
    for thread in threads:
        thread.join()

    assert len(answered) > 50
    stored = set(CarrierEvent.objects.values_list("message_id", flat=True))
    assert set(answered) <= stored
    queued = CarrierEventQueue.objects.values_list("event_ids", flat=True)
    assert sorted(chain(*queued)) == sorted(CarrierEvent.objects.values_list("id", flat=True))
    assert set(redirected) <= set(Click.objects.values_list("recipient_no", flat=True))
