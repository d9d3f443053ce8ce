"""A run of an import to its end, or not: canceled, crashed, taken over, forgotten."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Account, AuditEvent
from common.clock import now
from contacts.choices import ImportStatus
from contacts.errors import GroupInImport, ImportNotOpen
from contacts.models import Contact, ContactImport, GroupMember, ImportRefusal, ImportRow
from contacts.services import (
    group_create,
    group_delete,
    import_cancel,
    import_create,
    import_run,
    import_start,
    import_sweep,
    running,
)
from tests.contacts.importing import nothing_left, ran, rows, stale, started

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]

HINT = "contacts.services.imports.enqueue"


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


def test_a_group_is_not_deleted_while_an_import_puts_people_into_it(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    vip = group_create(account=shop, actor=None, name="VIP")
    found = started(shop, rows(100), group=vip)
    piece = running._piece

    def delete_the_group(*args: Any) -> object:
        with pytest.raises(GroupInImport):
            group_delete(account=shop, actor=None, group_id=vip.pk)
        return piece(*args)

    monkeypatch.setattr(running, "_piece", delete_the_group)
    import_run(found.pk)

    found.refresh_from_db()
    assert (found.status, found.rows_new, found.group_id) == (ImportStatus.DONE, 100, vip.pk)
    assert GroupMember.objects.filter(group=vip).count() == 100


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
