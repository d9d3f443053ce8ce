"""Invitations: who may invite, and who gets in by the link."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client

from accounts import selectors, services
from accounts.choices import Role
from accounts.errors import (
    AlreadyMember,
    EmailUnverified,
    InvitationGone,
    InvitationNotMailed,
    InvitationNotYours,
    RoleTooHigh,
    SignupClosed,
    TooManyInvitations,
)
from accounts.models import Account, Invitation, Membership, User
from common.clock import now
from common.errors import Conflict, DomainError, NotAllowed
from common.ids import secret_hash
from tests.accounts.conftest import Member, membership_of, verify

pytestmark = pytest.mark.django_db

OWNER, ADMIN, MARKETER, VIEWER = Role.OWNER, Role.ADMIN, Role.MARKETER, Role.VIEWER


def _invite(account: Account, actor: User, role: Role = MARKETER) -> tuple[Invitation, str]:
    verify(actor)
    return services.invitation_create(
        account=account, actor=actor, email=" New@Example.com ", role=role
    )


def test_an_invitation_is_mailed_and_only_its_hash_is_kept(account: Account, alice: User) -> None:
    invitation, token = _invite(account, alice)

    assert invitation.email == "new@example.com"
    assert invitation.token_hash == secret_hash(token)
    (letter,) = mail.outbox
    assert letter.to == ["new@example.com"]
    assert letter.subject == "Alice Adams invites you to Alice's Flowers"
    assert f"http://localhost:8000/join/{token}/" in letter.body


@pytest.mark.parametrize(
    ("acting", "role", "refusal"),
    [
        (ADMIN, ADMIN, None),
        (ADMIN, OWNER, RoleTooHigh),
        (MARKETER, VIEWER, NotAllowed),
        (VIEWER, VIEWER, NotAllowed),
    ],
)
def test_who_may_invite_whom(
    account: Account,
    member: Member,
    acting: Role,
    role: Role,
    refusal: type[DomainError] | None,
) -> None:
    actor = member(acting, "Dana").user

    if refusal is None:
        _invite(account, actor, role)
        assert Invitation.objects.get().role == role
    else:
        with pytest.raises(refusal):
            _invite(account, actor, role)
        assert not Invitation.objects.exists()
        assert mail.outbox == []


def test_inviting_needs_a_confirmed_address(account: Account, alice: User) -> None:
    with pytest.raises(EmailUnverified):
        services.invitation_create(
            account=account, actor=alice, email="new@example.com", role=VIEWER
        )

    assert not Invitation.objects.exists()
    assert mail.outbox == []


def test_a_member_is_not_invited_again(account: Account, alice: User, bob: User) -> None:
    verify(alice)

    with pytest.raises(AlreadyMember):
        services.invitation_create(
            account=account, actor=alice, email="BOB@example.com", role=VIEWER
        )

    assert mail.outbox == []


def test_the_newest_link_is_the_only_one(account: Account, alice: User) -> None:
    _, old = _invite(account, alice)
    _, new = _invite(account, alice, ADMIN)

    with pytest.raises(InvitationGone):
        services.invitation_by_token(old)
    assert services.invitation_by_token(new).role == ADMIN


def test_invitations_have_a_limit_for_a_day(account: Account, alice: User) -> None:
    verify(alice)
    Invitation.objects.bulk_create(
        Invitation(
            account=account,
            email=f"{n}@example.com",
            role=VIEWER,
            token_hash=str(n),
            invited_by=alice,
            expires_at=now(),
        )
        for n in range(50)
    )

    with pytest.raises(TooManyInvitations):
        _invite(account, alice)

    assert mail.outbox == []


def test_what_the_mail_server_refuses_is_no_invitation(
    account: Account, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("accounts.services.team.send_mail", refuse)

    with pytest.raises(InvitationNotMailed):
        _invite(account, alice)

    assert list(selectors.invitations_pending(account)) == []


def test_a_new_person_joins_by_the_link(account: Account, alice: User) -> None:
    _, token = _invite(account, alice)
    browser = Client()

    shown = browser.get(f"/join/{token}/")
    joined = browser.post(f"/join/{token}/", {"name": "New Nora", "password": "long enough 4 me"})

    assert b"Alice&#x27;s Flowers" in shown.content
    assert joined.status_code == 302
    nora = User.objects.get(email="new@example.com")
    assert membership_of(account, nora).role == MARKETER
    assert selectors.user_may_send(nora)  # the link came by mail
    assert nora.check_password("long enough 4 me")
    assert browser.get("/settings/team/").status_code == 200
    assert Client().get(f"/join/{token}/").status_code == 404  # works once


def test_a_weak_password_is_refused_and_the_link_stays_good(account: Account, alice: User) -> None:
    _, token = _invite(account, alice)

    answer = Client().post(f"/join/{token}/", {"name": "New Nora", "password": "12345678"})

    assert answer.status_code == 200
    assert not User.objects.filter(email="new@example.com").exists()
    assert services.invitation_by_token(token).email == "new@example.com"


def test_an_existing_person_joins_after_log_in(
    account: Account, alice: User, logged_in: Callable[[User], Client]
) -> None:
    _, token = _invite(account, alice)
    nora = User.objects.create_user("new@example.com", "long enough 4 me")

    stranger = Client().get(f"/join/{token}/")
    joined = logged_in(nora).post(f"/join/{token}/")

    assert f"/auth/login/?next=%2Fjoin%2F{token}%2F" in stranger.content.decode()
    assert joined.status_code == 302
    assert membership_of(account, nora).role == MARKETER


def test_the_link_works_for_nobody_else(
    account: Account, alice: User, charlie: User, logged_in: Callable[[User], Client]
) -> None:
    _, token = _invite(account, alice)

    answer = logged_in(charlie).post(f"/join/{token}/")
    with pytest.raises(InvitationNotYours):
        services.invitation_accept(token=token, user=charlie)

    assert b"logged in as" in answer.content
    assert not Membership.objects.filter(account=account, user=charlie).exists()
    assert services.invitation_by_token(token).accepted_at is None


def test_a_member_who_accepts_keeps_their_role(account: Account, alice: User) -> None:
    _, token = _invite(account, alice, VIEWER)
    nora = User.objects.create_user("new@example.com")
    Membership.objects.create(account=account, user=nora, role=ADMIN)

    services.invitation_accept(token=token, user=nora)

    assert membership_of(account, nora).role == ADMIN


def test_a_link_ends_after_a_week(account: Account, alice: User) -> None:
    _, token = _invite(account, alice)

    with time_machine.travel(now() + timedelta(days=7, seconds=1)):
        with pytest.raises(InvitationGone):
            services.invitation_by_token(token)
        assert list(selectors.invitations_pending(account)) == []


def test_a_link_that_was_taken_back_does_nothing(
    account: Account, alice: User, member: Member
) -> None:
    invitation, token = _invite(account, alice, OWNER)
    admin = member(ADMIN, "Dana").user

    with pytest.raises(RoleTooHigh):
        services.invitation_revoke(account=account, actor=admin, invitation_id=invitation.pk)
    assert services.invitation_by_token(token) == invitation

    services.invitation_revoke(account=account, actor=alice, invitation_id=invitation.pk)
    with pytest.raises(InvitationGone):
        services.invitation_accept_new(token=token, name="Nora", password="long enough 4 me")
    assert not User.objects.filter(email="new@example.com").exists()


def test_two_clicks_at_once_join_once(account: Account, alice: User) -> None:
    _, token = _invite(account, alice)
    services.invitation_accept_new(token=token, name="Nora", password="long enough 4 me")

    with pytest.raises((InvitationGone, Conflict)):
        services.invitation_accept_new(token=token, name="Nora", password="long enough 4 me")

    assert User.objects.filter(email="new@example.com").count() == 1


def test_where_log_ins_are_closed_an_invitation_makes_none(
    account: Account, alice: User, settings: Any
) -> None:
    settings.SIGNUP = "closed"
    _, token = _invite(account, alice)

    answer = Client().post(f"/join/{token}/", {"name": "Nora", "password": "long enough 4 me"})
    with pytest.raises(SignupClosed):
        services.invitation_accept_new(token=token, name="Nora", password="long enough 4 me")

    assert b"New log-ins are closed" in answer.content
    assert not User.objects.filter(email="new@example.com").exists()
