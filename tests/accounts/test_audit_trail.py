"""The audit trail: who did what, found by person, kind and day, on the page and as a file."""

import csv
import html
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from accounts import services
from accounts.choices import Role
from accounts.models import Account, AuditEvent, Membership, User
from tests.accounts.conftest import Member

pytestmark = pytest.mark.django_db

Browse = Callable[[User], Client]
PAGE = "/settings/audit/"
FILE = "/settings/audit.csv"


def act(account: Account, actor: User | None, action: str, at: str = "", **more: Any) -> None:
    """Something done, at a moment in UTC."""
    event = services.audit_record(account=account, actor=actor, action=action, **more)
    if at:
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
        AuditEvent.objects.filter(pk=event.pk).update(at=moment)


@pytest.fixture
def done(account: Account, other_account: Account, alice: User, bob: User, charlie: User) -> None:
    """What was done in Alice's shop (America/New_York), and in Charlie's."""
    AuditEvent.objects.all().delete()
    act(account, alice, "blast.scheduled", "2026-03-01T04:59:59", subject="Roses")
    act(account, bob, "blast.updated", "2026-03-01T05:00:00", subject="Tulips")
    act(account, bob, "contact.deleted", "2026-03-02T04:59:59", subject="+12025550170")
    act(account, None, "blast.launched", "2026-03-02T05:00:00", subject="Roses")
    act(account, alice, "api_key.created", "2026-03-03T12:00:00", subject="=Till")
    act(other_account, charlie, "blast.scheduled", "2026-03-01T12:00:00", subject="Cheese")


def shown(browser: Client, **params: str) -> list[str]:
    """What the page shows, newest first."""
    answer = browser.get(PAGE, params)
    assert answer.status_code == 200
    return [event["row"].action for event in answer.context["events"]]


EVERYTHING = [
    "api_key.created", "blast.launched", "contact.deleted", "blast.updated", "blast.scheduled",
]  # fmt: skip


@pytest.mark.usefixtures("done")
def test_acts_are_found_by_person_kind_and_day(
    account: Account, alice: User, bob: User, charlie: User, logged_in: Browse
) -> None:
    browser = logged_in(alice)
    alices, bobs = str(alice.pk), str(bob.pk)

    assert shown(browser) == EVERYTHING
    assert shown(browser, who=alices) == ["api_key.created", "blast.scheduled"]
    assert shown(browser, who=bobs) == ["contact.deleted", "blast.updated"]
    assert shown(browser, who="platform") == ["blast.launched"]
    assert shown(browser, kind="blast") == ["blast.launched", "blast.updated", "blast.scheduled"]
    assert shown(browser, kind="api_key") == ["api_key.created"]
    assert shown(browser, kind="contacts") == []
    # Days of the account's zone, five hours behind UTC.
    day = {"from": "2026-03-01", "to": "2026-03-01"}
    assert shown(browser, **day) == ["contact.deleted", "blast.updated"]
    assert shown(browser, **{"from": "2026-03-02"}) == ["api_key.created", "blast.launched"]
    assert shown(browser, to="2026-02-28") == ["blast.scheduled"]
    assert shown(browser, who=bobs, kind="blast", **day) == ["blast.updated"]
    nonsense = {"who": "x", "kind": "x", "from": "2026-99-99", "to": "9999-12-31", "before": "x"}
    assert shown(browser, **nonsense) == EVERYTHING
    assert shown(browser, who=str(charlie.pk)) == EVERYTHING


@pytest.mark.usefixtures("done")
def test_whoever_left_is_still_offered_and_nobody_else(
    account: Account, alice: User, bob: User, member: Member, logged_in: Browse
) -> None:
    Membership.objects.filter(account=account, user=bob).delete()
    member(Role.ADMIN, "Dora")  # who did nothing yet

    answer = logged_in(alice).get(PAGE, {"who": str(bob.pk)})

    page = answer.content.decode()
    assert "+1\u00a0202\u00a0555\u00a00170</td>" in page
    assert [user.display_name for user in answer.context["people"]] == ["Alice Adams", "Bob Brown"]
    assert f'<option value="{bob.pk}" selected>Bob Brown</option>' in page
    assert "Dora" not in page
    assert "Charlie" not in page


@pytest.mark.usefixtures("done")
def test_a_filter_that_nothing_fits_says_so(alice: User, logged_in: Browse) -> None:
    page = logged_in(alice).get(PAGE, {"kind": "import"}).content.decode()

    assert "Nothing matches" in page
    assert f'<a class="btn btn-ghost" href="{PAGE}">' in page
    assert "This list as CSV" not in page


@pytest.mark.usefixtures("done")
def test_the_file_is_the_list_that_is_shown(
    account: Account, alice: User, bob: User, logged_in: Browse
) -> None:
    browser = logged_in(alice)
    act(
        account,
        alice,
        "member.role",
        "2026-03-04T12:00:00",
        subject="bob@example.com",
        data={"role": ["viewer", "marketer"], "at": "2026-03-04T12:00:00+00:00"},
    )

    def read(**params: str) -> list[dict[str, str]]:
        answer: Any = browser.get(FILE, params)
        assert answer.headers["Content-Disposition"] == 'attachment; filename="who-did-what.csv"'
        return list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))

    assert [row["action"] for row in read()] == ["member.role", *EVERYTHING]
    [changed, made] = read(who=str(alice.pk), **{"from": "2026-03-03"})
    del changed["number"], made["number"]
    assert changed == {
        "at": "2026-03-04T07:00:00-05:00",
        "who": "Alice Adams",
        "email": "alice@example.com",
        "action": "member.role",
        "did": "member role changed",
        "to": "bob@example.com",
        "particulars": "at: Wed 4 Mar 2026, 07:00 EST; role: viewer → marketer",
    }
    assert (made["did"], made["to"], made["particulars"]) == ("API key created", "'=Till", "")
    [launched] = read(who="platform")
    assert (launched["who"], launched["email"]) == ("the platform", "")
    asked = {"kind": "blast", "to": "2026-03-01"}
    link = f'href="{FILE}?kind=blast&amp;to=2026-03-01"'
    assert [row["to"] for row in read(**asked)] == ["Tulips", "Roses"]
    assert link in browser.get(PAGE, asked).content.decode()


@pytest.mark.usefixtures("done")
def test_pages_go_on_where_the_filter_left_off(
    account: Account, alice: User, bob: User, logged_in: Browse
) -> None:
    browser = logged_in(alice)
    for n in range(60):  # all at one moment
        act(account, bob, "text.saved", "2026-03-05T12:00:00", subject=f"Text {n}")
        act(account, alice, "text.saved", "2026-03-05T12:00:00", subject="Alice's")
    asked = {"kind": "text", "who": str(bob.pk)}

    first = browser.get(PAGE, asked)
    second = browser.get(PAGE, {**asked, "before": first.context["page"].older})
    back = browser.get(PAGE, {**asked, "after": second.context["page"].newer})

    def subjects(answer: Any) -> list[str]:
        return [row.subject for row in answer.context["page"].rows]

    assert subjects(first) == [f"Text {n}" for n in range(59, 9, -1)]
    assert subjects(second) == [f"Text {n}" for n in range(9, -1, -1)]
    assert second.context["page"].older is None
    assert subjects(back) == subjects(first)
    assert f"?kind=text&amp;who={bob.pk}&amp;before=" in first.content.decode()


@pytest.mark.usefixtures("done")
def test_the_trail_is_for_admins(
    alice: User, bob: User, charlie: User, member: Member, logged_in: Browse
) -> None:
    for user in (bob, member(Role.VIEWER, "Vera").user):
        assert logged_in(user).get(PAGE).status_code == 403
        assert logged_in(user).get(FILE).status_code == 403
    assert shown(logged_in(member(Role.ADMIN, "Dora").user)) == EVERYTHING
    assert shown(logged_in(charlie)) == ["blast.scheduled"]
    theirs: Any = logged_in(charlie).get(FILE, {"who": str(alice.pk)})
    lines = theirs.getvalue().decode().splitlines()
    assert len(lines) == 2
    assert "Cheese" in lines[1]


def test_an_act_that_the_filter_could_not_name_is_refused(account: Account, alice: User) -> None:
    with pytest.raises(ValueError, match="AUDIT_KINDS"):
        services.audit_record(account=account, actor=alice, action="teapot.boiled")

    assert not AuditEvent.objects.filter(action="teapot.boiled").exists()


def test_the_trail_is_told_as_people_write(
    account: Account, alice: User, logged_in: Browse
) -> None:
    services.audit_record(
        account=account,
        actor=alice,
        action="blast.scheduled",
        subject="Roses",
        data={
            "at": "2026-11-23T17:28:37.248978+00:00",
            "credits": 9312,
            "requires_consent": [False, True],
            "brand": ["", "Alice's"],
            "scopes": ["read", "write", "send"],
            "code": "2026-13-45T99:00:00Z",
            "params": {},
            "groups": [],
            "members": "283-4c4ca474",
        },
    )

    page = html.unescape(logged_in(alice).get("/settings/audit/").content.decode())

    for line in (
        "at: Mon 23 Nov 2026, 12:28 EST",
        "credits: 9,312",
        "requires consent: no → yes",
        "brand: nothing → Alice's",
        "scopes: read, write, send",
        "code: 2026-13-45T99:00:00Z",
    ):
        assert f"<span>{line}</span>" in page
    for name in ("params", "groups", "members"):
        assert f"<span>{name}" not in page
