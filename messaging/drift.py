"""Where our opt-outs and the carrier's may differ, from what the carrier has told us.

Owns the comparison of one account. Twilio gives no list of whom it blocks outside the consent tools
of Messaging Services, so nothing is asked of it: it blocks after one of its STOP words, and after
nothing else; it says so by refusing a text (21610); and it lifts the block for its START words, and
for nothing else; on short codes it blocks nobody. Each of these stands in our consent events.
Reads only; what is kept of it is `messaging.services.drift`'s.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Account
from common.sql import unguessed
from contacts.choices import ConsentKind, ConsentSource
from contacts.models import ConsentEvent, OptOut
from messaging.choices import Direction
from messaging.keywords import START_WORDS, STOP_WORDS, classify
from messaging.models import Message
from messaging.sender_kinds import FACTS, kind_of

_TOLD: Final = (ConsentSource.KEYWORD, ConsentSource.CARRIER)
_PIECE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Blocked:
    """A phone that is not on our list, and which the carrier is likely to block still.

    Attributes:
        phone: E.164.
        blocked_at: The STOP, or the refusal that told of one.
        came_back: The words of the opt-in that followed, none of the carrier's START words.
    """

    phone: str
    blocked_at: datetime
    came_back: str


@dataclass(frozen=True, slots=True)
class Drift:
    """The comparison of an account.

    Attributes:
        blocked: Ours in, the carrier's out: the next text is refused, and they are out again.
        only_ours: Ours out, of which the carrier knows nothing: our list alone keeps texts from
            them. No mistake; the reason never to text them from elsewhere.
        agreed: Out on both sides.
    """

    blocked: list[Blocked]
    only_ours: int
    agreed: int


def drift(account: Account) -> Drift:
    """Compare an account's opt-outs with the carrier's. A scan of its consent events."""
    agreed = sum(blocked_at is not None for _, blocked_at in standing(account))
    total = OptOut.objects.filter(account=account).count()
    return Drift(blocked=list(blocked_there(account)), only_ours=total - agreed, agreed=agreed)


def blocked_there(account: Account, *, phone: str = "") -> Iterator[Blocked]:
    """Phones that are not opted out here, whose carrier's block nothing has lifted; by phone.

    Args:
        account: Whose.
        phone: Only this one.
    """
    out = OptOut.objects.filter(account=unguessed(account.pk), phone=OuterRef("phone"))
    left = _told(account).filter(~Exists(out))
    if phone:
        left = left.filter(phone=phone)
    for history in _histories(
        account, left.order_by("phone").values_list("phone", flat=True).distinct()
    ):
        blocked_at = history.blocked_at()
        if blocked_at is not None:
            yield Blocked(history.phone, blocked_at, history.came_back(blocked_at))


def standing(account: Account) -> Iterator[tuple[str, datetime | None]]:
    """Phones that are opted out here and of which the carrier has told, and since when it blocks.

    None where it does not: the word was none of its own, or a short code got it.
    """
    told = _told(account).filter(phone=OuterRef("phone"))
    phones = OptOut.objects.filter(Exists(told), account=unguessed(account.pk))
    for history in _histories(account, phones.order_by("phone").values_list("phone", flat=True)):
        yield history.phone, history.blocked_at()


def _told(account: Account) -> QuerySet[ConsentEvent]:
    return ConsentEvent.objects.filter(account=account, kind=ConsentKind.OUT, source__in=_TOLD)


@dataclass(frozen=True, slots=True)
class _History:
    """Consent events of a phone in the order in which people acted.

    Attributes:
        texts: Body and our number of the texts behind them, by id: a YES to a question is a START
            too.
    """

    phone: str
    events: list[ConsentEvent]
    texts: dict[int, tuple[str, str]]

    def blocked_at(self) -> datetime | None:
        """Since when the carrier blocks the phone, or None where it does not."""
        blocked_at: datetime | None = None
        for event in self.events:
            said, our_number = self.texts.get(event.message_id or 0, ("", ""))
            if event.kind == ConsentKind.IN:
                if any(classify(text).matched in START_WORDS for text in (event.wording, said)):
                    blocked_at = None
            elif event.kind == ConsentKind.OUT and (
                event.source == ConsentSource.CARRIER
                or (
                    event.source == ConsentSource.KEYWORD
                    and classify(event.wording).matched in STOP_WORDS
                    and FACTS[kind_of(our_number)].blocks_after_stop
                )
            ):
                blocked_at = event.at
        return blocked_at

    def came_back(self, blocked_at: datetime) -> str:
        """The words of the newest opt-in since then; "" without one."""
        after = [e for e in self.events if e.kind == ConsentKind.IN and e.at > blocked_at]
        return after[-1].wording if after else ""


def _histories(account: Account, phones: QuerySet[Any, str]) -> Iterator[_History]:
    """The history of each phone. Two queries for a thousand of them."""
    piece: list[str] = []
    for phone in phones.iterator(chunk_size=_PIECE):
        piece.append(phone)
        if len(piece) == _PIECE:
            yield from _read(account, piece)
            piece = []
    yield from _read(account, piece)


def _read(account: Account, phones: Sequence[str]) -> Iterable[_History]:
    by_phone: dict[str, list[ConsentEvent]] = defaultdict(list)
    told = ConsentEvent.objects.filter(account=unguessed(account.pk), phone__in=phones)
    events = told.order_by("at", "id")
    for event in events:
        by_phone[event.phone].append(event)
    ids = [event.message_id for found in by_phone.values() for event in found if event.message_id]
    rows = Message.objects.filter(pk__in=ids, direction=Direction.IN)
    texts = {pk: (body, ours) for pk, body, ours in rows.values_list("pk", "body", "our_number")}
    return [_History(phone, by_phone[phone], texts) for phone in phones]
