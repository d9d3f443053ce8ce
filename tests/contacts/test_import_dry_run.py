"""A dry run counts every row and writes nothing; confirmed, it does what it counted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.models import Account, AuditEvent
from common.clock import now
from common.errors import NotFound
from contacts.choices import ConsentSource, ImportStatus
from contacts.errors import GroupNameTaken, ImportNotOpen
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactImport,
    CustomField,
    Group,
    ImportRefusal,
    ImportRow,
)
from contacts.services import (
    consent_revoke,
    contact_delete,
    contact_upsert,
    group_create,
    import_cancel,
    import_confirm,
    import_reopen,
    import_run,
    import_start,
    import_sweep,
    imports,
    running,
)
from tests.contacts.importing import ran

pytestmark = pytest.mark.usefixtures("media")

ANN, BEN, CLEO = "+13055550101", "+13055550102", "+13055550103"
# New, updated, unchanged, come back, opted out, a landline, the same number again, three refused.
FILE = b"""phone,first name,points
3055550104,Dan,
3055550101,Anna,
3055550102,Ben,
3055550103,Cleo,
3055550105,Eve,7
+442079460123,Fay,
3055550104,Daniel,
123,Nobody,
,Nobody,
3055550106,"Bro"ken,
"""


@pytest.fixture
def people(shop: Account) -> None:
    """Whom the file names and the shop knows."""
    for phone, name in ((ANN, "Ann"), (BEN, "Ben")):
        contact_upsert(account=shop, actor=None, phone=phone, first_name=name)
    cleo = contact_upsert(account=shop, actor=None, phone=CLEO, first_name="Cleo")
    contact_delete(account=shop, actor=None, contact_id=cleo.pk)
    consent_revoke(account=shop, phone="+13055550105", source=ConsentSource.KEYWORD)


def tried(account: Account, content: bytes = FILE, **how: Any) -> ContactImport:
    """A dry run of the file, counted."""
    return ran(account, content, dry_run=True, **how)


def figures(found: ContactImport) -> dict[str, int]:
    names = (
        "rows_read", "rows_new", "rows_updated", "rows_unchanged", "rows_duplicate",
        "rows_refused", "people_opted_out", "people_landline",
    )  # fmt: skip
    return {name.partition("_")[2]: getattr(found, name) for name in names}


EXPECTED = {
    "read": 10, "new": 4, "updated": 1, "unchanged": 1, "duplicate": 1, "refused": 3,
    "opted_out": 1, "landline": 1,
}  # fmt: skip


def written() -> list[object]:
    """Everything an import may write to an account."""
    models = (Contact, ConsentEvent, CustomField, Group)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_every_row_is_counted_and_nothing_is_written(shop: Account, people: None) -> None:
    before = written()

    found = tried(shop, group_name="Spring")

    assert found.status == ImportStatus.CHECKED
    assert figures(found) == EXPECTED
    assert written() == before
    assert list(found.refusals.order_by("line").values_list("line", flat=True)) == [9, 10, 11]


def test_confirmed_it_does_what_it_counted(shop: Account, people: None) -> None:
    found = tried(shop, group_name="Spring", consent_wording="Till, 2026")
    counted = figures(found)

    import_confirm(account=shop, actor=None, import_id=found.pk)
    import_run(found.pk)

    found.refresh_from_db()
    assert found.status == ImportStatus.DONE
    assert figures(found) == counted == EXPECTED | {"updated": 2, "unchanged": 0}
    assert Contact.objects.get(phone="+13055550104").first_name == "Daniel"
    assert Group.objects.get(name="Spring").members.count() == 6
    assert ConsentEvent.objects.filter(kind="in", import_id=found.pk).count() == 5
    assert not ImportRow.objects.exists()
    assert list(
        AuditEvent.objects.filter(action__startswith="import.")
        .order_by("pk")
        .values_list("action", flat=True)
    ) == ["import.started", "import.confirmed", "import.done"]


def test_the_rows_of_a_dry_run_are_not_read_again(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tried(shop)
    monkeypatch.setattr(running, "_stage", lambda run: pytest.fail("read twice"))

    import_confirm(account=shop, actor=None, import_id=found.pk)
    import_run(found.pk)

    found.refresh_from_db()
    assert (found.status, found.rows_new) == (ImportStatus.DONE, 6)


def test_rows_that_a_crash_of_the_database_took_are_read_again(shop: Account) -> None:
    found = tried(shop)
    import_confirm(account=shop, actor=None, import_id=found.pk)
    ImportRow.objects.all().delete()

    import_run(found.pk)

    found.refresh_from_db()
    assert (found.status, found.rows_read, found.rows_new) == (ImportStatus.DONE, 10, 6)
    assert ImportRefusal.objects.count() == 3


def test_what_changed_since_the_dry_run_counts(shop: Account) -> None:
    found = tried(shop)
    contact_upsert(account=shop, actor=None, phone="3055550104", first_name="Daniel")
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)

    import_confirm(account=shop, actor=None, import_id=found.pk)
    import_run(found.pk)

    found.refresh_from_db()
    assert (found.rows_new, found.rows_unchanged, found.people_opted_out) == (5, 1, 1)
    assert Contact.objects.get(phone=ANN).consent == "opted_out"


def test_back_to_the_columns_and_again(shop: Account) -> None:
    found = tried(shop)

    import_reopen(account=shop, actor=None, import_id=found.pk)
    found.refresh_from_db()
    reopened = found.status, figures(found), ImportRow.objects.count(), found.refusals.count()
    import_start(
        account=shop, actor=None, import_id=found.pk, mapping=["phone", "", ""], dry_run=True
    )
    import_run(found.pk)

    found.refresh_from_db()
    assert reopened == (ImportStatus.UPLOADED, dict.fromkeys(EXPECTED, 0), 0, 0)
    assert (found.status, found.rows_read) == (ImportStatus.CHECKED, 10)


def test_a_dry_run_that_is_thrown_away_leaves_nothing(
    shop: Account, media: Path, django_capture_on_commit_callbacks: Callable
) -> None:
    found = tried(shop, group_name="Spring")
    before = written()

    with django_capture_on_commit_callbacks(execute=True):
        import_cancel(account=shop, actor=None, import_id=found.pk)

    found.refresh_from_db()
    assert (found.status, found.rows_new) == (ImportStatus.CANCELED, 0)
    assert written() == before
    assert not ImportRow.objects.exists()
    assert [p for p in media.rglob("*") if p.is_file()] == []


def test_a_dry_run_that_nobody_confirms_is_thrown_away(shop: Account) -> None:
    found = tried(shop)
    assert import_sweep() == []
    old = now() - imports.UNCONFIRMED_AFTER
    ContactImport.objects.filter(pk=found.pk).update(heartbeat_at=old)

    assert import_sweep() == []

    found.refresh_from_db()
    assert (found.status, ImportRow.objects.count()) == (ImportStatus.CANCELED, 0)


def test_only_a_counted_import_of_ones_own_is_confirmed_or_reopened(
    shop: Account, other_shop: Account
) -> None:
    found = tried(shop)
    for move in (import_confirm, import_reopen):
        with pytest.raises(NotFound):
            move(account=other_shop, actor=None, import_id=found.pk)
    import_confirm(account=shop, actor=None, import_id=found.pk)

    for move in (import_confirm, import_reopen):
        with pytest.raises(ImportNotOpen):
            move(account=shop, actor=None, import_id=found.pk)

    found.refresh_from_db()
    assert found.status == ImportStatus.QUEUED


def test_a_group_of_that_name_is_said_before_and_taken_afterwards(shop: Account) -> None:
    found = tried(shop, b"phone\n3055550101\n", group_name="Spring")
    made_since = group_create(account=shop, actor=None, name="Spring")
    import_confirm(account=shop, actor=None, import_id=found.pk)
    import_run(found.pk)

    assert made_since.members.count() == 1
    with pytest.raises(GroupNameTaken):
        tried(shop, group_name=" Spring ")


def test_a_crash_after_confirming_leaves_the_counts_to_be_written(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tried(shop)
    import_confirm(account=shop, actor=None, import_id=found.pk)

    def crash(run: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(running, "_finish", crash)
        with pytest.raises(RuntimeError, match="killed"):
            import_run(found.pk)
    assert Contact.objects.count() == 0
    ContactImport.objects.update(heartbeat_at=now() - imports.STALE_AFTER * 2)
    assert import_sweep() == [found.pk]
    import_run(found.pk)

    found.refresh_from_db()
    assert (found.status, found.rows_new) == (ImportStatus.DONE, 6)
