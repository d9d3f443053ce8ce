"""Status callbacks: which, in what order and when, and what they carry.

A message's callbacks are a program of steps shared by all messages of its kind. A step is put into
the queue when the first try of the one before is over, so they arrive in order unless a script
disorders them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from carriersim.behaviours import Outcome
from carriersim.outgoing import Answer, Request
from carriersim.store import Message
from carriersim.webhooks import Post

if TYPE_CHECKING:
    from carriersim.simulator import Simulator

API_VERSION = "2010-04-01"


class Step(NamedTuple):
    """One callback.

    `moment` is `start`, `sent` or `final`; `delay_s` is how long after it, before the speed factor.
    """

    moment: str
    status: str
    code: int | None = None
    delay_s: float = 0.0
    variant: str = ""


Program = tuple[Step, ...]


@lru_cache(maxsize=512)
def program(*, outcome: Outcome, fault: str, has_service: bool, sending: bool) -> Program:
    """The callbacks of a message in order. None is sent for its first status."""
    steps: list[Step] = []
    if has_service:
        steps.append(Step("start", "queued", delay_s=0.05))
    if outcome.is_sent:
        if sending:
            steps.append(Step("sent", "sending"))
        steps.append(Step("sent", "sent"))
    if outcome.is_final:
        steps.append(Step("final", outcome.status, outcome.code))
    return _FAULTS[fault](tuple(steps))


def _reordered(steps: Program) -> Program:
    """Backwards, and none before the message has got as far as its last status."""
    return tuple(
        step._replace(moment=steps[-1].moment, delay_s=0.2 * place)
        for place, step in enumerate(reversed(steps))
    )


def _unknown_status(steps: Program) -> Program:
    return (*steps[:-1], Step(steps[-1].moment, "teleported"), steps[-1])


_FAULTS: dict[str, Callable[[Program], Program]] = {
    "": lambda steps: steps,
    "early": lambda steps: steps,
    "lost": lambda steps: (),
    "final_lost": lambda steps: tuple(step for step in steps if step.moment != "final"),
    "duplicated": lambda steps: tuple(step for step in steps for _ in range(2)),
    "reordered": _reordered,
    "contradicted": lambda steps: (*steps, Step("final", "undelivered", 30008, delay_s=0.5)),
    "unknown_status": _unknown_status,
    "bad_signature": lambda steps: tuple(
        one for step in steps for one in (step._replace(variant="bad_signature"), step)
    ),
    "extra_parameter": lambda steps: tuple(
        step._replace(variant="extra_parameter") for step in steps
    ),
    "foreign_sid": lambda steps: (Step("sent", "delivered", variant="foreign_sid"), *steps),
}


class StatusCallbacks:
    """Schedules and builds the callbacks of messages that name a StatusCallback."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self._awaited: dict[int, asyncio.Future[None]] = {}

    def begin(self, message: Message, fault: str) -> asyncio.Future[None] | None:
        """Set the message's callbacks going.

        Returns:
            With `early`, what is done when the first callback was answered; else None.
        """
        settings = self._sim.settings
        if not settings.callbacks or not message.status_callback:
            return None
        kind = {"has_service": bool(message.service), "sending": settings.sending_callbacks}
        steps = program(outcome=message.outcome, fault=fault, **kind)
        if fault in ("lost", "final_lost"):
            whole = program(outcome=message.outcome, fault="", **kind)
            self._sim.stats.callbacks.dropped += len(whole) - len(steps)
        self._schedule(message, steps, 0)
        if fault != "early" or not steps:
            return None
        self._awaited[message.index] = asyncio.get_running_loop().create_future()
        return self._awaited[message.index]

    def canceled(self, message: Message) -> None:
        """Tell that a scheduled message was canceled."""
        if self._sim.settings.callbacks and message.status_callback:
            self._due(message, ((Step("start", "canceled"),), 0))

    def _schedule(self, message: Message, steps: Program, place: int) -> None:
        if place == len(steps):
            return
        step = steps[place]
        start = message.starts_at or message.created_at
        moment = {"start": start, "sent": message.sent_at, "final": message.final_at}[step.moment]
        when = (moment or start) + step.delay_s / self._sim.settings.speed
        self._sim.scheduler.at(when, self._due, message, (steps, place))

    def _due(self, message: Message, at: tuple[Program, int]) -> None:
        steps, place = at
        if message.canceled and steps[place].status != "canceled":
            return
        self._sim.sender.enqueue(self._build, message, at)

    def _build(self, message: Message, at: tuple[Program, int]) -> Request | None:
        steps, place = at
        step = steps[place]

        def go_on(answer: Answer) -> None:
            awaited = self._awaited.pop(message.index, None) if self._awaited else None
            if awaited is not None and not awaited.done():
                awaited.set_result(None)
            self._schedule(message, steps, place + 1)

        def counted(answer: Answer) -> None:
            if answer.is_ok and step.variant not in ("bad_signature", "foreign_sid"):
                message.callbacks_ok += 1

        post = Post(
            url=message.status_callback,
            params=_params(message, step),
            auth_token="wrong" if step.variant == "bad_signature" else message.account.auth_token,
            counts=self._sim.stats.callbacks,
            first=go_on,
            last=counted,
        )
        return self._sim.webhooks.build(message, post)


def _params(message: Message, step: Step) -> dict[str, str]:
    sid = message.sid
    if step.variant == "foreign_sid":
        sid = f"SM{int(sid[2:], 16) ^ (1 << 127):032x}"
    params = {
        "AccountSid": message.account.sid,
        "ApiVersion": API_VERSION,
        "From": message.sender,
        "MessageSid": sid,
        "MessageStatus": step.status,
        "SmsSid": sid,
        "SmsStatus": step.status,
        "To": message.to,
    }
    if message.service:
        params["MessagingServiceSid"] = message.service
    if step.code is not None:
        params["ErrorCode"] = str(step.code)
    if step.status in ("delivered", "undelivered"):
        params["RawDlrDoneDate"] = _dlr_date(int(time.time() // 60))
    if step.variant == "extra_parameter":
        params["NewThing"] = "caf\u00e9 & more"
    return params


@lru_cache(maxsize=4)
def _dlr_date(minute: int) -> str:
    """YYMMDDhhmm, as carriers hand it through."""
    return time.strftime("%y%m%d%H%M", time.gmtime(minute * 60))
