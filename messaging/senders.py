"""Sender numbers and carrier accounts: getting, naming, choosing and giving them up.

Owns the writes of `SenderNumber` and `CarrierAccount`. Sending through them is the send engine's,
their webhooks' translation the gateways'. An account either texts through the platform's carrier
account (numbers are assigned: made up where the carrier is carriersim, by staff where it is real)
or through a carrier account of its own (it enters the numbers it holds there).

The address of a carrier's API is never entered by an account: our servers would call whatever
stood there.
"""

import logging
import secrets as random
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.crypto import decrypt, encrypt
from common.errors import Conflict, Invalid, NotFound
from messaging.choices import BatchState, GatewayName, SenderKind
from messaging.hints import hint_send
from messaging.models import Batch, CarrierAccount, SenderNumber
from messaging.sender_kinds import FACTS, kind_of, kind_refused, pictures_usual
from messaging.sending.lanes import look_again
from messaging.simulated import number_register

log = logging.getLogger(__name__)

SIMULATED_RATE_PER_S = 100.0
SIMULATED_LIST_DELAY_S = 2.0
ASSIGNED_AT_MOST = 5
_BOOTSTRAP_LOCK = 0x5E4DE2
# Twilio retries a webhook once, and only after a failed connection, unless its URL says otherwise;
# the signature leaves the fragment out.
RETRY_FRAGMENT = "#rc=5&rp=5xx,ct,rt"
_TWILIO_HOSTS = ("twilio.com",)


def address_is_simulated(api_base_url: str) -> bool:
    """Whether an API address is a stand-in and not Twilio's own."""
    host = urlsplit(api_base_url).hostname or ""
    return not any(host == real or host.endswith("." + real) for real in _TWILIO_HOSTS)


def webhook_url(carrier_account: CarrierAccount, kind: str) -> str:
    """What to paste at the carrier.

    Args:
        carrier_account: Whose webhooks; the id in the path picks the secret they are checked with.
        kind: ``inbound`` or ``clicks``.
    """
    return f"{settings.EDGE_URL}/webhooks/twilio/{carrier_account.pk}/{kind}{RETRY_FRAGMENT}"


# Carrier accounts


@transaction.atomic
def carrieraccount_platform() -> CarrierAccount | None:
    """The platform's own carrier account, made or brought up to date from TWILIO_*.

    Returns:
        None where TWILIO_ACCOUNT_SID is not set: every account then brings its own.

    Locks: an advisory lock, so that two first sign-ups at once make one row.
    """
    if not settings.TWILIO_ACCOUNT_SID:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_BOOTSTRAP_LOCK])
    simulated = address_is_simulated(settings.TWILIO_API_BASE_URL)
    row = CarrierAccount.objects.filter(
        account__isnull=True, external_id=settings.TWILIO_ACCOUNT_SID
    ).first()
    wanted = {
        "api_base_url": settings.TWILIO_API_BASE_URL,
        "is_simulated": simulated,
        "list_delay_s": SIMULATED_LIST_DELAY_S if simulated else settings.CARRIER_LIST_DELAY_S,
    }
    if row is None:
        return CarrierAccount.objects.create(
            gateway=GatewayName.TWILIO,
            name="Practice carrier" if simulated else "Platform",
            external_id=settings.TWILIO_ACCOUNT_SID,
            secret_encrypted=encrypt(settings.TWILIO_AUTH_TOKEN),
            **wanted,
        )
    changed = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    if decrypt(row.secret_encrypted) != settings.TWILIO_AUTH_TOKEN:
        changed["previous_secret_encrypted"] = bytes(row.secret_encrypted)
        changed["secret_encrypted"] = encrypt(settings.TWILIO_AUTH_TOKEN)
    if changed:
        for name, value in changed.items():
            setattr(row, name, value)
        row.save(update_fields=list(changed))
    return row


@transaction.atomic
def carrieraccount_create(
    *, account: Account, actor: User, name: str, external_id: str, secret: str
) -> CarrierAccount:
    """Keep an account's own log-in at Twilio; the token is encrypted and never shown again.

    Raises:
        Conflict: the account has this AccountSid already.
    """
    if CarrierAccount.objects.filter(account=account, external_id=external_id).exists():
        raise Conflict("This carrier account is here already. Change its token below.")
    row = CarrierAccount.objects.create(
        account=account,
        gateway=GatewayName.TWILIO,
        name=name.strip()[:80],
        external_id=external_id,
        secret_encrypted=encrypt(secret),
        api_base_url=settings.TWILIO_API_BASE_URL,
        is_simulated=address_is_simulated(settings.TWILIO_API_BASE_URL),
        list_delay_s=settings.CARRIER_LIST_DELAY_S,
    )
    audit_record(
        account=account,
        actor=actor,
        action="carrier.added",
        subject=row.name,
        data={"external_id": external_id},
    )
    return row


@transaction.atomic
def carrieraccount_update(
    *, account: Account, actor: User, carrier_account_id: int, name: str, secret: str = ""
) -> CarrierAccount:
    """Rename an account's own carrier account, or give it a new token.

    The token before is still accepted in signatures of webhooks, because the carrier goes over to
    the new one at a moment of its own.

    Raises:
        NotFound: it is not the account's own.
    """
    row = (
        CarrierAccount.objects.select_for_update()
        .filter(account=account, pk=carrier_account_id)
        .first()
    )
    if row is None:
        raise NotFound()
    row.name = name.strip()[:80]
    if secret:
        row.previous_secret_encrypted = bytes(row.secret_encrypted)
        row.secret_encrypted = encrypt(secret)
    row.save(update_fields=["name", "secret_encrypted", "previous_secret_encrypted"])
    audit_record(
        account=account,
        actor=actor,
        action="carrier.changed",
        subject=row.name,
        data={"token_changed": bool(secret)},
    )
    return row


def carrieraccounts_list(account: Account) -> QuerySet[CarrierAccount]:
    """The account's own carrier accounts, oldest first. The platform's is not among them."""
    return CarrierAccount.objects.filter(account=account).order_by("id")


# Sender numbers


def senders_list(account: Account) -> QuerySet[SenderNumber]:
    """Numbers the account texts from, the default first, with their carrier accounts."""
    return (
        SenderNumber.objects.filter(account=account, released_at__isnull=True)
        .select_related("carrier_account")
        .order_by("-is_default", "id")
    )


def practice_is_possible() -> bool:
    """Whether the platform's carrier is carriersim, where numbers are made up."""
    return bool(settings.TWILIO_ACCOUNT_SID) and address_is_simulated(settings.TWILIO_API_BASE_URL)


def practice_phones_url() -> str:
    """The page of carriersim's phones, on which its texts are read and answered."""
    return f"{settings.TWILIO_API_BASE_URL}/sim/phones"


@transaction.atomic
def sender_assign(*, account: Account, actor: User | None = None) -> SenderNumber | None:
    """Give an account a number on the platform's carrier, if that is carriersim.

    Returns:
        The number (a made-up one that no phone can have), or None where the platform's carrier is
        real: staff assign those.

    Raises:
        Conflict: the account holds ASSIGNED_AT_MOST of them.

    Side effects:
        After commit, carriersim is told where texts to the number go.
    """
    carrier = carrieraccount_platform()
    if carrier is None or not carrier.is_simulated:
        return None
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    held = senders_list(account)
    if held.filter(carrier_account=carrier).count() >= ASSIGNED_AT_MOST:
        raise Conflict(f"An account can have {ASSIGNED_AT_MOST} practice numbers.")
    for _ in range(20):
        sender = _sender_store(
            account=account,
            actor=actor,
            carrier_account=carrier,
            # 555 is no area code, and 2 to 9 begin an exchange: it looks real and rings nowhere.
            phone=f"+1555{random.randbelow(8_000_000) + 2_000_000}",
            label="Practice number",
            rate_per_s=SIMULATED_RATE_PER_S,
        )
        if sender:
            return sender
    raise Conflict("No free practice number was found. Try again.")


@transaction.atomic
def sender_create(
    *,
    account: Account,
    actor: User | None,
    carrier_account: CarrierAccount,
    phone: str,
    label: str = "",
    kind: str | None = None,
    rate_per_s: float | None = None,
    daily_cap: int | None = None,
) -> SenderNumber:
    """Enter a number held at a carrier account. Whether it is held there, the carrier will tell.

    Args:
        account: The tenant.
        actor: Who enters it.
        carrier_account: The account's own; the platform's only when staff call this.
        phone: E.164, or the digits of a short code.
        label: What people call it.
        kind: A `SenderKind`; None reads it from the number.
        rate_per_s: Segments a second its carrier allows; None for what is usual for the kind.
        daily_cap: Segments a day, or None.

    Raises:
        Conflict: the number is in use at this carrier account.
        Invalid: the number cannot be of this kind.
    """
    kind = kind or kind_of(phone)
    refused = kind_refused(kind, phone)
    if refused:
        raise Invalid(fields={"kind": refused})
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    sender = _sender_store(
        account=account,
        actor=actor,
        carrier_account=carrier_account,
        phone=phone,
        label=label,
        kind=kind,
        rate_per_s=rate_per_s or FACTS[kind].rate_per_s,
        daily_cap=daily_cap,
    )
    if sender is None:
        raise Conflict("This number is in use already.", fields={"phone": "In use already."})
    return sender


def _sender_store(
    *,
    account: Account,
    actor: User | None,
    carrier_account: CarrierAccount,
    phone: str,
    label: str,
    rate_per_s: float,
    kind: str = SenderKind.LOCAL,
    daily_cap: int | None = None,
) -> SenderNumber | None:
    """Insert the number, as the default if it is the first; None if it is taken."""
    try:
        with transaction.atomic():
            sender = SenderNumber.objects.create(
                account=account,
                carrier_account=carrier_account,
                phone=phone,
                label=label.strip()[:60],
                kind=kind,
                rate_per_s=rate_per_s,
                daily_cap=daily_cap,
                can_mms=pictures_usual(phone),
                is_default=not senders_list(account).exists(),
            )
    except IntegrityError:
        return None
    audit_record(account=account, actor=actor, action="sender.added", subject=phone)
    if carrier_account.is_simulated:
        inbound_url = webhook_url(carrier_account, "inbound")
        transaction.on_commit(lambda: number_register(sender, inbound_url))
    return sender


def simulated_register_all() -> int:
    """Tell carriersim of every number in use; stops at the first that it does not answer.

    Returns:
        How many it was told of.
    """
    told = 0
    numbers = SenderNumber.objects.filter(
        carrier_account__is_simulated=True, released_at__isnull=True
    ).select_related("carrier_account")
    for sender in numbers.order_by("id"):
        if not number_register(sender, webhook_url(sender.carrier_account, "inbound")):
            break
        told += 1
    return told


def _sender_locked(account: Account, sender_id: int) -> SenderNumber:
    sender = (
        SenderNumber.objects.select_for_update(of=("self",))
        .select_related("carrier_account")
        .filter(account=account, pk=sender_id, released_at__isnull=True)
        .first()
    )
    if sender is None:
        raise NotFound()
    return sender


@transaction.atomic
def sender_update(
    *,
    account: Account,
    actor: User,
    sender_id: int,
    label: str,
    rate_per_s: float,
    daily_cap: int | None,
    kind: str | None = None,
    can_mms: bool | None = None,
) -> SenderNumber:
    """Change what a number is called, what kind it is, how fast and how much it may send, and what.

    A number that had to wait, for its rate or until tomorrow for its cap, is looked at again at
    once.

    Raises:
        NotFound: the account has no such number.
        Invalid: the rate is not above 0 and at most 1,000 segments a second, or the number cannot
            be of this kind.

    Locks: the number, then its lane.
    Side effects: after commit, a hint to the send queue.
    """
    if not 0 < rate_per_s <= 1000:
        raise Invalid(fields={"rate_per_s": "More than 0 and at most 1,000 segments a second."})
    sender = _sender_locked(account, sender_id)
    kind = kind or sender.kind
    refused = kind_refused(kind, sender.phone) if kind != sender.kind else ""
    if refused:
        raise Invalid(fields={"kind": refused})
    sender.label, sender.rate_per_s, sender.daily_cap = label.strip()[:60], rate_per_s, daily_cap
    sender.kind = SenderKind(kind)
    sender.can_mms = sender.can_mms if can_mms is None else can_mms
    sender.save(update_fields=["label", "kind", "rate_per_s", "daily_cap", "can_mms"])
    look_again([sender.pk])
    hint_send()
    audit_record(
        account=account,
        actor=actor,
        action="sender.changed",
        subject=sender.phone,
        data={
            "label": sender.label,
            "kind": kind,
            "rate_per_s": rate_per_s,
            "daily_cap": daily_cap,
            "can_mms": sender.can_mms,
        },
    )
    return sender


@transaction.atomic
def sender_default_set(*, account: Account, actor: User, sender_id: int) -> SenderNumber:
    """Choose the number that is used where nobody chooses.

    Raises:
        NotFound: the account has no such number.
    """
    sender = _sender_locked(account, sender_id)
    SenderNumber.objects.filter(account=account, is_default=True).exclude(pk=sender.pk).update(
        is_default=False
    )
    sender.is_default = True
    sender.save(update_fields=["is_default"])
    audit_record(account=account, actor=actor, action="sender.default", subject=sender.phone)
    return sender


@transaction.atomic
def sender_release(*, account: Account, actor: User, sender_id: int) -> SenderNumber:
    """Stop using a number. What was sent from it stays, its conversations too.

    Raises:
        NotFound: the account has no such number.
        Conflict: messages from it are still waiting, or it is the only number.
    """
    sender = _sender_locked(account, sender_id)
    others = senders_list(account).exclude(pk=sender.pk)
    if not others.exists():
        raise Conflict("This is the account's only number. Add another one first.")
    if sender_is_busy(sender):
        raise Conflict("Messages from this number are still being sent. Wait, or cancel them.")
    sender.released_at = now()
    was_default, sender.is_default = sender.is_default, False
    sender.save(update_fields=["released_at", "is_default"])
    audit_record(account=account, actor=actor, action="sender.released", subject=sender.phone)
    if was_default:
        SenderNumber.objects.filter(pk=others.values("pk")[:1]).update(is_default=True)
    return sender


def sender_is_busy(sender: SenderNumber) -> bool:
    """Whether a batch from this number is not finished. One query."""
    return Batch.objects.filter(
        Q(sender=sender) | Q(chunks__sender=sender),
        account_id=sender.account_id,
        state__in=(BatchState.RUNNING, BatchState.PAUSED),
    ).exists()
