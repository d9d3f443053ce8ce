"""Every list as a file: at once where it is short, part by part in the background if long."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client

from accounts.choices import Role
from accounts.models import Account, AuditEvent, Membership, User
from common.clock import now
from contacts.models import Contact, ContactTag, CustomField, Group, GroupMember, Tag
from exports import lists, services
from exports.choices import ExportState
from exports.lists import ExportList, export_list
from exports.models import Export, ExportPart
from messaging.choices import BatchKind, Direction, MessageState
from messaging.models import Batch, Message, SenderNumber
from tracking.models import Click, Link

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(alice: User) -> Client:
    """Alice's."""
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def people(account: Account) -> list[Contact]:
    """Seven people, the last of whom has a name that a spreadsheet would run."""
    return [
        Contact.objects.create(
            account=account,
            phone=f"+120255501{n:02}",
            first_name=f"Person {n}" if n < 6 else "=1+1",
            consent="opted_in" if n % 2 else "unknown",
        )
        for n in range(7)
    ]


@pytest.fixture
def batch(account: Account, sender: SenderNumber, people: list[Contact]) -> Batch:
    """A text to all seven; the first two clicked its link, the second replied too."""
    batch = Batch.objects.create(
        account=account,
        kind=BatchKind.BLAST,
        name="Roses",
        body="Hi",
        sender=sender,
        size=7,
        request_key="roses",
    )
    for n, person in enumerate(people, 1):
        Message.objects.create(
            account=account,
            batch=batch,
            recipient_no=n,
            contact=person,
            direction=Direction.OUT,
            phone=person.phone,
            our_number=sender.phone,
            state=MessageState.DELIVERED,
            body="Hi",
            human_click_at=now() if n <= 2 else None,
            replied_at=now() if n == 2 else None,
        )
    return batch


@pytest.fixture
def link(account: Account, batch: Batch) -> Link:
    """The link of the batch: two people's clicks and a robot's."""
    link = Link.objects.create(
        account=account, destination="https://shop.example/", batch_id=batch.pk, recipients=7
    )
    for n, verdict in ((1, "human"), (2, "human"), (2, "human"), (3, "preview")):
        Click.objects.create(
            account_id=account.pk,
            link=link,
            recipient_no=n,
            at=now(),
            method="GET",
            user_agent="=cmd()",
            ip_hash=b"x" * 16,
            verdict=verdict,
            reasons=["browser"],
        )
    return link


def rows_of(answer: Any) -> list[dict[str, str]]:
    """The rows of a CSV answer."""
    assert answer.status_code == 200
    text = b"".join(answer).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def begin(browser: Client, **fields: str) -> Export:
    """An export that was asked for in a browser."""
    answer = browser.post("/exports/start", fields)
    export = Export.objects.latest("pk")
    assert answer.headers["Location"] == f"/exports/{export.pk}/"
    return export


def test_every_list_that_is_named_exists() -> None:
    for kind in configured.EXPORT_LISTS:
        assert isinstance(export_list(kind), ExportList)


def test_contacts_come_as_filtered_with_the_accounts_own_fields(
    browser: Client, account: Account, people: list[Contact], other_account: Account
) -> None:
    CustomField.objects.create(account=account, key="size", label="Size")
    Contact.objects.filter(pk=people[1].pk).update(custom={"size": "@9"})
    Contact.objects.create(account=other_account, phone="+12025550999")
    group = Group.objects.create(account=account, name="Few")
    for person in people[:2]:
        GroupMember.objects.create(account=account, group=group, contact=person)

    for name in ("till", "Fair"):
        tag = Tag.objects.create(account=account, name=name)
        ContactTag.objects.create(account=account, tag=tag, contact=people[1])

    everybody = rows_of(browser.get("/contacts/people.csv"))
    few = rows_of(browser.get(f"/contacts/people.csv?group={group.pk}&consent=opted_in"))

    assert [row["phone"] for row in everybody] == [person.phone for person in people]
    assert everybody[6]["first_name"] == "'=1+1"
    assert [(row["first_name"], row["tags"], row["Size"]) for row in few] == [
        ("Person 1", "Fair, till", "'@9")
    ]


def test_the_log_comes_as_filtered(browser: Client, batch: Batch) -> None:
    rows = rows_of(browser.get("/messages/log.csv?clicked=yes&replied=no"))

    assert [(row["phone"], row["sent_in"], row["state"]) for row in rows] == [
        ("+12025550100", "Roses", "Delivered")
    ]


def test_every_hit_on_a_link_comes_with_its_verdict(browser: Client, link: Link) -> None:
    rows = rows_of(browser.get(f"/links/{link.pk}/hits.csv"))

    assert [(row["recipient"], row["judged_as"]) for row in rows] == [
        ("1", "Person"),
        ("2", "Person"),
        ("2", "Person"),
        ("3", "Preview robot"),
    ]
    assert {row["calls_itself"] for row in rows} == {"'=cmd()"}


def test_who_clicked_a_link_is_a_list_and_becomes_a_group(
    browser: Client, account: Account, link: Link
) -> None:
    page = browser.get(f"/messages/?link={link.pk}").content.decode()
    assert page.count('class="row-title"') == 2

    answer = browser.post("/messages/group", {"name": "Clickers", "link": str(link.pk)})

    group = Group.objects.get(account=account, name="Clickers")
    assert answer.headers["Location"] == f"/blasts/new?group={group.pk}"
    names = group.members.order_by("contact_id").values_list("contact__first_name", flat=True)
    assert list(names) == ["Person 0", "Person 1"]


def test_a_strangers_link_has_no_clickers(
    link: Link, other_account: Account, charlie: User
) -> None:
    stranger = Client()
    stranger.force_login(charlie)

    stranger.post("/messages/group", {"name": "Theirs", "link": str(link.pk)})

    assert not Group.objects.exists()
    assert rows_of(stranger.get(f"/messages/log.csv?link={link.pk}")) == []


def test_contacts_become_a_group_as_filtered(
    browser: Client, account: Account, people: list[Contact]
) -> None:
    browser.post("/contacts/group", {"name": "In", "consent": "opted_in"})

    group = Group.objects.get(account=account, name="In")
    names = group.members.order_by("contact_id").values_list("contact__first_name", flat=True)
    assert list(names) == ["Person 1", "Person 3", "Person 5"]


def test_a_long_list_is_offered_and_made_part_by_part(
    browser: Client,
    account: Account,
    people: list[Contact],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.EXPORT_STREAM_ROWS = 6
    monkeypatch.setattr(services, "PART_ROWS", 3)
    offer = browser.get("/contacts/people.csv").content.decode()
    assert "is too long to be handed over at once" in offer
    assert not Export.objects.exists()

    export = begin(browser, kind="contacts", filename="contacts.csv")
    waiting = browser.get(f"/exports/{export.pk}/").content.decode()
    assert 'hx-trigger="every 2s"' in waiting
    services.export_run(export.pk)

    export.refresh_from_db()
    assert (export.state, export.rows_total, export.rows_done) == (ExportState.DONE, 7, 7)
    assert ExportPart.objects.filter(export=export).count() == 3
    page = browser.get(f"/exports/{export.pk}/").content.decode()
    assert "7 rows" in page
    assert "every 2s" not in page
    answer: Any = browser.get(f"/exports/{export.pk}/file.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="contacts.csv"'
    assert answer.headers["Content-Length"] == str(export.size_bytes)
    content = b"".join(answer)
    assert len(content) == export.size_bytes
    found = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert [row["phone"] for row in found] == [person.phone for person in people]
    assert AuditEvent.objects.filter(account=account, action="export.requested").count() == 1


def test_the_same_list_is_made_once_at_a_time(browser: Client, people: list[Contact]) -> None:
    first = begin(browser, kind="contacts", consent="opted_in")
    again = begin(browser, kind="contacts", consent="opted_in")
    other = begin(browser, kind="contacts")

    assert first.pk == again.pk != other.pk
    services.export_run(first.pk)
    assert begin(browser, kind="contacts", consent="opted_in").pk > other.pk


def test_whoever_goes_on_begins_behind_the_last_part(
    browser: Client, people: list[Contact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PART_ROWS", 2)
    export = begin(browser, kind="contacts")
    made = services._part_make
    calls = iter([True, False])

    def dies(export_id: int) -> bool:
        if next(calls):
            return made(export_id)
        raise RuntimeError("the worker was killed")

    monkeypatch.setattr(services, "_part_make", dies)
    with pytest.raises(RuntimeError):
        services.export_run(export.pk)
    monkeypatch.setattr(services, "_part_make", made)
    export.refresh_from_db()
    assert (export.state, export.rows_done) == (ExportState.RUNNING, 2)

    assert services.export_sweep() == []
    Export.objects.update(touched_at=now() - 2 * services._LOST_AFTER)
    assert services.export_sweep() == [export.pk]
    services.export_run(export.pk)
    services.export_run(export.pk)

    rows = rows_of(browser.get(f"/exports/{export.pk}/file.csv"))
    assert [row["phone"] for row in rows] == [person.phone for person in people]


def test_an_export_that_never_gets_on_is_given_up(browser: Client, people: list[Contact]) -> None:
    export = begin(browser, kind="contacts")
    Export.objects.update(tries=5)

    services.export_run(export.pk)

    export.refresh_from_db()
    assert export.state == ExportState.FAILED
    assert "Narrow the list down" in browser.get(f"/exports/{export.pk}/").content.decode()
    assert browser.get(f"/exports/{export.pk}/file.csv").status_code == 302


def test_files_are_kept_for_a_week(browser: Client, people: list[Contact]) -> None:
    export = begin(browser, kind="contacts")
    services.export_run(export.pk)
    export.refresh_from_db()
    assert export.finished_at is not None
    assert export.expires_at == export.finished_at + services.KEPT_FOR

    services.export_sweep()
    assert Export.objects.count() == 1
    Export.objects.update(expires_at=now())
    services.export_sweep()

    assert not Export.objects.exists()
    assert not ExportPart.objects.exists()


def test_nothing_is_made_of_a_strangers_list_or_of_nonsense(
    link: Link, other_account: Account, charlie: User
) -> None:
    stranger = Client()
    stranger.force_login(charlie)

    for fields in (
        {"kind": "hits", "link": str(link.pk)},
        {"kind": "people", "blast": "1"},
        {"kind": "people", "campaign": "9" * 30},
        {"kind": "people"},
        {"kind": "secrets"},
        {"kind": "hits", "link": "\0"},
    ):
        assert stranger.post("/exports/start", fields).status_code == 404, fields

    assert not Export.objects.exists()
    assert not AuditEvent.objects.filter(action="export.requested").exists()


def test_a_viewer_exports_but_makes_no_group(account: Account, people: list[Contact]) -> None:
    viewer = User.objects.create_user("vera@example.com")
    Membership.objects.create(account=account, user=viewer, role=Role.VIEWER)
    browser = Client()
    browser.force_login(viewer)

    assert len(rows_of(browser.get("/contacts/people.csv"))) == 7
    assert "Make a group" not in browser.get("/contacts/?consent=opted_in").content.decode()
    assert browser.post("/contacts/group", {"name": "X"}).status_code == 403


@pytest.mark.parametrize("size", [1, 3, 7, 5000])
def test_postgresql_writes_messages_as_pages_tell_them(
    browser: Client,
    account: Account,
    alice: User,
    batch: Batch,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
) -> None:
    monkeypatch.setattr("exports.lists.CHUNK", size)
    at = datetime(2026, 5, 5, 3, 30, 59, 900_000, tzinfo=UTC)  # 23:30 of the day before there
    first, second = Message.objects.order_by("pk")[:2]
    Message.objects.filter(pk=first.pk).update(
        created_at=at, final_at=at, replied_at=None, created_by=alice, body='=1+1, "ha"\nand'
    )
    User.objects.filter(pk=alice.pk).update(name="")
    Message.objects.filter(pk=second.pk).update(state="undelivered", reason="landline", body="")

    rows = rows_of(browser.get("/messages/log.csv"))

    assert [row["first_name"] for row in rows] == [*(f"Person {n}" for n in range(6)), "'=1+1"]
    assert rows[0]["text"] == '\'=1+1, "ha"\nand'
    assert (rows[0]["asked_for_at"], rows[0]["final_at"]) == ("2026-05-04T23:30:59-04:00",) * 2
    assert (rows[0]["replied_at"], rows[0]["direction"], rows[0]["by"]) == ("", "Sent", "alice")
    assert (rows[0]["sent_in"], rows[0]["segments"]) == ("Roses", "0")
    told = [rows[1][name] for name in ("state", "reason", "text", "by", "carrier_code")]
    assert told == ["Not delivered", "Landline", "", "", ""]
    assert account.timezone == "America/New_York"


def test_a_row_that_leaves_its_list_between_two_looks_ends_nothing(
    browser: Client, people: list[Contact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PART_ROWS", 3)
    export = begin(browser, kind="contacts")
    real = lists.export_page

    def short(*args: Any, **kwargs: Any) -> Any:
        page = real(*args, **kwargs)
        return page._replace(rows=page.rows - 1) if kwargs["after"] == 0 else page

    monkeypatch.setattr(services, "export_page", short)
    services.export_run(export.pk)

    export.refresh_from_db()
    assert (export.state, export.rows_done) == (ExportState.DONE, 6)
    assert ExportPart.objects.filter(export=export).count() == 3


def test_a_long_export_gives_its_place_away_now_and_then(
    browser: Client, people: list[Contact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PART_ROWS", 3)
    monkeypatch.setattr(services, "_SHIFT_S", 0.0)
    hinted: list[tuple[str, int]] = []
    monkeypatch.setattr(services, "enqueue", lambda name, pk: hinted.append((name, pk)))
    export = begin(browser, kind="contacts")
    hinted.clear()

    services.export_run(export.pk)
    assert hinted == [("exports.run", export.pk)]
    services.export_run(export.pk)
    services.export_run(export.pk)

    export.refresh_from_db()
    assert (export.state, export.rows_done) == (ExportState.DONE, 7)
