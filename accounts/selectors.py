"""Reads of accounts, members, keys and credits."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from allauth.account.models import EmailAddress
from django.db.models import Count, Exists, F, Max, Min, OuterRef, QuerySet, Sum
from django.db.models.expressions import RawSQL

from accounts.choices import POCKETS, CreditKind, Pocket
from accounts.models import (
    AUDIT_KIND,
    Account,
    ApiKey,
    AuditEvent,
    CreditEntry,
    Invitation,
    Membership,
    Package,
    Purchase,
    User,
    VerifiedNumber,
)
from common.clock import now


def membership_current(*, user: User, preferred_account_id: int | None) -> Membership | None:
    """The membership a user works under: the one chosen last, else the oldest. One query.

    Returns:
        A membership with `account` loaded, or None when the user belongs to no account.
    """
    memberships = list(memberships_of(user))
    for membership in memberships:
        if membership.account_id == preferred_account_id:
            return membership
    return memberships[0] if memberships else None


def memberships_of(user: User) -> QuerySet[Membership]:
    """Everything a user belongs to, oldest first, with accounts loaded."""
    return Membership.objects.filter(user=user).select_related("account", "user").order_by("id")


def team_list(account: Account) -> QuerySet[Membership]:
    """Members with their users loaded, by name. One query."""
    return (
        Membership.objects.filter(account=account)
        .select_related("user")
        .order_by("user__name", "user__email")
    )


def invitations_pending(account: Account) -> QuerySet[Invitation]:
    """Invitations that can still be accepted, newest first, with who sent them."""
    return (
        Invitation.objects.filter(
            account=account,
            accepted_at__isnull=True,
            revoked_at__isnull=True,
            expires_at__gt=now(),
        )
        .select_related("invited_by")
        .order_by("-id")
    )


def user_by_email(email: str) -> User | None:
    """Who logs in with this address, whatever its case. One query."""
    return User.objects.filter(email__iexact=email).first()


def user_may_send(user: User) -> bool:
    """Whether the user confirmed an email address; without it nothing of theirs is sent."""
    return EmailAddress.objects.filter(user=user, verified=True).exists()


@dataclass(frozen=True, slots=True)
class Books:
    """An account's credits by pocket: what came in is what is left, held or used."""

    issued: int
    available: int
    held: int
    used: int

    @property
    def out_of_balance(self) -> int:
        """0, if the ledger is whole."""
        return self.available + self.held + self.used - self.issued


def credit_books(account: Account) -> Books:
    """Every pocket, summed over the account's whole ledger. One query."""
    pockets: Counter[Pocket] = Counter()
    sums = CreditEntry.objects.filter(account=account).values("kind").order_by()
    for row in sums.annotate(available_sum=Sum("available"), held_sum=Sum("held")):
        pockets[Pocket.AVAILABLE] += row["available_sum"]
        pockets[Pocket.HELD] += row["held_sum"]
        for pocket in POCKETS[row["kind"]]:
            if pocket in (Pocket.ISSUED, Pocket.USED):
                pockets[pocket] -= row["available_sum"] + row["held_sum"]
    return Books(
        issued=-pockets[Pocket.ISSUED],
        available=pockets[Pocket.AVAILABLE],
        held=pockets[Pocket.HELD],
        used=pockets[Pocket.USED],
    )


def credits_issued(account: Account) -> int:
    """What ever came in, less what was paid back. One query over few rows, however much was sent.

    What was used is this less what is left and held (`credit_books` sums it, to prove that).
    """
    issuing = [kind for kind, pockets in POCKETS.items() if Pocket.ISSUED in pockets]
    entries = CreditEntry.objects.filter(account=account, kind__in=issuing)
    return int(entries.aggregate(issued=Sum("available"))["issued"] or 0)


def credit_entries(
    account: Account,
    *,
    batch_id: int | None = None,
    kinds: Collection[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[CreditEntry]:
    """Movements, unordered (page them by key), with who caused them.

    Args:
        account: Whose.
        batch_id: Of one send only.
        kinds: `CreditKind`s; none for all.
        since: From this moment (aware) on.
        until: Before this one.
    """
    entries = CreditEntry.objects.filter(account=account).select_related("actor")
    if batch_id is not None:
        entries = entries.filter(batch_id=batch_id)
    if kinds:
        entries = entries.filter(kind__in=kinds)
    if since:
        entries = entries.filter(created_at__gte=since)
    return entries.filter(created_at__lt=until) if until else entries


@dataclass(frozen=True, slots=True)
class MovementSums:
    """How many movements, and what they change together: left, held, owed."""

    movements: int
    available: int
    held: int
    owed: int


def movement_sums(entries: QuerySet[CreditEntry]) -> MovementSums:
    """Some movements added up. One query over all of them."""
    summed = entries.order_by().aggregate(
        movements=Count("pk"),
        available=Sum("available", default=0),
        held=Sum("held", default=0),
        owed=Sum("owed", default=0),
    )
    return MovementSums(**summed)


def credit_lines(account: Account) -> QuerySet[CreditEntry]:
    """The statement's lines, unordered (page them by key).

    A send is one line however often its credits moved: the first movement stands for it.
    """
    earlier = CreditEntry.objects.filter(batch_id=OuterRef("batch_id"), pk__lt=OuterRef("pk"))
    return credit_entries(account).filter(~Exists(earlier))


@dataclass(frozen=True, slots=True)
class Movement:
    """All movements of one kind of a send.

    Attributes:
        kind: Reserve, settle, release or adjust.
        credits: How many; of corrections the change of the balance, with its sign.
        steps: In how many movements.
        at: The last one.
    """

    kind: CreditKind
    credits: int
    steps: int
    at: datetime


@dataclass(frozen=True, slots=True)
class SendCredits:
    """What a send did to the credits.

    Attributes:
        used: Gone, the carrier's corrections included.
        held: Set aside and neither used nor given back yet.
        left: The balance after its last movement.
        movements: By kind, in the order in which they first happened.
    """

    used: int
    held: int
    left: int
    movements: list[Movement]


def credits_by_send(*, account: Account, batch_ids: Iterable[int]) -> dict[int, SendCredits]:
    """What each of these sends did to the account's credits. Two queries."""
    entries = CreditEntry.objects.filter(account=account, batch_id__in=list(batch_ids))
    sums = entries.values("batch_id", "kind").annotate(
        available=Sum("available"),
        held=Sum("held"),
        steps=Count("pk"),
        at=Max("created_at"),
        first=Min("pk"),
        last=Max("pk"),
    )
    by_send: dict[int, list[Mapping[str, Any]]] = {}
    for row in sums.order_by("first"):
        by_send.setdefault(row["batch_id"] or 0, []).append(row)
    last = [max(row["last"] for row in rows) for rows in by_send.values()]
    left = dict(entries.filter(pk__in=last).values_list("batch_id", "balance_after"))
    return {
        batch_id: SendCredits(
            used=-sum(row["available"] + row["held"] for row in rows),
            held=sum(row["held"] for row in rows),
            left=left[batch_id],
            movements=[_movement(row) for row in rows],
        )
        for batch_id, rows in by_send.items()
    }


def _movement(row: Mapping[str, Any]) -> Movement:
    kind = CreditKind(row["kind"])
    moved = row["held"] if kind == CreditKind.SETTLE else row["available"]
    credits = moved if kind == CreditKind.ADJUST else abs(moved)
    return Movement(kind, credits, row["steps"], row["at"])


def packages_offered() -> QuerySet[Package]:
    """What can be bought, the cheapest first."""
    return Package.objects.filter(is_offered=True)


def purchases_list(account: Account) -> QuerySet[Purchase]:
    """What was bought or begun, unordered (page it by key), with who did."""
    return Purchase.objects.filter(account=account).select_related("created_by")


def apikeys_list(account: Account) -> QuerySet[ApiKey]:
    """Keys, working ones first, then newest first, with who made them."""
    return (
        ApiKey.objects.filter(account=account)
        .select_related("created_by")
        .order_by(F("revoked_at").desc(nulls_first=True), "-id")
    )


def audit_events(
    account: Account,
    *,
    kind: str = "",
    actor: User | None = None,
    by_platform: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEvent]:
    """The trail, unordered (page it by `at` and key), with who acted.

    Args:
        account: Whose.
        kind: One of AUDIT_KINDS; empty for all.
        actor: What this person did.
        by_platform: What no person did.
        since: From this moment (aware) on.
        until: Before this one.
    """
    events = AuditEvent.objects.filter(account=account).select_related("actor")
    if kind:
        events = events.alias(kind=AUDIT_KIND).filter(kind=kind)
    if actor or by_platform:
        events = events.filter(actor=actor)
    if since:
        events = events.filter(at__gte=since)
    return events.filter(at__lt=until) if until else events


# By hops over the index `audit_by_actor`: the cost goes with their number, not with what they did.
_ACTORS: Final = """
    WITH RECURSIVE actors(id) AS (
        (SELECT min(actor_id) FROM accounts_auditevent WHERE account_id = %s)
        UNION ALL
        SELECT (SELECT min(e.actor_id) FROM accounts_auditevent e
                WHERE e.account_id = %s AND e.actor_id > actors.id)
        FROM actors WHERE actors.id IS NOT NULL
    )
    SELECT id FROM actors WHERE id IS NOT NULL
"""


def audit_actors(account: Account) -> list[User]:
    """Everybody who did something that is in the trail, gone members too, by name. One query."""
    ids = RawSQL(_ACTORS, [account.pk, account.pk])
    users = User.objects.filter(pk__in=ids)
    return sorted(users, key=lambda user: (user.display_name.casefold(), user.pk))


def verified_numbers(account: Account) -> QuerySet[VerifiedNumber]:
    """Phones the account asked to verify, oldest first; `verified_at` says which it did."""
    return VerifiedNumber.objects.filter(account=account).order_by("id")
