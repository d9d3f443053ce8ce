"""The carrier as a whole: puts store, scheduler, callbacks and phones together.

Owns accepting, receiving, flushing and resetting. The HTTP sides (`messages_api`, `control`) parse,
call one method here, and render.
"""

from __future__ import annotations

import asyncio
import os
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from carriersim import behaviours
from carriersim.behaviours import Draws, Plan
from carriersim.callbacks import API_VERSION, StatusCallbacks
from carriersim.journal import Journal
from carriersim.media import File
from carriersim.outgoing import Answer
from carriersim.people import Hit, People
from carriersim.scheduler import Scheduler
from carriersim.settings import DEFAULTS, Settings, merged
from carriersim.store import INBOUND, OUTBOUND, REPLY, Account, Message, Number, Store
from carriersim.webhooks import Counts, Post, Sender, Webhooks

# https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out (default keywords, long codes)
STOP_WORDS = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
)
START_WORDS = frozenset({"START", "YES", "UNSTOP"})
STOP_ANSWER = (
    "You have successfully been unsubscribed. You will not receive any more messages from this "
    "number. Reply START to resubscribe."
)


@dataclass(slots=True)
class Stats:
    """Counters since the start or the last reset."""

    accepted: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    callbacks: Counts = field(default_factory=Counts)
    inbound: Counts = field(default_factory=Counts)
    clicks: Counts = field(default_factory=Counts)


class Simulator:
    """One carrier. Lives in one event loop; not thread-safe."""

    def __init__(
        self,
        *,
        accounts: dict[str, str] | None = None,
        settings: dict[str, Any] | None = None,
        data_dir: str = "",
    ) -> None:
        """
        Args:
            accounts: auth token by account sid.
            settings: changes to the default settings.
            data_dir: folder of the record; empty for memory only.
        """
        self._first_settings = merged(DEFAULTS, settings or {})
        self.store = Store()
        self.journal = Journal(data_dir)
        self.journal.load(self.store)
        self.hits: list[Hit] = []
        self.stats = Stats()
        self.scheduler = Scheduler()
        self.sender = Sender(0)
        self.webhooks = Webhooks(self.sender, self.scheduler)
        self.callbacks = StatusCallbacks(self)
        self.people = People(self)
        # How often a (To, Body) was refused for a passing fault; forgotten once it is accepted.
        self.tries: dict[int, int] = {}
        # How often each number was looked up.
        self.lookups: Counter[str] = Counter()
        self._use(self._first_settings)
        for sid, auth_token in (accounts or {}).items():
            self.put_account(Account(sid, auth_token))

    def change_settings(self, changes: dict[str, Any]) -> None:
        """Merge changes into the settings; they count for what is accepted from now on.

        Raises:
            SettingsError: and nothing is changed.
        """
        self._use(merged(self.settings_data, changes))

    def _use(self, data: dict[str, Any]) -> None:
        self.settings_data = data
        self.settings = Settings.from_dict(data)
        self.webhooks.speed = self.settings.speed
        self.sender.limit = self.settings.callback_concurrency

    def put_account(self, account: Account) -> None:
        """Add an account, or change the one with its sid."""
        known = self.store.accounts.get(account.sid)
        if known is None:
            self.store.accounts[account.sid] = account
        else:
            known.auth_token, known.trial = account.auth_token, account.trial
            known.active = account.active
        self.journal.account(account)

    def put_number(self, number: Number) -> None:
        """Register one of our numbers, or change it."""
        self.store.numbers[number.number] = number
        self.journal.number(number)

    def accept(self, message: Message, plan: Plan, draws: Draws) -> asyncio.Future[None] | None:
        """Take a message on: set its times, record it, schedule what follows.

        Returns:
            What the answer has to wait for (a first callback that is to come before), or None.
        """
        settings = self.settings
        message.outcome = plan.outcome
        start = message.starts_at or message.created_at
        sent_s = draws.between(behaviours.SENT, settings.delays.sent) / settings.speed
        final_s = draws.between(behaviours.FINAL, settings.delays.final) / settings.speed
        if plan.callback_fault == "early":
            sent_s = 0.0
        if plan.outcome.is_sent:
            message.sent_at = start + sent_s
        if plan.outcome.is_final:
            message.final_at = start + sent_s + final_s
        self.store.add(message)
        self.journal.message(message)
        if message.direction == OUTBOUND:
            self.stats.accepted += 1
        if plan.hits or plan.replies:
            self.people.begin(message, plan, draws)
        return self.callbacks.begin(message, plan.callback_fault)

    def receive(
        self,
        *,
        account: Account,
        sender: str,
        to: str,
        body: str,
        files: tuple[File, ...] = (),
        base: str = "",
    ) -> Message:
        """A phone texts one of our numbers: record it, note opt-outs, post it to its URL.

        Its files are then to be had below `base`, where this process is reached.
        """
        now = time.time()
        message = Message(
            index=len(self.store.messages),
            prefix=self.store.prefix,
            account=account,
            sender=sender,
            to=to,
            body=body,
            direction=INBOUND,
            created_at=now,
            sent_at=now,
            final_at=now,
            # Only counted by its sid, which is needed for the addresses themselves.
            media=("",) * len(files),
            files=files,
        )
        folder = f"{base}/{API_VERSION}/Accounts/{account.sid}/Messages/{message.sid}/Media"
        message.media = tuple(f"{folder}/ME{place:032x}" for place in range(len(files)))
        self.store.add(message)
        self.journal.message(message)
        self._note_keyword(message)
        number = self.store.numbers.get(to)
        if number is not None and number.inbound_url:
            post = Post(
                url=number.inbound_url,
                params=_inbound_params(message),
                auth_token=account.auth_token,
                counts=self.stats.inbound,
                last=lambda answer: self._answered(message, answer),
            )
            self.webhooks.enqueue(post, message)
        return message

    def _note_keyword(self, message: Message) -> None:
        word, pair = message.body.strip().upper(), (message.to, message.sender)
        if word in STOP_WORDS and pair not in self.store.opt_outs:
            self.store.opt_outs.add(pair)
            self.journal.note("opt_out", number=message.to, phone=message.sender)
            if self.settings.opt_out_reply:
                self._reply(message, STOP_ANSWER)
        elif word in START_WORDS and pair in self.store.opt_outs:
            self.store.opt_outs.discard(pair)
            self.journal.note("opt_in", number=message.to, phone=message.sender)

    def is_blocked(self, *, number: str, phone: str) -> bool:
        """Whether the carrier refuses to text a phone from a number."""
        return self.settings.opt_out_block and (number, phone) in self.store.opt_outs

    def _answered(self, message: Message, answer: Answer) -> None:
        """Send what the TwiML answer to an inbound webhook asks for."""
        if not answer.is_ok or b"<Message" not in answer.body:
            return
        try:
            root = ET.fromstring(answer.body)
        except ET.ParseError:
            return
        for verb in root.iter("Message"):
            text = (verb.findtext("Body") or verb.text or "").strip()
            if text and not self.is_blocked(number=message.to, phone=message.sender):
                self._reply(message, text)

    def _reply(self, message: Message, text: str) -> None:
        reply = Message(
            index=len(self.store.messages),
            prefix=self.store.prefix,
            account=message.account,
            sender=message.to,
            to=message.sender,
            body=text,
            direction=REPLY,
            created_at=time.time(),
        )
        draws = Draws(seed=self.settings.seed, to=reply.to, body=text, tries=0)
        self.accept(reply, Plan(), draws)

    def is_idle(self) -> bool:
        """Whether nothing is outstanding."""
        return not (self.scheduler.waiting or self.sender.queued or self.sender.client.in_flight)

    async def flush(self, timeout_s: float) -> None:
        """Let everything outstanding happen now, also while paused."""
        was_paused, self.sender.paused = self.sender.paused, False
        end = time.monotonic() + timeout_s
        now = time.time()
        self.store.settle(now)
        self.journal.note("settled", at=now)
        self.sender.pump()
        while not self.is_idle() and time.monotonic() < end:
            self.scheduler.run_all()
            await asyncio.sleep(0.005)
        self.sender.paused = was_paused

    def reset(self, *, settings: bool, numbers: bool) -> None:
        """Forget messages, opt-outs, outstanding events, counters; settings and numbers if said."""
        if numbers:
            self.store.numbers.clear()
        self.scheduler.clear()
        self.sender.clear()
        self.sender.paused = False
        self.store.forget()
        self.hits.clear()
        self.tries.clear()
        self.stats = Stats()
        self.lookups.clear()
        self.journal.restart(self.store)
        if settings:
            self._use(self._first_settings)

    def report(self) -> dict[str, Any]:
        """The statistics as /sim/stats shows them."""
        stats = self.stats
        return {
            "accepted": stats.accepted,
            "refused": dict(stats.refused),
            "faults": dict(stats.faults),
            "callbacks": asdict(stats.callbacks),
            "inbound": asdict(stats.inbound),
            "clicks": asdict(stats.clicks),
            "scheduled": self.scheduler.waiting,
            "queued": self.sender.queued,
            "in_flight": self.sender.client.in_flight,
            "paused": self.sender.paused,
            "idle": self.is_idle(),
            "cpu_s": time.process_time(),
            "memory_bytes": _memory_bytes(),
        }

    def close(self) -> None:
        """Stop everything outgoing and close the file."""
        self.scheduler.clear()
        self.sender.clear()
        self.journal.close()


def _memory_bytes() -> int:
    """Resident memory of this process; 0 where /proc does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _inbound_params(message: Message) -> dict[str, str]:
    """The form of an inbound webhook; places are empty, as for numbers Twilio knows nothing of."""
    sid = message.sid
    params = {
        "ToCountry": "US",
        "ToState": "",
        "SmsMessageSid": sid,
        "NumMedia": str(len(message.media)),
        "ToCity": "",
        "FromZip": "",
        "SmsSid": sid,
        "FromState": "",
        "SmsStatus": "received",
        "FromCity": "",
        "Body": message.body,
        "FromCountry": "US",
        "To": message.to,
        "ToZip": "",
        "NumSegments": str(message.segments()),
        "MessageSid": sid,
        "AccountSid": message.account.sid,
        "From": message.sender,
        "ApiVersion": API_VERSION,
    }
    for place, (url, file) in enumerate(zip(message.media, message.files, strict=True)):
        params[f"MediaUrl{place}"] = url
        params[f"MediaContentType{place}"] = file.content_type
    return params
