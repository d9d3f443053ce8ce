"""Where our opt-outs and the carrier's may differ, from what the carrier has told us.

Owns the comparison of one account. Twilio gives no list of whom it blocks outside the consent tools
of Messaging Services, so nothing is asked of it: it blocks after one of its STOP words, and after
nothing else; it says so by refusing a text (21610); and it lifts the block for its START words, and
for nothing else; on short codes it blocks nobody. Each of these stands in our consent events.
Reads only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Exists, OuterRef

from accounts.models import Account
from contacts.choices import ConsentKind, ConsentSource
from contacts.models import ConsentEvent, OptOut
from messaging.choices import Direction
from messaging.keywords import START_WORDS, STOP_WORDS, classify
from messaging.models import Message
from messaging.sender_kinds import FACTS, kind_of

_TOLD: Final = (ConsentSource.KEYWORD, ConsentSource.CARRIER)


@dataclass(frozen=True, slots=True)
class Blocked:
    """A phone that is on our list, and which the carrier is likely to block still.

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
    standing = OptOut.objects.filter(account=account)
    total = standing.count()
    left = ConsentEvent.objects.filter(
        account=account, kind=ConsentKind.OUT, source__in=_TOLD, phone=OuterRef("phone")
    )
    told = standing.filter(Exists(left)).values_list("phone", flat=True)
    agreed = sum(1 for phone in told if _blocked_at(_history(account, phone)) is not None)
    return Drift(blocked=list(_blocked(account)), only_ours=total - agreed, agreed=agreed)


def _blocked(account: Account) -> Iterable[Blocked]:
    """Phones that are not opted out here, whose carrier's block nothing has lifted; by phone."""
    out = OptOut.objects.filter(account=account, phone=OuterRef("phone"))
    left = ConsentEvent.objects.filter(
        ~Exists(out), account=account, kind=ConsentKind.OUT, source__in=_TOLD
    )
    for phone in left.order_by("phone").values_list("phone", flat=True).distinct():
        history = _history(account, phone)
        blocked_at = _blocked_at(history)
        if blocked_at is None:
            continue
        after = [e for e in history if e.kind == ConsentKind.IN and e.at > blocked_at]
        yield Blocked(phone, blocked_at, after[-1].wording if after else "")


def _history(account: Account, phone: str) -> list[ConsentEvent]:
    """Consent events of a phone in the order in which people acted."""
    events = ConsentEvent.objects.filter(account=account, phone=phone)
    return list(events.order_by("at", "id"))


def _blocked_at(history: list[ConsentEvent]) -> datetime | None:
    """Since when the carrier blocks the phone, or None where it does not."""
    blocked_at: datetime | None = None
    texts = _texts(history)
    for event in history:
        said, our_number = texts.get(event.message_id or 0, ("", ""))
        if event.kind == ConsentKind.IN:
            if any(classify(text).matched in START_WORDS for text in (event.wording, said)):
                blocked_at = None
        elif event.source == ConsentSource.CARRIER or (
            event.source == ConsentSource.KEYWORD
            and classify(event.wording).matched in STOP_WORDS
            and FACTS[kind_of(our_number)].blocks_after_stop
        ):
            blocked_at = event.at
    return blocked_at


def _texts(history: list[ConsentEvent]) -> dict[int, tuple[str, str]]:
    """Body and our number of the texts behind the events: a YES to a question is a START too."""
    ids = [event.message_id for event in history if event.message_id]
    if not ids:
        return {}
    rows = Message.objects.filter(pk__in=ids, direction=Direction.IN)
    return {pk: (body, ours) for pk, body, ours in rows.values_list("pk", "body", "our_number")}
