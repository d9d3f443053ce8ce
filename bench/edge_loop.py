"""The whole loop of `make bench-edge`: a blast sent, three callbacks each received and applied.

Held against the usual stack doing the same: a task per message with the carrier's SDK, a Django
view with an ORM update per callback. Neither clock counts the making of the signed callbacks,
which is the carrier's work. Sizes can be changed by BENCH_LOOP and BENCH_LOOP_NAIVE.
"""

import os
import statistics
import time
from typing import Final

from bench import send_parts as parts
from bench.edge_parts import Sent, callbacks
from bench.figures import Figure
from bench.load import closed_loop
from bench.serving import serving
from messaging.models import Attempt, Batch, CarrierAccount, CarrierEventQueue, Message
from messaging.recounting import differences

PEOPLE: Final = int(os.environ.get("BENCH_LOOP", "100000"))
NAIVE: Final = int(os.environ.get("BENCH_LOOP_NAIVE", "5000"))
WORDS: Final = ("queued", "sent", "delivered")


def whole_loop(port: int, edge: str, *, rounds: int) -> Figure:
    """Messages a second through the loop; totals are recounted after each round.

    Args:
        port: Of EDGE_URL.
        edge: The edge's application.
        rounds: How many blasts of ours; the naive stack runs once.
    """
    with parts.sink() as url:
        CarrierAccount.objects.update(api_base_url=url)
        shop = parts.Shop.open(url, people=PEOPLE)
        ours = statistics.median(_ours(shop, port, edge) for _ in range(rounds))
        usual = _usual(shop, port)
    note = f"SDK task per message, Django view and ORM update per callback; {NAIVE:,} messages"
    return Figure("loop", ours, "messages/s", usual, 25.0, note=note)


def _ours(shop: parts.Shop, port: int, edge: str) -> float:
    with parts.worker(1), parts.worker(1, queues="events,default"), serving(edge, port=port):
        shop.send(5_000)  # connections, plans and caches are warm
        sending_s = PEOPLE / shop.send(PEOPLE)
        batch = Batch.objects.filter(account=shop.account).latest("id")
        rows = Attempt.objects.filter(message__batch=batch, carrier_id__isnull=False)
        known = rows.order_by("message_id").values_list(
            "message_id", "carrier_id", "message__phone", "message__our_number"
        )
        sent = [Sent(pk, sid or "", phone, ours) for pk, sid, phone, ours in known]
        requests = [one for word in WORDS for one in callbacks(_carrier(shop), sent, word)]
        began = time.perf_counter()
        answered = closed_loop(port, requests, connections=256, expect=204)
        parts.until(lambda: not CarrierEventQueue.objects.exists(), "the last event", 120)
        receiving_s = time.perf_counter() - began
    if (answered.answered, answered.other) != (len(WORDS) * PEOPLE, 0):
        raise RuntimeError(f"not every callback was taken: {answered}")
    delivered = Message.objects.filter(batch=batch, state="delivered").count()
    if delivered != PEOPLE or differences(batch_id=batch.pk):
        raise RuntimeError(f"{delivered} of {PEOPLE} delivered: {differences(batch_id=batch.pk)}")
    print(f"loop: sent in {sending_s:.1f} s, received in {receiving_s:.1f} s", flush=True)
    parts.forget(batch)
    return PEOPLE / (sending_s + receiving_s)


def _usual(shop: parts.Shop, port: int) -> float:
    sending_s = NAIVE / shop.naive(NAIVE)
    batch = Batch.objects.filter(account=shop.account).latest("id")
    rows = batch.messages.order_by("pk").values_list("pk", "phone", "our_number")
    sent = [Sent(pk, f"SM{pk:032d}", phone, our_number) for pk, phone, our_number in rows]
    requests = [one for word in WORDS for one in callbacks(_carrier(shop), sent, word)]
    with serving("bench.edge_entry:django_wsgi", is_wsgi=True, port=port):
        began = time.perf_counter()
        answered = closed_loop(port, requests, connections=32, expect=204)
        receiving_s = time.perf_counter() - began
    if (answered.answered, answered.other) != (len(requests), 0):
        raise RuntimeError(f"not every callback was taken: {answered}")
    print(f"usual: sent in {sending_s:.1f} s, received in {receiving_s:.1f} s", flush=True)
    return NAIVE / (sending_s + receiving_s)


def _carrier(shop: parts.Shop) -> CarrierAccount:
    return shop.number.carrier_account
