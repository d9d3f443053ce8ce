"""Fills the demo account: people by import, blasts by schedule, replies by the inbox.

Owns the order of things and the waiting. Resumes where it was cut off: what is there already is
left alone. Beat launches the blasts, workers send them, carriersim's phones react.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Q

from accounts.choices import AccountStatus, CreditKind
from accounts.models import Account, AuditEvent, CreditEntry, Membership, Package, User
from accounts.services import account_open, account_update, credits_grant, user_create
from campaigns.choices import BlastState
from campaigns.models import Blast, Campaign
from campaigns.services import blast_create, blast_schedule, campaign_create, text_save
from carriersim.client import Client
from common.clock import now
from contacts.choices import ImportStatus
from contacts.models import ConsentEvent, Contact, ContactImport, Group, OptOut
from contacts.services import import_create, import_start
from inbox.choices import ConversationStatus
from inbox.models import Conversation
from inbox.services import conversation_reply, note_add
from messaging.choices import BatchKind, BatchState, Direction
from messaging.models import Batch, CarrierEventQueue, Message, SenderNumber
from messaging.reconcile import batch_reconcile
from messaging.services import media_upload
from smsplatform.demo import people, shop
from smsplatform.demo.backdate import batch_backdate
from smsplatform.demo.drawing import bunch
from tracking.choices import Verdict
from tracking.models import Click

CUSTOMERS = 4_800
FILL_RATE_PER_S = 2_000.0
SHOP_RATE_PER_S = 100.0
HISTORY_SPEED = 15
_WAIT_S = 300.0
_LOOK_EVERY_S = 0.3

Say = Callable[[str], None]


class DemoStuck(Exception):
    """Something that the running processes should have done did not happen in time."""


def demo_fill(
    *,
    email: str,
    password: str,
    say: Say,
    customers: int = CUSTOMERS,
    history: Sequence[shop.PlannedBlast] = shop.HISTORY,
) -> Account:
    """Make the demo account, or finish one that was cut off.

    Args:
        email: The owner's log-in.
        password: Of the owner; colleagues cannot log in.
        say: Told in a sentence what is going on.
        customers: Size of the shop's list.
        history: The blasts, oldest first.

    Raises:
        DemoStuck: no worker, beat, edge or carriersim is at work.
    """
    account, team = _account(email, password)
    phones = Client(settings.TWILIO_API_BASE_URL)
    _people(account, team[0], customers, say)
    unfinished = [plan for plan in history if not _is_told(account, plan)]
    if unfinished:
        _rate(account, FILL_RATE_PER_S)
        for plan in unfinished:
            say(f"Sending “{plan.name}” of {plan.days_ago} days ago ...")
            _history(account, team, plan, phones)
        _answers(account, team)
        _ahead(account, team[0])
        _rate(account, SHOP_RATE_PER_S)
    _phones_as_in_life(phones)
    return account


def _account(email: str, password: str) -> tuple[Account, list[User]]:
    owner = User.objects.filter(email=email).first()
    if owner is None:
        owner = user_create(
            email=email, password=password, name=shop.OWNER_NAME, email_verified=True
        )
    membership = Membership.objects.filter(user=owner).select_related("account").first()
    account = membership.account if membership else _account_new(owner)
    team = [owner]
    for address, name, role in shop.COLLEAGUES:
        colleague = User.objects.filter(email=address).first()
        if colleague is None:
            colleague = user_create(email=address, password=None, name=name, email_verified=True)
        Membership.objects.get_or_create(account=account, user=colleague, defaults={"role": role})
        team.append(colleague)
    return account, team


def _packages() -> None:
    """What staff would offer; a page without packages teaches nothing."""
    for name, credits, price_cents in shop.PACKAGES:
        Package.objects.get_or_create(
            name=name, defaults={"credits": credits, "price_cents": price_cents}
        )


def _account_new(owner: User) -> Account:
    _packages()
    account = account_open(name=shop.ACCOUNT_NAME, owner=owner, status=AccountStatus.ACTIVE)
    credits_grant(
        account=account,
        credits=shop.CREDITS,
        kind=CreditKind.GRANT,
        key="demo",
        actor=None,
        note="To try everything",
    )
    # carriersim's phones do not sleep: a visitor at night wants to see the blast go out.
    account_update(
        account=account,
        actor=owner,
        brand=shop.BRAND,
        help_text=shop.HELP_TEXT,
        quiet_start="00:00",
        quiet_end="00:00",
    )
    began = now() - timedelta(days=30)
    CreditEntry.objects.filter(account=account).update(created_at=began)
    AuditEvent.objects.filter(account=account).update(at=began)
    Account.objects.filter(pk=account.pk).update(created_at=began)
    account.refresh_from_db()
    return account


def _rate(account: Account, per_s: float) -> None:
    SenderNumber.objects.filter(account=account).update(rate_per_s=per_s)


def _people(account: Account, owner: User, customers: int, say: Say) -> None:
    everybody = people.customers(customers)
    files = (
        ("newsletter.csv", everybody, "Newsletter"),
        ("regulars.csv", people.regulars(everybody), "Regulars"),
        ("wedding-fair.csv", people.wedding_enquiries(everybody), "Wedding enquiries"),
    )
    for filename, content, group in files:
        if ContactImport.objects.filter(account=account, filename=filename).exists():
            continue
        say(f"Importing {filename} ...")
        upload = SimpleUploadedFile(filename, content, content_type="text/csv")
        made = import_create(account=account, actor=owner, upload=upload)
        import_start(
            account=account,
            actor=owner,
            import_id=made.pk,
            mapping=made.mapping,
            group_name=group,
            consent_wording="Ticked “text me offers” at the till.",
        )
        _until(partial(_is_imported, made), f"{filename} to be imported")
    _people_backdate(account, [filename for filename, _, _ in files])


def _people_backdate(account: Account, filenames: Sequence[str]) -> None:
    """Move what these files brought back by 29 days, once; what the visitor brings is let be."""
    began = now() - timedelta(days=29)
    recent = now() - timedelta(days=1)
    imports = ContactImport.objects.filter(
        account=account, filename__in=filenames, created_at__gt=recent
    )
    events = ConsentEvent.objects.filter(account=account, import_id__in=imports.values("pk"))
    Contact.objects.filter(
        account=account, created_at__gt=recent, phone__in=events.values("phone")
    ).update(created_at=began, updated_at=began, consent_at=began)
    Group.objects.filter(
        account=account, created_at__gt=recent, pk__in=imports.values("group_id")
    ).update(created_at=began)
    events.update(at=began)
    # Last: a fill that is cut off before this line finds its imports again.
    imports.update(created_at=began, finished_at=began + timedelta(seconds=4))


def _is_imported(made: ContactImport) -> bool:
    made.refresh_from_db()
    if made.status == ImportStatus.FAILED:
        raise DemoStuck(f"{made.filename} could not be imported: {made.error}")
    return made.status == ImportStatus.DONE


def _is_told(account: Account, plan: shop.PlannedBlast) -> bool:
    """Whether a planned blast was sent and moved back already."""
    return Blast.objects.filter(
        account=account, name=plan.name, batch__launched_at__lt=now() - timedelta(days=1)
    ).exists()


def _history(account: Account, team: list[User], plan: shop.PlannedBlast, phones: Client) -> None:
    phones.set(
        speed=HISTORY_SPEED,
        link_prefixes=[f"{settings.LINK_URL}/"],
        # Beyond the two seconds within which a tap counts as a robot's, at this speed too.
        delays={"click": [3 * HISTORY_SPEED, 10 * HISTORY_SPEED], "reply": [30, 150]},
        profile={
            "outcomes": shop.OUTCOMES,
            "refusals": shop.REFUSALS,
            "click_share": plan.click_share,
            "preview_share": shop.PREVIEW_SHARE,
            "reply_share": plan.reply_share,
            "replies": shop.REPLIES,
        },
    )
    author = team[plan.by]
    blast = Blast.objects.filter(account=account, name=plan.name).first() or blast_create(
        account=account,
        actor=author,
        campaign=_campaign(account, author, plan.campaign),
        name=plan.name,
        body=plan.body,
        group_ids=[Group.objects.get(account=account, name=plan.group).pk],
        media_ids=_pictures(account, author, plan.has_picture),
    )
    if blast.state == BlastState.DRAFT:
        blast_schedule(account=account, actor=author, blast=blast, at=now())
    _until(lambda: _is_done(blast), f"“{plan.name}” to be sent")
    _quiet(phones)
    blast.refresh_from_db()
    batch = blast.batch
    assert batch is not None
    launched_at = batch.launched_at
    told = _told(account, plan)
    # What it cost at the carrier, and that its records agree.
    batch_reconcile(batch=batch)
    batch_backdate(batch=batch, told=told)
    AuditEvent.objects.filter(account=account, subject=blast.name).update(at=told)
    _confirmations_backdate(account, launched_at)


def _pictures(account: Account, author: User, has_picture: bool) -> list[int]:
    return [media_upload(account=account, actor=author, data=bunch()).pk] if has_picture else []


def _campaign(account: Account, author: User, name: str) -> Campaign:
    found = Campaign.objects.filter(account=account, name=name).first()
    if found is None:
        found = campaign_create(account=account, actor=author, name=name)
        began = now() - timedelta(days=28)
        Campaign.objects.filter(pk=found.pk).update(created_at=began)
        AuditEvent.objects.filter(account=account, subject=name).update(at=began)
    return found


def _is_done(blast: Blast) -> bool:
    blast.refresh_from_db()
    if blast.state == BlastState.FAILED:
        raise DemoStuck(f"“{blast.name}” could not be sent: {blast.state_reason}")
    return blast.batch is not None and blast.batch.state == BatchState.DONE


def _quiet(phones: Client) -> None:
    """Wait until every callback, reply and click has come in and was applied."""
    _until(lambda: bool(phones.stats()["idle"]), "the phones to react")
    _until(
        lambda: (
            not CarrierEventQueue.objects.exists()
            and not Click.objects.filter(verdict=Verdict.PENDING).exists()
            and not Batch.objects.filter(kind=BatchKind.AUTO, state=BatchState.RUNNING).exists()
        ),
        "callbacks, replies and clicks to be counted",
    )
    _until(lambda: bool(phones.stats()["idle"]), "the last receipts")
    _until(lambda: not CarrierEventQueue.objects.exists(), "the last receipts to be counted")


def _told(account: Account, plan: shop.PlannedBlast) -> datetime:
    local = now().astimezone(ZoneInfo(account.timezone))
    day = local.date() - timedelta(days=plan.days_ago)
    return datetime(day.year, day.month, day.day, plan.hour, tzinfo=local.tzinfo)


def _confirmations_backdate(account: Account, since: datetime) -> None:
    """Automatic answers follow the opt-out (or question) that asked for them by seconds."""
    autos = Batch.objects.filter(account=account, kind=BatchKind.AUTO, launched_at__gte=since)
    for auto in autos:
        message = Message.objects.get(batch=auto)
        opt_out = OptOut.objects.filter(account=account, phone=message.phone).first()
        if opt_out is not None:
            batch_backdate(batch=auto, told=opt_out.at + timedelta(seconds=2))


def _answers(account: Account, team: list[User]) -> None:
    """Colleagues answered or closed what was said; the newest few threads wait for somebody."""
    threads = list(Conversation.objects.filter(account=account).order_by("-last_message_at"))
    waiting = [thread for thread in threads if not _has_left(thread)][: shop.WAITING]
    old = Conversation.objects.filter(account=account).exclude(
        pk__in=[thread.pk for thread in waiting]
    )
    answered: list[Conversation] = []
    # The oldest first: the message log lists by the order in which texts were stored.
    for thread in reversed(old.order_by("-last_message_at")[: shop.LOOKED_AFTER]):
        answer = next(
            (words for mark, words in shop.ANSWERS if mark in thread.snippet.lower()), None
        )
        if answer is None or _has_left(thread):
            continue
        conversation_reply(
            account=account,
            actor=team[1 + len(answered) % 2],
            conversation=thread,
            body=answer,
            request_key="demo",
        )
        answered.append(thread)
    still_open = [thread.pk for thread in answered[:: shop.OPEN_EACH]]
    old.update(unread=0)
    old.exclude(pk__in=still_open).update(status=ConversationStatus.CLOSED)
    if answered:
        note_add(account=account, actor=team[2], conversation=answered[-1], text=shop.NOTE)
    replies = Batch.objects.filter(account=account, kind=BatchKind.REPLY)
    _until(lambda: not replies.filter(~Q(state=BatchState.DONE)).exists(), "the replies to be sent")
    _until(lambda: not CarrierEventQueue.objects.exists(), "the replies' receipts")
    for number, batch in enumerate(replies):
        reply = Message.objects.get(batch=batch)
        heard = (
            Message.objects.filter(
                account=account, phone=reply.phone, direction=Direction.IN, created_at__lt=now()
            )
            .order_by("-created_at")
            .first()
        )
        if heard is not None:
            wait = timedelta(minutes=4 + number * 7 % 50)
            batch_backdate(batch=batch, told=min(heard.created_at + wait, now()))


def _has_left(thread: Conversation) -> bool:
    return OptOut.objects.filter(account_id=thread.account_id, phone=thread.phone).exists()


def _ahead(account: Account, owner: User) -> None:
    """Saved texts, a draft, and what is planned for the days to come."""
    campaign_name, name, body, group = shop.DRAFT
    campaign = _campaign(account, owner, campaign_name)
    group_ids = [Group.objects.get(account=account, name=group).pk]
    if Blast.objects.filter(account=account, campaign=campaign).exists():
        return
    for kind, folder, saved, words, has_picture in shop.SAVED_TEXTS:
        text_save(
            account=account,
            actor=owner,
            kind=kind,
            folder=folder,
            name=saved,
            body=words,
            media_ids=_pictures(account, owner, has_picture),
        )
    planned = blast_create(
        account=account, actor=owner, campaign=campaign, name=name, body=body, group_ids=group_ids
    )
    local = now().astimezone(ZoneInfo(account.timezone)) + timedelta(days=3)
    at = local.replace(hour=10, minute=0, second=0, microsecond=0)
    blast_schedule(account=account, actor=owner, blast=planned, at=at)
    blast_create(
        account=account,
        actor=owner,
        campaign=campaign,
        name="Gift cards",
        body="Hi {{first_name|there}}, gift cards are back: ",
        group_ids=group_ids,
    )


def _phones_as_in_life(phones: Client) -> None:
    """From now on the phones react within a minute or two, so that a visitor sees it happen."""
    phones.set(
        speed=1.0,
        link_prefixes=[f"{settings.LINK_URL}/"],
        delays={"click": [5, 90], "reply": [8, 90]},
        profile={
            "outcomes": shop.OUTCOMES,
            "refusals": shop.REFUSALS,
            "click_share": 0.14,
            "preview_share": shop.PREVIEW_SHARE,
            "reply_share": 0.04,
            "replies": shop.REPLIES,
        },
    )


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise DemoStuck(f"Waited {_WAIT_S:.0f} s for {what}; are worker, beat and edge up?")
        time.sleep(_LOOK_EVERY_S)
