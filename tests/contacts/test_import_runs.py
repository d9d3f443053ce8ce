"""What an import does to the account: merging, consent, groups, crashes, cancels, two at once."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction

from accounts.models import Account, AuditEvent, User
from common.clock import now
from common.errors import NotFound
from contacts.choices import Consent, ConsentSource, ImportStatus
from contacts.errors import ImportNotOpen, MappingInvalid
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactImport,
    CustomField,
    Group,
    GroupMember,
    ImportRefusal,
    ImportRow,
    OptOut,
)
from contacts.selectors import audience, contacts_list
from contacts.services import (
    consent_grant,
    consent_revoke,
    contact_delete,
    contact_upsert,
    group_create,
    group_delete,
    import_cancel,
    import_create,
    import_run,
    import_start,
    import_sweep,
    running,
)

ANN = "+13055550101"
BEN = "+13055550102"
HINT = "contacts.services.imports.enqueue"


@pytest.fixture(autouse=True)
def media(tmp_path: Path, settings: Any) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def started(
    account: Account, content: bytes, *, group: Group | None = None, wording: str = ""
) -> ContactImport:
    upload = SimpleUploadedFile("list.csv", content)
    found = import_create(account=account, actor=None, upload=upload)
    return import_start(
        account=account,
        actor=None,
        import_id=found.pk,
        mapping=found.mapping,
        group=group,
        consent_wording=wording,
    )


def ran(
    account: Account, content: bytes, *, group: Group | None = None, wording: str = ""
) -> ContactImport:
    found = started(account, content, group=group, wording=wording)
    import_run(found.pk)
    found.refresh_from_db()
    return found


def rows(count: int, *, first: int = 0, name: str = "Name") -> bytes:
    """A file of `count` valid numbers."""
    lines = (
        f"+1{305 + n // 800_000}{200 + n // 10_000 % 80}{n % 10_000:04d},{name} {n}"
        for n in range(first, first + count)
    )
    return ("phone,first name\n" + "\n".join(lines) + "\n").encode()


def stale(found: ContactImport) -> None:
    ContactImport.objects.filter(pk=found.pk).update(heartbeat_at=now() - timedelta(minutes=5))


def nothing_left(media: Path) -> bool:
    files = [p for p in media.rglob("*") if p.is_file()]
    return not files and not ImportRow.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_new_updated_unchanged_and_blanks(shop: Account, media: Path) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN, first_name="Ann", last_name="Lee")
    contact_upsert(account=shop, actor=None, phone=BEN, first_name="Ben")

    done = ran(
        shop,
        b"phone,first name,last name,points\n"
        b"3055550101,Anna,,\n3055550102,,,\n3055550103,Cleo,,12\n",
    )

    assert (done.rows_new, done.rows_updated, done.rows_unchanged) == (1, 1, 1)
    assert list(Contact.objects.order_by("phone").values_list("first_name", "last_name")) == [
        ("Anna", "Lee"), ("Ben", ""), ("Cleo", ""),
    ]  # fmt: skip
    assert Contact.objects.get(first_name="Cleo").custom == {"points": "12"}
    assert CustomField.objects.get().key == "points"
    assert nothing_left(media)


def test_everybody_in_the_file_joins_the_group(shop: Account) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN)
    vip = group_create(account=shop, actor=None, name="VIP")

    ran(shop, b"phone\n3055550101\n3055550102\n3055550102\n", group=vip)

    assert sorted(c.phone for c in audience(account=shop, group_ids=[vip.pk])) == [ANN, BEN]


def test_consent_is_recorded_once_for_those_not_on_record(shop: Account, alice: User) -> None:
    consent_grant(account=shop, phone=ANN, source=ConsentSource.FORM, wording="Ticked the box")

    done = ran(shop, b"phone\n3055550101\n3055550102\n", wording="Signed at the till, 2025")
    ran(shop, b"phone\n3055550101\n3055550102\n", wording="Signed at the till, 2026")

    assert set(contacts_list(account=shop).values_list("consent", flat=True)) == {"opted_in"}
    event = ConsentEvent.objects.get(source="import")
    assert (event.phone, event.kind, event.wording, event.import_id) == (
        BEN, "in", "Signed at the till, 2025", done.pk,
    )  # fmt: skip


def test_without_wording_consent_stays_as_it_is(shop: Account) -> None:
    ran(shop, b"phone\n3055550101\n")

    assert Contact.objects.get().consent == Consent.UNKNOWN
    assert ConsentEvent.objects.count() == 0


def test_an_import_never_subscribes_again(shop: Account) -> None:
    deleted = contact_upsert(account=shop, actor=None, phone=ANN)
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)
    contact_delete(account=shop, actor=None, contact_id=deleted.pk)
    OptOut.objects.create(account=shop, phone=BEN, source=ConsentSource.API)

    done = ran(shop, b"phone\n3055550101\n3055550102\n3055550103\n", wording="Bought list")

    assert (done.rows_new, done.people_opted_out) == (3, 2)
    assert dict(contacts_list(account=shop).values_list("phone", "consent")) == {
        ANN: "opted_out", BEN: "opted_out", "+13055550103": "opted_in",
    }  # fmt: skip
    assert OptOut.objects.count() == 2
    assert list(ConsentEvent.objects.filter(kind="in").values_list("phone", flat=True)) == [
        "+13055550103"
    ]


def test_a_mapping_without_phone_is_refused_and_the_import_waits(shop: Account) -> None:
    upload = SimpleUploadedFile("list.csv", b"phone,first name\n3055550101,Ann\n")
    found = import_create(account=shop, actor=None, upload=upload)

    for mapping in (["", "first_name"], ["phone", "phone"], ["phone", "custom.Bad Key"]):
        with pytest.raises(MappingInvalid):
            import_start(account=shop, actor=None, import_id=found.pk, mapping=mapping)

    found.refresh_from_db()
    assert found.status == ImportStatus.UPLOADED
    assert AuditEvent.objects.filter(action="import.started").count() == 0


def test_another_accounts_import_and_group_are_not_found(
    shop: Account, other_shop: Account
) -> None:
    theirs = group_create(account=other_shop, actor=None, name="VIP")
    upload = SimpleUploadedFile("list.csv", b"phone\n3055550101\n")
    found = import_create(account=shop, actor=None, upload=upload)

    with pytest.raises(NotFound):
        import_start(account=shop, actor=None, import_id=found.pk, mapping=["phone"], group=theirs)
    with pytest.raises(NotFound):
        import_start(account=other_shop, actor=None, import_id=found.pk, mapping=["phone"])
    with pytest.raises(NotFound):
        import_cancel(account=other_shop, actor=None, import_id=found.pk)

    found.refresh_from_db()
    assert found.status == ImportStatus.UPLOADED


def test_starting_twice_starts_once(
    shop: Account, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable
) -> None:
    hints: list[tuple[object, ...]] = []
    monkeypatch.setattr(HINT, lambda *args: hints.append(args))
    found = started(shop, b"phone\n3055550101\n")

    with pytest.raises(ImportNotOpen):
        import_start(account=shop, actor=None, import_id=found.pk, mapping=["phone"])

    assert hints == [("contacts.import_run", found.pk)]


def test_running_a_finished_import_again_does_nothing(shop: Account) -> None:
    done = ran(shop, b"phone\n3055550101\n")
    Contact.objects.all().update(first_name="Changed since")

    import_run(done.pk)

    done.refresh_from_db()
    assert (done.run_no, done.rows_new) == (1, 1)
    assert Contact.objects.get().first_name == "Changed since"


@pytest.mark.django_db(transaction=True)
def test_a_canceled_import_leaves_nothing(shop: Account, media: Path) -> None:
    found = started(shop, b"phone\n3055550101\n")

    import_cancel(account=shop, actor=None, import_id=found.pk)
    import_run(found.pk)

    found.refresh_from_db()
    assert found.status == ImportStatus.CANCELED
    assert Contact.objects.count() == 0
    assert nothing_left(media)


def test_a_cancel_in_the_middle_stops_the_worker(
    shop: Account, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PIECE_ROWS", 100)
    piece, calls = running._piece, iter(range(10))

    def cancel_in_the_fourth(*args: Any) -> object:
        if next(calls) == 3:
            import_cancel(account=shop, actor=None, import_id=found.pk)
        return piece(*args)

    monkeypatch.setattr(running, "_piece", cancel_in_the_fourth)
    found = started(shop, rows(1000))

    import_run(found.pk)

    found.refresh_from_db()
    assert (found.status, found.rows_read, found.rows_new) == (ImportStatus.CANCELED, 0, 0)
    assert Contact.objects.count() == ImportRow.objects.count() == 0
    assert ImportRefusal.objects.count() == 0


@pytest.mark.parametrize("crash_in", ["_stage", "_merge"])
def test_a_crashed_import_leaves_nothing_and_the_sweeper_runs_it_again(
    shop: Account, media: Path, monkeypatch: pytest.MonkeyPatch, crash_in: str
) -> None:
    monkeypatch.setattr(running, "PIECE_ROWS", 100)
    hints: list[int] = []
    monkeypatch.setattr(HINT, lambda name, import_id: hints.append(import_id))
    found = started(shop, rows(1000) + b"123,Nobody\n")

    def crash(*args: object, **kwargs: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        if crash_in == "_stage":
            patch.setattr(running, "_piece", crash_after(3, running._piece))
        else:
            patch.setattr(running, "_finish", crash)
        with pytest.raises(RuntimeError, match="killed"):
            import_run(found.pk)

    assert Contact.objects.count() == 0
    assert import_sweep() == []
    stale(found)
    assert import_sweep() == [found.pk]
    import_run(hints[-1])
    found.refresh_from_db()
    assert (found.status, found.run_no) == (ImportStatus.DONE, 2)
    assert (found.rows_read, found.rows_new, found.rows_refused) == (1001, 1000, 1)
    assert Contact.objects.count() == 1000
    assert ImportRefusal.objects.count() == 1
    assert ImportRow.objects.count() == 0


def crash_after(calls: int, real: Callable) -> Callable:
    """`real`, until it was called `calls` times."""
    left = iter(range(calls))

    def piece(*args: object) -> object:
        if next(left, None) is None:
            raise RuntimeError("killed")
        return real(*args)

    return piece


def test_a_worker_that_was_taken_over_writes_nothing_more(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PIECE_ROWS", 100)
    piece = running._piece
    taken_over: list[bool] = []

    def frozen(*args: Any) -> object:
        if not taken_over:
            taken_over.append(True)
            stale(found)
            import_run(found.pk)
        return piece(*args)

    found = started(shop, rows(1000))
    monkeypatch.setattr(running, "_piece", frozen)

    import_run(found.pk)

    found.refresh_from_db()
    assert (found.status, found.run_no, found.rows_read) == (ImportStatus.DONE, 2, 1000)
    assert Contact.objects.count() == 1000
    assert AuditEvent.objects.filter(action="import.done").count() == 1


def test_a_lost_hint_is_given_again(shop: Account) -> None:
    found = started(shop, b"phone\n3055550101\n")

    assert import_sweep() == []
    stale(found)

    assert import_sweep() == [found.pk]


def test_an_import_that_never_ends_is_given_up_with_a_sentence(shop: Account) -> None:
    found = started(shop, b"phone\n3055550101\n")
    ContactImport.objects.filter(pk=found.pk).update(run_no=5, status=ImportStatus.RUNNING)
    stale(found)

    assert import_sweep() == []

    found.refresh_from_db()
    assert found.status == ImportStatus.FAILED
    assert found.error.startswith("It stopped several times")


def test_a_group_deleted_meanwhile_does_not_stop_the_import(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    found = started(shop, rows(100), group=vip)
    piece = running._piece

    def delete_the_group(*args: Any) -> object:
        if Group.objects.exists():
            group_delete(account=shop, actor=None, group_id=vip.pk)
        return piece(*args)

    monkeypatch.setattr(running, "_piece", delete_the_group)
    import_run(found.pk)

    found.refresh_from_db()
    assert (found.status, found.rows_new, found.group_id) == (ImportStatus.DONE, 100, None)
    assert GroupMember.objects.count() == 0


def test_a_file_that_is_gone_fails_with_a_sentence(shop: Account, media: Path) -> None:
    found = started(shop, b"phone\n3055550101\n")
    (media / found.path).unlink()

    import_run(found.pk)

    found.refresh_from_db()
    assert found.status == ImportStatus.FAILED
    assert "Upload it again" in found.error


def test_a_forgotten_upload_is_removed(shop: Account, media: Path) -> None:
    upload = SimpleUploadedFile("list.csv", b"phone\n3055550101\n")
    found = import_create(account=shop, actor=None, upload=upload)
    ContactImport.objects.update(created_at=now() - timedelta(days=8))

    import_sweep()

    found.refresh_from_db()
    assert (found.status, found.path) == (ImportStatus.CANCELED, "")


def in_threads(*acts: Callable[[], object]) -> list[BaseException]:
    """Run the acts at once, each on its own connection; what went wrong."""
    errors: list[BaseException] = []
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        try:
            gate.wait()
            act()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_people_at_once(shop: Account) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    shuffled = b"phone,first name\n" + b"\n".join(reversed(rows(5000, name="B").splitlines()[1:]))
    a = started(shop, rows(5000, name="A"), group=vip, wording="A")
    b = started(shop, shuffled, group=vip, wording="B")

    errors = in_threads(lambda: import_run(a.pk), lambda: import_run(b.pk))

    a.refresh_from_db()
    b.refresh_from_db()
    assert errors == []
    assert {a.status, b.status} == {ImportStatus.DONE}
    assert a.rows_new + b.rows_new == 5000
    assert a.rows_updated + b.rows_updated == 5000
    assert Contact.objects.count() == GroupMember.objects.count() == 5000
    assert ConsentEvent.objects.count() == 5000
    assert len({name[0] for name in Contact.objects.values_list("first_name", flat=True)}) == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_file_twice_at_once(shop: Account) -> None:
    a, b = (started(shop, rows(2000) + b"123,Nobody\n", wording="Till") for _ in range(2))

    errors = in_threads(lambda: import_run(a.pk), lambda: import_run(b.pk))

    a.refresh_from_db()
    b.refresh_from_db()
    assert errors == []
    assert sorted([(a.rows_new, a.rows_unchanged), (b.rows_new, b.rows_unchanged)]) == [
        (0, 2000), (2000, 0),
    ]  # fmt: skip
    assert (a.rows_refused, b.rows_refused) == (1, 1)
    assert Contact.objects.count() == ConsentEvent.objects.count() == 2000


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_one_import_run_it_once(shop: Account) -> None:
    found = started(shop, rows(2000))

    errors = in_threads(*[lambda: import_run(found.pk)] * 4)

    found.refresh_from_db()
    assert errors == []
    assert (found.status, found.run_no, found.rows_new) == (ImportStatus.DONE, 1, 2000)
    assert ImportRow.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_many_upserts_of_one_phone_at_once_make_one_contact(shop: Account) -> None:
    acts = [
        lambda n=n: contact_upsert(account=shop, actor=None, phone=ANN, custom={f"k{n}": "1"})
        for n in range(8)
    ]

    errors = in_threads(*acts)

    assert errors == []
    assert Contact.objects.get().custom == {f"k{n}": "1" for n in range(8)}


@pytest.mark.django_db(transaction=True)
def test_a_stop_during_a_merge_wins(shop: Account) -> None:
    """A STOP of a stranger that commits while a merge is about to add that phone."""
    stop_written, merge_waits = threading.Event(), threading.Event()

    def stop() -> None:
        with transaction.atomic():
            consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)
            stop_written.set()
            merge_waits.wait(0.5)

    def add() -> None:
        stop_written.wait(5)
        contact_upsert(account=shop, actor=None, phone=ANN, consent_wording="Signed")

    errors = in_threads(stop, add)

    assert errors == []
    assert contacts_list(account=shop).get().consent == Consent.OPTED_OUT
    assert ConsentEvent.objects.filter(kind="in").count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_stop_that_waits_for_a_merge_is_not_lost(shop: Account) -> None:
    added, stop_waits = threading.Event(), threading.Event()

    def add() -> None:
        with transaction.atomic():
            contact_upsert(account=shop, actor=None, phone=ANN, consent_wording="Signed")
            added.set()
            stop_waits.wait(0.5)

    def stop() -> None:
        added.wait(5)
        consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)

    errors = in_threads(add, stop)

    assert errors == []
    assert contacts_list(account=shop).get().consent == Consent.OPTED_OUT
    assert OptOut.objects.count() == 1
