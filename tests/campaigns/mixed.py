"""An account in which everything has happened that a report tells apart, around a clock change.

Blasts of two people, from two numbers, with a link and without; texts that were tried again,
refused, left out, unheard of, lost; people and robots who clicked, answers, opt-outs, also of texts
that never came; single texts of every kind. Clocks in New York went back on Sunday, 1 November.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import time_machine
from allauth.account.models import EmailAddress
from django.db import connection

from accounts.models import Account, User
from campaigns import services
from campaigns.models import Blast, Campaign
from contacts.models import Contact
from messaging.activity import activity_rewrite
from messaging.choices import BatchKind, BatchState, Direction, MessageState, Outcome, Reason
from messaging.models import (
    Attempt,
    Batch,
    BatchTally,
    BatchTotals,
    CarrierAccount,
    Message,
    SenderNumber,
)
from tests.campaigns.conftest import people
from tests.campaigns.launched import launched
from tracking.choices import Verdict
from tracking.models import Click, Link

ZONE: Final = ZoneInfo("America/New_York")
# A Tuesday; 28 days before it is 14 October.
TODAY: Final = datetime(2026, 11, 10, 12, 0, tzinfo=ZONE)


def at(day: int, hour: int, minute: int = 0, *, month: int = 11, fold: int = 0) -> datetime:
    """A moment by New York's clock; `fold` 1 is the second time it shows it."""
    return datetime(2026, month, day, hour, minute, 20, tzinfo=ZONE, fold=fold).astimezone(UTC)


@dataclass(frozen=True)
class Mixed:
    """What there is. `old` went out before the last 28 days."""

    account: Account
    roses: Blast
    notice: Blast
    orphan: Blast
    old: Blast

    @property
    def blasts(self) -> list[Blast]:
        """All four."""
        return [self.roses, self.notice, self.orphan, self.old]


def mixed(account: Account, alice: User, bob: User, sender: SenderNumber) -> Mixed:
    """Everything, with kept counts made from the rows."""
    Account.objects.filter(pk=account.pk).update(timezone="America/New_York")
    account.refresh_from_db()
    EmailAddress.objects.create(user=bob, email=bob.email, verified=True, primary=True)
    second = SenderNumber.objects.create(
        account=account,
        carrier_account=sender.carrier_account,
        phone="+12025550101",
        rate_per_s=5_000,
    )
    group = people(account, "All of them", ("Ann", "Ben", "Cleo", "Dan", "Eve", "Fay", "Gus"))
    spring = services.campaign_create(account=account, actor=alice, name="Spring")
    news = services.campaign_create(account=account, actor=alice, name="News")

    def blast(campaign: Campaign, by: User, name: str, body: str, sent_at: datetime) -> Blast:
        with time_machine.travel(sent_at, tick=False):
            draft = services.blast_create(
                account=account,
                actor=by,
                campaign=campaign,
                name=name,
                body=body,
                group_ids=[group.pk],
                sender=sender if by == alice else second,
            )
            return launched(account, by, draft)

    made = Mixed(
        account,
        roses=blast(spring, alice, "Roses", _linked("roses"), at(31, 22, 30, month=10)),
        notice=blast(spring, bob, "Notice", "We open at nine, {{first_name|you}}", at(2, 10)),
        orphan=blast(news, bob, "Orphan", _linked("tulips"), at(20, 23, 50, month=10)),
        old=blast(news, alice, "Old", _linked("old"), at(1, 9, month=9)),
    )
    _roses(made.roses, second)
    _notice(made.notice)
    _orphan(made.orphan)
    _ended(made.old, at(1, 9, month=9))
    _singles(account, alice, sender)
    recount(account)
    return made


def _linked(path: str) -> str:
    return f"Hi {{{{first_name|there}}}}, see https://shop.example/{path}"


def _roses(blast: Blast, second: SenderNumber) -> None:
    """Alice's, across midnight and the clock change; half of it went from the second number."""
    ann, _ben, cleo, dan, eve, fay, gus = texts(blast)
    sent = at(31, 23, 58, month=10)
    _end(ann, "delivered", sent, at(31, 23, 59, month=10), human_click_at=at(1, 1, 30))
    _end(cleo, "delivered", sent, at(1, 0, 0), human_click_at=at(1, 1, 30, fold=1))
    _set(cleo, replied_at=at(1, 23, 59))
    _end(dan, "undelivered", sent, at(1, 0, 5), reason=Reason.LANDLINE, carrier_code="30006")
    # Eve's first try came to nothing and was followed by another; only robots hit her link.
    _end(eve, "delivered", at(1, 8), at(1, 8, 1), first_click_at=at(1, 8, 2), attempts=2)
    _set(eve, opted_out_at=at(2, 9))
    _tried_again(eve)
    refused = {"reason": Reason.INVALID_NUMBER, "carrier_code": "21211", "final_at": sent}
    _set(fay, state=MessageState.REFUSED, our_number=second.phone, **refused)
    _end(gus, "delivered", sent, at(1, 0, 10), human_click_at=at(8, 9), our_number=second.phone)
    # Gus answered, after more than 72 hours: to nothing.
    link = Link.objects.get(batch_id=blast.batch_id)
    for text, moment, verdict, times in (
        (ann, at(1, 1, 30), Verdict.HUMAN, 2),
        (ann, at(31, 23, 59, month=10), Verdict.PREVIEW, 1),
        (cleo, at(1, 1, 30, fold=1), Verdict.HUMAN, 1),
        (eve, at(1, 8, 2), Verdict.SCANNER, 3),
        (gus, at(8, 9), Verdict.HUMAN, 1),
    ):
        _hits(text, link, moment, verdict, times)
    _over(blast)


def _notice(blast: Blast) -> None:
    """Bob's, without a link, on its way: one lost, one pending, two unheard of."""
    ann, _ben, cleo, dan, eve, fay, gus = texts(blast)
    _end(ann, "delivered", at(2, 10), at(2, 10, 1), replied_at=at(2, 11))
    _set(cleo, state=MessageState.UNKNOWN)
    _set(eve, state=MessageState.ACCEPTED, accepted_at=at(2, 10), segments=1, credits=1)
    _set(fay, state=MessageState.SENT, accepted_at=at(2, 10), segments=1, credits=1)
    _end(gus, "failed", at(2, 10), at(2, 10, 3), reason=Reason.FILTERED, carrier_code="30007")
    assert dan.state == MessageState.PENDING


def _orphan(blast: Blast) -> None:
    """Bob's once, who is not there any more: launched and read at either side of midnight."""
    _ended(blast, at(20, 23, 50, month=10))
    Blast.objects.filter(pk=blast.pk).update(sent_by=None)
    Batch.objects.filter(blast=blast).update(created_by=None)
    Message.objects.filter(batch=blast.batch_id).update(created_by=None)


def _ended(blast: Blast, moment: datetime) -> None:
    """All delivered within twenty minutes; the first clicked, the last opted out."""
    ann, _ben, *others = texts(blast)
    for text in (ann, *others):
        _end(text, "delivered", moment, moment + timedelta(minutes=20))
    clicked = moment + timedelta(minutes=25)
    _set(ann, human_click_at=clicked)
    _set(others[-1], opted_out_at=moment + timedelta(days=1))
    _hits(ann, Link.objects.get(batch_id=blast.batch_id), clicked, Verdict.HUMAN, 1)
    _over(blast)


def _singles(account: Account, alice: User, sender: SenderNumber) -> None:
    """An API message, a reply of the inbox, an automatic answer, and what somebody wrote."""
    ann = Contact.objects.filter(account=account, first_name="Ann").latest("pk")
    for kind, by in ((BatchKind.API, alice), (BatchKind.REPLY, alice), (BatchKind.AUTO, None)):
        batch = Batch.objects.create(
            account=account,
            kind=kind,
            body="Thanks",
            sender=sender,
            created_by=by,
            size=1,
            state=BatchState.DONE,
            request_key=kind,
            launched_at=at(2, 15),
        )
        Message.objects.create(
            account=account,
            batch=batch,
            recipient_no=1,
            contact=ann,
            phone=ann.phone,
            our_number=sender.phone,
            created_by=by,
            body="Thanks",
            state=MessageState.DELIVERED,
            segments=1,
            credits=1,
            created_at=at(2, 15),
            accepted_at=at(2, 15),
            final_at=at(2, 15),
            replied_at=at(2, 16) if kind == BatchKind.REPLY else None,
        )
    Message.objects.create(
        account=account,
        direction=Direction.IN,
        phone=ann.phone,
        our_number=sender.phone,
        contact=ann,
        state=MessageState.RECEIVED,
        body="Lovely",
        segments=1,
        created_at=at(2, 16),
    )


def texts(blast: Blast) -> list[Message]:
    """A blast's messages, in the order of its people; the second had opted out."""
    return list(Message.objects.filter(batch=blast.batch_id).order_by("recipient_no"))


def _end(text: Message, state: str, accepted: datetime, ended: datetime, **more: Any) -> None:
    done = {"accepted_at": accepted, "final_at": ended, "segments": 2, "credits": 2}
    if "human_click_at" in more:
        more["first_click_at"] = more["human_click_at"]
    _set(text, state=state, rank=4, **done, **more)


def _set(text: Message, **values: Any) -> None:
    if "human_click_at" in values:
        values.setdefault("first_click_at", values["human_click_at"])
    Message.objects.filter(pk=text.pk).update(**values)


def _hits(text: Message, link: Link, moment: datetime, verdict: str, times: int) -> None:
    for _ in range(times):
        Click.objects.create(
            account_id=text.account_id,
            link=link,
            recipient_no=text.recipient_no or 0,
            at=moment,
            method="GET",
            ip_hash=b"x",
            verdict=verdict,
        )


def _tried_again(text: Message) -> None:
    carrier = CarrierAccount.objects.get()
    kept = {"segments": 2, "credits": 2, "retried_at": at(1, 7)}
    for n, more in ((1, kept), (2, {})):
        Attempt.objects.create(
            message=text, n=n, carrier_account=carrier, outcome=Outcome.ACCEPTED, **more
        )


def _over(blast: Blast) -> None:
    Batch.objects.filter(blast=blast).update(
        state=BatchState.DONE, finished_at=at(2, 9), reconciled_at=at(3, 9)
    )


def recount(account: Account) -> None:
    """Write every kept count of reports anew from the rows."""
    batches = list(Batch.objects.filter(account=account).values_list("pk", flat=True))
    BatchTally.objects.filter(batch__in=batches).delete()
    BatchTotals.objects.filter(batch__in=batches).delete()
    with connection.cursor() as cursor:
        for sql in _RECOUNTED:
            cursor.execute(sql, [batches])
    activity_rewrite(batches)


_RECOUNTED: Final = (
    """
    UPDATE messaging_message m SET clicks = (
        SELECT count(*) FROM tracking_click c JOIN tracking_link l ON l.id = c.link_id
        WHERE l.batch_id = m.batch_id AND c.recipient_no = m.recipient_no),
        first_click_at = (
        SELECT min(c.at) FROM tracking_click c JOIN tracking_link l ON l.id = c.link_id
        WHERE l.batch_id = m.batch_id AND c.recipient_no = m.recipient_no)
    WHERE m.batch_id = ANY(%s)
    """,
    """
    INSERT INTO messaging_batchtally (batch_id, state, reason, messages, segments, credits)
    SELECT batch_id, state, reason, count(*), sum(segments), sum(credits)
    FROM messaging_message WHERE batch_id = ANY(%s) GROUP BY 1, 2, 3
    """,
    """
    INSERT INTO messaging_batchtotals (batch_id, clicked, hit, clicks_total, clicks_human, replied,
        opted_out, retried_segments, retried_credits)
    SELECT b.id, m.clicked, m.hit, c.total, c.human, m.replied, m.opted_out, r.segments, r.credits
    FROM messaging_batch b
    CROSS JOIN LATERAL (
        SELECT count(human_click_at) AS clicked, count(first_click_at) AS hit,
            count(replied_at) AS replied, count(opted_out_at) AS opted_out
        FROM messaging_message WHERE batch_id = b.id) m
    CROSS JOIN LATERAL (
        SELECT count(*) AS total, count(*) FILTER (WHERE verdict = 'human') AS human
        FROM tracking_click c JOIN tracking_link l ON l.id = c.link_id WHERE l.batch_id = b.id) c
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(a.segments), 0) AS segments, coalesce(sum(a.credits), 0) AS credits
        FROM messaging_attempt a JOIN messaging_message m ON m.id = a.message_id
        WHERE m.batch_id = b.id AND a.retried_at IS NOT NULL) r
    WHERE b.id = ANY(%s)
    """,
    """
    UPDATE tracking_link l SET clicks_total = c.total, clicks_human = c.human,
        recipients_clicked = c.recipients, recipients_human = c.people
    FROM (
        SELECT link_id, count(*) AS total, count(*) FILTER (WHERE verdict = 'human') AS human,
            count(DISTINCT recipient_no) AS recipients,
            count(DISTINCT recipient_no) FILTER (WHERE verdict = 'human') AS people
        FROM tracking_click GROUP BY 1) c
    WHERE c.link_id = l.id AND l.batch_id = ANY(%s)
    """,
)
