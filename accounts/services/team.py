"""The team: inviting, joining, changing roles, leaving.

Owns memberships and invitations. An invitation is a link by mail whose secret is kept only as a
hash; holding the link proves the address, so who joins by it has a confirmed email address.

Locks: the account's memberships in pk order (FOR UPDATE), so that two owners who demote each other
at the same moment cannot leave the account without one.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from accounts import selectors
from accounts.access import role_includes
from accounts.choices import Role
from accounts.errors import (
    AlreadyMember,
    EmailUnverified,
    InvitationGone,
    InvitationNotMailed,
    InvitationNotYours,
    LastOwner,
    RoleTooHigh,
    SignupClosed,
    TooManyInvitations,
)
from accounts.models import Account, Invitation, Membership, User
from accounts.services.audit import audit_record
from accounts.services.tenants import user_create
from common.clock import now
from common.errors import NotAllowed, NotFound
from common.ids import secret_hash, secret_token

log = logging.getLogger(__name__)

VALID_FOR = timedelta(days=7)
# A stolen log-in must not turn the installation into a sender of unwanted mail.
INVITATIONS_PER_DAY = 50


def _memberships_locked(account: Account) -> dict[int, Membership]:
    rows = Membership.objects.select_for_update(of=("self",)).filter(account=account)
    return {row.pk: row for row in rows.select_related("user").order_by("pk")}


def _check_rank(rows: dict[int, Membership], actor: User, *roles: str) -> None:
    """The acting member is an admin and has at least each of `roles`.

    Raises:
        NotAllowed: not an admin of the account (any more).
        RoleTooHigh: one of the roles is above the actor's.
    """
    own = next((row.role for row in rows.values() if row.user_id == actor.pk), None)
    if own is None or not role_includes(own, Role.ADMIN):
        raise NotAllowed()
    if not all(role_includes(own, role) for role in roles):
        raise RoleTooHigh()


def _check_owner_left(rows: dict[int, Membership], leaving: Membership) -> None:
    owners = [row for row in rows.values() if row.role == Role.OWNER]
    if owners == [leaving]:
        raise LastOwner()


@transaction.atomic
def membership_change(
    *, account: Account, actor: User, membership_id: int, role: str
) -> Membership:
    """Give a member another role.

    Raises:
        NotFound: the account has no such member.
        NotAllowed, RoleTooHigh: the actor is no admin, or old or new role is above the actor's.
        LastOwner: the account would have no owner.
    """
    rows = _memberships_locked(account)
    member = rows.get(membership_id)
    if member is None:
        raise NotFound()
    _check_rank(rows, actor, member.role, Role(role))
    if member.role == role:
        return member
    if role != Role.OWNER:
        _check_owner_left(rows, member)
    before, member.role = member.role, Role(role)
    member.save(update_fields=["role"])
    audit_record(
        account=account,
        actor=actor,
        action="member.role",
        subject=member.user.email,
        data={"role": [before, role]},
    )
    return member


@transaction.atomic
def membership_remove(*, account: Account, actor: User, membership_id: int) -> Membership:
    """Take a member off the team; everybody may take themselves off.

    What the person did stays, with their name. Keys they made belong to the account and go on
    working.

    Raises:
        NotFound: the account has no such member.
        NotAllowed, RoleTooHigh: another member, by somebody who may not.
        LastOwner: the account would have no owner.
    """
    rows = _memberships_locked(account)
    member = rows.get(membership_id)
    if member is None:
        raise NotFound()
    if member.user_id != actor.pk:
        _check_rank(rows, actor, member.role)
    _check_owner_left(rows, member)
    audit_record(
        account=account,
        actor=actor,
        action="member.removed",
        subject=member.user.email,
        data={"role": member.role},
    )
    member.delete()
    return member


def invitation_create(
    *, account: Account, actor: User, email: str, role: str
) -> tuple[Invitation, str]:
    """Offer somebody a role; the link goes out by mail once this is committed.

    An invitation whose mail the server did not take is taken back.

    An older open invitation to the same address is taken back, so that only the newest link works.

    Returns:
        The invitation, and the secret of its link (kept nowhere else).

    Raises:
        EmailUnverified: the actor has not confirmed an address.
        NotAllowed, RoleTooHigh: the actor is no admin, or the role is above the actor's.
        AlreadyMember: the address belongs to a member.
        TooManyInvitations: over INVITATIONS_PER_DAY.
        InvitationNotMailed: the mail server refused.
    """
    invitation, token = _invitation_store(account=account, actor=actor, email=email, role=role)
    try:
        _mail(invitation, token)
    except OSError as error:  # SMTPException is one, too
        Invitation.objects.filter(pk=invitation.pk).update(revoked_at=now())
        log.warning("invitation %s was not mailed: %s", invitation.pk, error)
        raise InvitationNotMailed() from error
    return invitation, token


@transaction.atomic
def _invitation_store(
    *, account: Account, actor: User, email: str, role: str
) -> tuple[Invitation, str]:
    if not selectors.user_may_send(actor):
        raise EmailUnverified()
    email = email.strip().lower()
    rows = _memberships_locked(account)
    _check_rank(rows, actor, Role(role))
    if any(row.user.email.lower() == email for row in rows.values()):
        raise AlreadyMember()
    moment = now()
    recent = Invitation.objects.filter(
        account=account, created_at__gt=moment - timedelta(days=1)
    ).count()
    if recent >= INVITATIONS_PER_DAY:
        raise TooManyInvitations()
    Invitation.objects.filter(
        account=account, email=email, accepted_at__isnull=True, revoked_at__isnull=True
    ).update(revoked_at=moment)
    token = secret_token()
    invitation = Invitation.objects.create(
        account=account,
        email=email,
        role=Role(role),
        token_hash=secret_hash(token),
        invited_by=actor,
        expires_at=moment + VALID_FOR,
    )
    audit_record(
        account=account,
        actor=actor,
        action="member.invited",
        subject=email,
        data={"role": role},
    )
    return invitation, token


def _mail(invitation: Invitation, token: str) -> None:
    context = {
        "invitation": invitation,
        "link": settings.PUBLIC_URL + reverse("invitation_accept", args=[token]),
    }
    send_mail(
        f"{invitation.invited_by.display_name} invites you to {invitation.account.name}",
        render_to_string("accounts/email/invitation.txt", context),
        None,
        [invitation.email],
    )


@transaction.atomic
def invitation_revoke(*, account: Account, actor: User, invitation_id: int) -> Invitation:
    """Take an open invitation back: its link stops working.

    Raises:
        NotFound: the account has no such invitation, or it was accepted.
        NotAllowed, RoleTooHigh: the actor is no admin, or the role offered is above the actor's.
    """
    rows = _memberships_locked(account)
    invitation = (
        Invitation.objects.select_for_update()
        .filter(account=account, pk=invitation_id, accepted_at__isnull=True)
        .first()
    )
    if invitation is None:
        raise NotFound()
    _check_rank(rows, actor, invitation.role)
    if invitation.revoked_at is None:
        invitation.revoked_at = now()
        invitation.save(update_fields=["revoked_at"])
        audit_record(
            account=account,
            actor=actor,
            action="member.invitation_revoked",
            subject=invitation.email,
        )
    return invitation


def invitation_by_token(token: str) -> Invitation:
    """The open invitation behind a link, with account and sender.

    Raises:
        InvitationGone: no such link, or used, taken back, or too old.
    """
    invitation = (
        Invitation.objects.filter(
            token_hash=secret_hash(token),
            accepted_at__isnull=True,
            revoked_at__isnull=True,
            expires_at__gt=now(),
        )
        .select_related("account", "invited_by")
        .first()
    )
    if invitation is None:
        raise InvitationGone()
    return invitation


@transaction.atomic
def invitation_accept(*, token: str, user: User) -> Membership:
    """Join the account as an existing user.

    Raises:
        InvitationGone: see `invitation_by_token`.
        InvitationNotYours: the user's address is not the invited one.
    """
    found = invitation_by_token(token)
    if found.email != user.email.lower():
        raise InvitationNotYours(
            f"This invitation was sent to {found.email}, and you are logged in as {user.email}."
            " Log out, and open the link again."
        )
    return _join(found, user)


@transaction.atomic
def invitation_accept_new(*, token: str, name: str, password: str) -> Membership:
    """Join the account as a new user, whose address the link has proven.

    Raises:
        InvitationGone: see `invitation_by_token`.
        SignupClosed: SIGNUP is closed.
        Conflict: somebody with the address exists: log in instead.
    """
    if settings.SIGNUP == "closed":
        raise SignupClosed()
    found = invitation_by_token(token)
    user = user_create(email=found.email, password=password, name=name, email_verified=True)
    return _join(found, user)


def _join(found: Invitation, user: User) -> Membership:
    """Use the invitation up (conditional UPDATE: of two clicks one wins) and make the member."""
    used = Invitation.objects.filter(
        pk=found.pk, accepted_at__isnull=True, revoked_at__isnull=True
    ).update(accepted_at=now())
    if not used:
        raise InvitationGone()
    membership, created = Membership.objects.get_or_create(
        account=found.account, user=user, defaults={"role": found.role}
    )
    if created:
        audit_record(
            account=found.account,
            actor=user,
            action="member.joined",
            subject=user.email,
            data={"role": found.role, "invited_by": found.invited_by.email},
        )
    return membership
