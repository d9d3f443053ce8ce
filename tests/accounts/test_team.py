"""Roles, invitations and leaving: who may do what to whom."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core import mail
from django.db import connection
from django.test import Client

from accounts import services
from accounts.choices import Role
from accounts.errors import (
    LastOwner,
    RoleTooHigh,
)
from accounts.models import Account, AuditEvent, Invitation, Membership, User
from common.errors import DomainError, NotAllowed, NotFound
from tests.accounts.conftest import Member, membership_of, verify

pytestmark = pytest.mark.django_db


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
    own = membership_of(account, alice)

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
    own = membership_of(account, alice)

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
    first = membership_of(account, alice)

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
            account=account, actor=dana.user, membership_id=membership_of(account, alice).pk
        )

    assert _role(membership_of(account, alice)) == OWNER


def test_everybody_may_leave(account: Account, member: Member) -> None:
    dana = member(VIEWER, "Dana")

    services.membership_remove(account=account, actor=dana.user, membership_id=dana.pk)

    assert not Membership.objects.filter(pk=dana.pk).exists()


# --- Invitations ---


# --- The page ---


def test_the_page_invites_changes_and_removes(
    account: Account, alice: User, bob: User, logged_in: Callable[[User], Client]
) -> None:
    verify(alice)
    browser = logged_in(alice)
    bobs = membership_of(account, bob)

    browser.post("/settings/team/invite/", {"email": "new@example.com", "role": "viewer"})
    browser.post(f"/settings/team/{bobs.pk}/role/", {"role": "viewer"})
    page = browser.get("/settings/team/").content.decode()

    assert "new@example.com" in page
    assert "The role of Bob Brown is now viewer." in page
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
    changed = browser.post(
        f"/settings/team/{membership_of(account, bob).pk}/role/", {"role": "owner"}
    )
    removed = browser.post(f"/settings/team/{membership_of(account, alice).pk}/remove/")

    assert (invited.status_code, changed.status_code, removed.status_code) == (403, 403, 302)
    assert not Invitation.objects.exists()
    assert _role(membership_of(account, bob)) == MARKETER
    assert _role(membership_of(account, alice)) == OWNER
    assert mail.outbox == []
