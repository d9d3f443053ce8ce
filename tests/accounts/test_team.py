"""Roles, invitations and leaving: who may do what to whom."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client

from accounts import selectors, services
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
from accounts.models import Account, AuditEvent, Invitation, Membership, User
from common.clock import now
from common.errors import Conflict, DomainError, NotAllowed, NotFound
from common.ids import secret_hash
from tests.accounts.conftest import verify

pytestmark = pytest.mark.django_db

Member = Callable[[Role, str], Membership]


def _own(account: Account, user: User) -> Membership:
    return Membership.objects.get(account=account, user=user)


def _role(membership: Membership) -> str:
    return Membership.objects.get(pk=membership.pk).role


# --- Changing roles ---

OWNER, ADMIN, MARKETER, VIEWER = Role.OWNER, Role.ADMIN, Role.MARKETER, Role.VIEWER

# acting role, the member's role now, the role asked for -> what happens
MATRIX = [
    (OWNER, OWNER, ADMIN, None),
    (OWNER, ADMIN, OWNER, None),
    (OWNER, VIEWER, OWNER, None),
    (ADMIN, VIEWER, ADMIN, None),
    (ADMIN, ADMIN, VIEWER, None),
    (ADMIN, MARKETER, OWNER, RoleTooHigh),
    (ADMIN, OWNER, VIEWER, RoleTooHigh),
    (MARKETER, VIEWER, MARKETER, NotAllowed),
    (MARKETER, VIEWER, VIEWER, NotAllowed),
    (VIEWER, VIEWER, MARKETER, NotAllowed),
]


@pytest.mark.parametrize(("acting", "before", "asked", "refusal"), MATRIX)
def test_who_may_give_which_role(
    account: Account,
    member: Member,
    acting: Role,
    before: Role,
    asked: Role,
    refusal: type[DomainError] | None,
) -> None:
    actor = member(acting, "Dana").user
    other = member(before, "Erin")

    def change() -> None:
        services.membership_change(account=account, actor=actor, membership_id=other.pk, role=asked)

    if refusal is None:
        change()
        assert _role(other) == asked
        assert AuditEvent.objects.get(action="member.role").data == {"role": [before, asked]}
    else:
        with pytest.raises(refusal):
            change()
        assert _role(other) == before
        assert not AuditEvent.objects.filter(action="member.role").exists()


@pytest.mark.parametrize("acting", [ADMIN, MARKETER, VIEWER])
def test_nobody_raises_themselves(account: Account, member: Member, acting: Role) -> None:
    own = member(acting, "Dana")

    with pytest.raises(NotAllowed):
        services.membership_change(
            account=account, actor=own.user, membership_id=own.pk, role=OWNER
        )

    assert _role(own) == acting


def test_somebody_from_another_account_is_nobody_here(
    account: Account, alice: User, charlie: User, other_account: Account
) -> None:
    own = _own(account, alice)

    with pytest.raises(NotAllowed):
        services.membership_change(
            account=account, actor=charlie, membership_id=own.pk, role=VIEWER
        )
    with pytest.raises(NotFound):
        services.membership_change(
            account=other_account, actor=charlie, membership_id=own.pk, role=VIEWER
        )

    assert _role(own) == OWNER


def test_the_last_owner_stays_owner(account: Account, alice: User) -> None:
    own = _own(account, alice)

    with pytest.raises(LastOwner):
        services.membership_change(account=account, actor=alice, membership_id=own.pk, role=ADMIN)
    with pytest.raises(LastOwner):
        services.membership_remove(account=account, actor=alice, membership_id=own.pk)

    assert _role(own) == OWNER


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_demote_each_other_leave_one(account: Account, alice: User) -> None:
    second = Membership.objects.create(
        account=account, user=User.objects.create_user("dana@example.com"), role=OWNER
    )
    first = _own(account, alice)

    def demote(pair: tuple[User, int]) -> str:
        try:
            services.membership_change(
                account=account, actor=pair[0], membership_id=pair[1], role=VIEWER
            )
            return "done"
        except DomainError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = list(pool.map(demote, [(alice, second.pk), (second.user, first.pk)]))

    assert sorted(answers) == ["done", "not_allowed"]
    assert Membership.objects.filter(account=account, role=OWNER).count() == 1


# --- Leaving ---


def test_a_removed_member_is_out_at_once(
    account: Account, alice: User, member: Member, logged_in: Callable[[User], Client]
) -> None:
    dana = member(ADMIN, "Dana")
    browser = logged_in(dana.user)
    assert browser.get("/settings/team/").status_code == 200

    services.membership_remove(account=account, actor=alice, membership_id=dana.pk)

    answer = browser.get("/settings/team/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/none/")


def test_an_admin_removes_no_owner(account: Account, alice: User, member: Member) -> None:
    dana = member(ADMIN, "Dana")

    with pytest.raises(RoleTooHigh):
        services.membership_remove(
            account=account, actor=dana.user, membership_id=_own(account, alice).pk
        )

    assert _role(_own(account, alice)) == OWNER


def test_everybody_may_leave(account: Account, member: Member) -> None:
    dana = member(VIEWER, "Dana")

    services.membership_remove(account=account, actor=dana.user, membership_id=dana.pk)

    assert not Membership.objects.filter(pk=dana.pk).exists()


# --- Invitations ---


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
    assert _own(account, nora).role == MARKETER
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
    assert _own(account, nora).role == MARKETER


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

    assert _own(account, nora).role == ADMIN


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


# --- The page ---


def test_the_page_invites_changes_and_removes(
    account: Account, alice: User, bob: User, logged_in: Callable[[User], Client]
) -> None:
    verify(alice)
    browser = logged_in(alice)
    bobs = _own(account, bob)

    browser.post("/settings/team/invite/", {"email": "new@example.com", "role": "viewer"})
    browser.post(f"/settings/team/{bobs.pk}/role/", {"role": "viewer"})
    page = browser.get("/settings/team/").content.decode()

    assert "new@example.com" in page
    assert "Bob Brown is now viewer." in page
    assert _role(bobs) == VIEWER

    browser.post(f"/settings/team/{bobs.pk}/remove/")
    assert not Membership.objects.filter(pk=bobs.pk).exists()


def test_a_marketer_sees_the_team_and_changes_nothing(
    account: Account, alice: User, bob: User, logged_in: Callable[[User], Client]
) -> None:
    verify(bob)
    browser = logged_in(bob)

    assert browser.get("/settings/team/").status_code == 200
    invited = browser.post("/settings/team/invite/", {"email": "x@example.com", "role": "viewer"})
    changed = browser.post(f"/settings/team/{_own(account, bob).pk}/role/", {"role": "owner"})
    removed = browser.post(f"/settings/team/{_own(account, alice).pk}/remove/")

    assert (invited.status_code, changed.status_code, removed.status_code) == (403, 403, 302)
    assert not Invitation.objects.exists()
    assert _role(_own(account, bob)) == MARKETER
    assert _role(_own(account, alice)) == OWNER
    assert mail.outbox == []
