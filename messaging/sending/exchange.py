"""The requests of a window: asked one after another as connections are free, no transaction open.

Owns the two checks before each request: no request starts so late that it could outlive its lease,
and none for whom the gate's answer is older than half a second and has changed. Knows outcomes, not
rows.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from django.db import connection
from django.db.utils import InterfaceError, OperationalError

from common.clock import boot_s, now
from messaging import gate
from messaging.choices import Outcome, Reason
from messaging.gate import Hours, Policy
from messaging.gateways.base import Answer, Endpoint, Result
from messaging.gateways.transport import Transport
from messaging.sending.leases import Item
from messaging.sending.window import Prepared, Progress

log = logging.getLogger(__name__)

# How old the gate's answer may be when a request starts.
GATE_FRESH_S: Final = 0.5
_CHOKED: Final = 10


class Told(NamedTuple):
    """One request and what it came to; times are unix seconds."""

    progress: Progress
    item: Item
    result: Result
    started: float
    ended: float


@dataclass(slots=True)
class Exchange:
    """What the carrier said about a window.

    Attributes:
        prepared: The window; its skips and what is left grow while requests go out.
        told: Requests that were made and may have been taken.
        unreachable: Senders whose carrier could not be reached at all.
        stopped: Blasts that cannot go on until somebody puts something right, and the code.
        barred: Senders from which a text that nobody could resume met the same: it is tried again.
    """

    prepared: Prepared
    told: list[Told] = field(default_factory=list)
    unreachable: set[int] = field(default_factory=set)
    stopped: dict[int, Result] = field(default_factory=dict)
    barred: set[int] = field(default_factory=set)
    _answers: Counter[int] = field(default_factory=Counter)
    _throttles: Counter[int] = field(default_factory=Counter)
    _gone: set[int] = field(default_factory=set)
    _asked_boot_s: float = 0.0

    def begin(self) -> Iterator[tuple[int, Endpoint, bytes]]:
        """The requests of the window, each made only when it is about to start.

        Whether one may still be made is decided then; every one that is yielded must be started,
        and its answer handed to `answered`.
        """
        self._asked_boot_s = self.prepared.window.asked_boot_s
        return self._requests()

    def run(self, transport: Transport) -> None:
        """Make the requests of this window alone and wait for all answers."""
        transport.run(self.begin(), self.answered)

    @property
    def throttled(self) -> dict[int, float]:
        """Senders that the carrier told to slow down, with the share of their requests."""
        return {
            sender_id: times / self._answers[sender_id]
            for sender_id, times in self._throttles.items()
        }

    def _requests(self) -> Iterator[tuple[int, Endpoint, bytes]]:
        sends = self.prepared.sends
        deadline = self.prepared.window.starts_until_boot_s
        for place, (progress, item) in enumerate(sends):
            if boot_s() - self._asked_boot_s > GATE_FRESH_S:
                self._ask_gate(place)
            batch = progress.lease.batch
            if place in self._gone:
                continue
            if (
                boot_s() > deadline
                or batch.id in self.stopped
                or self._is_choked(batch.sender_id)
                or batch.sender_id in self.unreachable
            ):
                progress.leave(item.no)
                continue
            gateway = batch.gateway
            yield (
                place,
                gateway.sending,
                gateway.request(
                    to=item.phone,
                    our_number=batch.our_number,
                    encoded_body=item.wire,
                    media=batch.media,
                    ref=f"{item.id}-{item.attempts + 1}",
                ),
            )

    def _ask_gate(self, start: int) -> None:
        """Ask again for all that have not gone.

        Who left meanwhile, what was paused or canceled, whose time is up, where it has become too
        late in the day.
        """
        waiting = self.prepared.sends[start:]
        at = now()
        hours: dict[Policy, Hours] = {}
        self._asked_boot_s = boot_s()
        batch_ids = {progress.lease.batch.id for progress, _ in waiting}
        try:
            left, stopped = gate.stopped_since(
                recipients=[(one.lease.batch.account_id, item.phone) for one, item in waiting],
                batch_ids=batch_ids,
            )
        except (OperationalError, InterfaceError) as error:
            # Who cannot be asked about is not texted: they are left for another window.
            log.warning("the gate cannot be asked, a window is cut short: %s", error)
            connection.close()
            left, stopped = set(), batch_ids
        for place, (progress, item) in enumerate(waiting, start):
            batch = progress.lease.batch
            if place in self._gone:
                continue
            if batch.id in stopped:
                progress.leave(item.no)
                self._gone.add(place)
            elif batch.rules.is_over(at):
                self.prepared.skips.append((progress, item, Reason.GIVEN_UP))
                self._gone.add(place)
            elif batch.rules.asks_opt_out and (batch.account_id, item.phone) in left:
                self.prepared.skips.append((progress, item, Reason.OPTED_OUT))
                self._gone.add(place)
            else:
                open_hours = hours.get(batch.rules) or Hours(batch.rules, at)
                hours[batch.rules] = open_hours
                until = open_hours.held_until(item.phone, item.timezone)
                if until is not None:
                    self.prepared.put_off(progress, item, until, Reason.QUIET_HOURS_MISSED)
                    self._gone.add(place)

    def answered(self, place: int, answer: Answer, started: float, ended: float) -> None:
        progress, item = self.prepared.sends[place]
        batch = progress.lease.batch
        result = batch.gateway.result(answer)
        if result.outcome == Outcome.RETRYABLE:
            if not answer.is_written:
                # Nothing was asked of the carrier, so this is no attempt.
                self.unreachable.add(batch.sender_id)
                progress.leave(item.no)
                return
            if result.stops_sender and batch.is_blast:
                self.stopped.setdefault(batch.id, result)
            elif result.stops_sender:
                self.barred.add(batch.sender_id)
            else:
                self._throttles[batch.sender_id] += 1
        self._answers[batch.sender_id] += 1
        self.told.append(Told(progress, item, result, started, ended))

    def _is_choked(self, sender_id: int) -> bool:
        """Whether most of what this sender asks is turned away: asking more would add to it."""
        throttles = self._throttles[sender_id]
        return throttles >= _CHOKED and throttles * 2 > self._answers[sender_id]
