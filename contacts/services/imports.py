"""An import from upload to the moment a worker may run it; canceling, restarting, sweeping.

Owns the uploaded file and the states of ContactImport. Reading rows and merging them is
contacts.services.running.
"""

import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path, PurePath
from typing import NamedTuple

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import NotFound
from common.ids import secret_token
from common.jobs import enqueue
from contacts import columns, csvfile
from contacts.choices import ImportStatus
from contacts.errors import FileUnusable, ImportNotOpen
from contacts.models import ContactImport, Group, ImportRefusal, ImportRow
from contacts.selectors import mapping_remembered
from contacts.services.groups import group_create

FILE_BYTES_MAX = 512 * 1024 * 1024
FILE_GONE = "The uploaded file is gone. Nothing was imported. Upload it again."
RUNS_MAX = 5
# A heartbeat comes with every piece, some times a second; a merge holds the row's lock instead.
STALE_AFTER = timedelta(seconds=60)
HINT_LOST_AFTER = timedelta(seconds=10)
FORGOTTEN_AFTER = timedelta(days=7)


class Preview(NamedTuple):
    """Names of a file's columns, and for each its first filled cells."""

    headings: list[str]
    samples: list[list[str]]


def import_create(*, account: Account, actor: User | None, upload: UploadedFile) -> ContactImport:
    """Keep an uploaded file and guess how it is written and what its columns are.

    Columns go where those of the account's last finished import with these headings went.

    Args:
        account: Whose contacts the file holds.
        actor: Who uploaded it.
        upload: The file, read in chunks.

    Returns:
        The import, waiting for its columns to be confirmed (`import_start`).

    Raises:
        FileUnusable: too large, empty, no text, or without rows. Nothing is kept.
    """
    if (upload.size or 0) > FILE_BYTES_MAX:
        raise FileUnusable(
            f"This file is larger than {FILE_BYTES_MAX >> 20} MB. Split it and import the parts."
            " Nothing was imported."
        )
    path = f"imports/{account.pk}/{secret_token()}.csv"
    target = file_path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(upload, file, 1 << 20)
    contact_import = ContactImport(
        account=account,
        created_by=actor,
        filename=PurePath(upload.name or "contacts.csv").name.replace("\0", "")[:200],
        path=path,
        size_bytes=target.stat().st_size,
    )
    try:
        encoding = csvfile.encoding_detect(target)
        delimiter = csvfile.delimiter_detect(csvfile.text_head(target, encoding))
        _layout_guess(contact_import, encoding, delimiter, None)
        contact_import.save()
    except Exception:
        target.unlink(missing_ok=True)
        raise
    return contact_import


@transaction.atomic
def import_reread(
    *,
    account: Account,
    import_id: int,
    encoding: str,
    delimiter: str,
    has_header: bool,
) -> ContactImport:
    """Read the beginning of the file in another way and guess its columns anew.

    Raises:
        FileUnusable: read like this, the file has no rows.
        ImportNotOpen: its columns were confirmed already.
        NotFound: no such import in the account.
    """
    contact_import = _open_lock(account, import_id)
    _layout_guess(contact_import, encoding, delimiter, has_header)
    contact_import.save()
    return contact_import


def import_preview(contact_import: ContactImport) -> Preview:
    """The beginning of an uploaded file, as its columns are read now; three cells a column.

    Raises:
        FileUnusable: the file is gone.
    """
    path = file_path(contact_import.path)
    try:
        found = csvfile.sample(path, contact_import.encoding, contact_import.delimiter)
    except FileNotFoundError as error:
        raise FileUnusable(FILE_GONE) from error
    rows = [record.cells for record in found]
    count = len(contact_import.mapping)
    headings = columns.headings_of(rows, has_header=contact_import.has_header, columns=count)
    body = rows[1:] if contact_import.has_header else rows
    samples = [
        [row[i].strip() for row in body if i < len(row) and row[i].strip()][:3]
        for i in range(count)
    ]
    return Preview(headings, samples)


@transaction.atomic
def import_start(
    *,
    account: Account,
    actor: User | None,
    import_id: int,
    mapping: Sequence[str],
    group: Group | None = None,
    group_name: str = "",
    consent_wording: str = "",
) -> ContactImport:
    """Confirm the columns and hand the import to a worker.

    Args:
        account: Whose import.
        actor: Who confirms.
        import_id: An uploaded import of the account.
        mapping: One entry a column (see contacts.columns).
        group: A group of the account for everybody in the file.
        group_name: Name of a group to be made for them, instead.
        consent_wording: How these people agreed to be texted; empty leaves their consent as it is.

    Raises:
        GroupNameTaken: the account has a group of that name.
        ImportNotOpen: it was started or canceled already.
        MappingInvalid: the columns cannot be imported like this.
        NotFound: no such import, or another account's group.

    Side effects: enqueues contacts.import_run; an audit event.
    """
    columns.check(mapping)
    if group is not None and group.account_id != account.pk:
        raise NotFound
    contact_import = _open_lock(account, import_id)
    if group_name.strip():
        group = group_create(account=account, actor=actor, name=group_name)
    contact_import.mapping = list(mapping)
    contact_import.group = group
    contact_import.consent_wording = consent_wording.strip()[:500]
    contact_import.status = ImportStatus.QUEUED
    contact_import.heartbeat_at = now()
    contact_import.save()
    audit_record(
        account=account,
        actor=actor,
        action="import.started",
        subject=contact_import.filename,
        data={"import": contact_import.pk, "group": group.name if group else ""},
    )
    enqueue("contacts.import_run", contact_import.pk)
    return contact_import


@transaction.atomic
def import_cancel(*, account: Account, actor: User | None, import_id: int) -> ContactImport:
    """Stop an import before anything of it is in the contacts; the file is removed.

    Raises:
        ImportNotOpen: it is finished, or just being written as a whole.
        NotFound: no such import in the account.
    """
    if not ContactImport.objects.filter(account=account, pk=import_id).exists():
        raise NotFound
    contact_import = (
        ContactImport.objects.select_for_update(no_key=True, skip_locked=True)
        .filter(
            pk=import_id,
            status__in=(ImportStatus.UPLOADED, ImportStatus.QUEUED, ImportStatus.RUNNING),
        )
        .first()
    )
    if contact_import is None:
        raise ImportNotOpen("This import can no longer be canceled: its rows are being written.")
    contact_import.status = ImportStatus.CANCELED
    contact_import.finished_at = now()
    contact_import.rows_read = contact_import.rows_refused = 0
    file_remove(contact_import)
    contact_import.save()
    staging_clear(contact_import.pk)
    audit_record(
        account=account, actor=actor, action="import.canceled", subject=contact_import.filename
    )
    return contact_import


def import_sweep() -> list[int]:
    """Hint again at imports whose hint or worker was lost; give up on hopeless and forgotten ones.

    Returns:
        Ids of the imports that were hinted at.
    """
    hopeless = "It stopped several times before the end. Nothing was imported. Try a smaller file."
    for contact_import in _lockable(_lost() & Q(run_no__gte=RUNS_MAX)):
        import_fail(import_id=contact_import.pk, run_no=contact_import.run_no, error=hopeless)
    forgotten = Q(status=ImportStatus.UPLOADED, created_at__lt=Now() - FORGOTTEN_AFTER)
    for contact_import in _lockable(forgotten):
        import_cancel(account=contact_import.account, actor=None, import_id=contact_import.pk)
    ids = [found.pk for found in _lockable(_lost())]
    for import_id in ids:
        enqueue("contacts.import_run", import_id)
    return ids


@transaction.atomic
def import_claim(import_id: int) -> ContactImport | None:
    """Take an import that waits or whose worker is gone, and clear what that worker left.

    Returns:
        The import under a new run number, or None where there is nothing to do.
    """
    waiting = Q(status=ImportStatus.QUEUED) | _lost()
    claimable = ContactImport.objects.filter(waiting, pk=import_id, run_no__lt=RUNS_MAX)
    contact_import = claimable.select_for_update(no_key=True, skip_locked=True).first()
    if contact_import is None:
        return None
    ContactImport.objects.filter(pk=import_id).update(
        status=ImportStatus.RUNNING,
        run_no=F("run_no") + 1,
        heartbeat_at=Now(),
        read_bytes=0,
        rows_read=0,
        rows_refused=0,
    )
    staging_clear(import_id)
    return ContactImport.objects.select_related("account", "created_by").get(pk=import_id)


@transaction.atomic
def import_fail(*, import_id: int, run_no: int, error: str) -> None:
    """End a run that cannot succeed, with a sentence for the person; nothing of it stays."""
    contact_import = (
        ContactImport.objects.select_for_update(no_key=True)
        .filter(pk=import_id, run_no=run_no, status__in=(ImportStatus.RUNNING, ImportStatus.QUEUED))
        .first()
    )
    if contact_import is None:
        return
    contact_import.status = ImportStatus.FAILED
    contact_import.error = error
    contact_import.finished_at = now()
    contact_import.rows_read = contact_import.rows_refused = 0
    file_remove(contact_import)
    contact_import.save()
    staging_clear(import_id)


def file_path(path: str) -> Path:
    """Where an import's file lies."""
    return Path(settings.MEDIA_ROOT) / path


def file_remove(contact_import: ContactImport) -> None:
    """Remove the uploaded file once the change under way is committed; the caller saves `path`."""
    if contact_import.path:
        target = file_path(contact_import.path)
        transaction.on_commit(lambda: target.unlink(missing_ok=True))
        contact_import.path = ""


def staging_clear(import_id: int) -> None:
    """Delete staged rows and refusals of an import, one statement each."""
    for rows in (
        ImportRow.objects.filter(contact_import_id=import_id),
        ImportRefusal.objects.filter(contact_import_id=import_id),
    ):
        rows._raw_delete(rows.db)


def _layout_guess(
    contact_import: ContactImport, encoding: str, delimiter: str, has_header: bool | None
) -> None:
    rows = [
        record.cells
        for record in csvfile.sample(file_path(contact_import.path), encoding, delimiter)
    ]
    if not rows:
        raise FileUnusable(
            "No rows could be read from this file. Export the list as CSV and upload that."
            " Nothing was imported."
        )
    if columns.width(rows) > columns.COLUMNS_MAX:
        raise FileUnusable(
            f"This file has more than {columns.COLUMNS_MAX:,} columns. Keep those you need and"
            " upload it again. Nothing was imported."
        )
    layout = columns.guess(rows, country=contact_import.account.default_country, header=has_header)
    contact_import.encoding = encoding
    contact_import.delimiter = delimiter
    contact_import.has_header = layout.has_header
    contact_import.mapping = layout.mapping
    contact_import.headings_key = ""
    if layout.has_header:
        names = columns.headings_of(rows, has_header=True, columns=len(layout.mapping))
        contact_import.headings_key = columns.headings_key(names)
        contact_import.mapping = mapping_remembered(contact_import) or layout.mapping


def _open_lock(account: Account, import_id: int) -> ContactImport:
    contact_import = (
        ContactImport.objects.select_for_update(no_key=True, of=("self",))
        .select_related("account")
        .filter(account=account, pk=import_id)
        .first()
    )
    if contact_import is None:
        raise NotFound
    if contact_import.status != ImportStatus.UPLOADED:
        raise ImportNotOpen("This import was started already. Reload the page to see it.")
    return contact_import


def _lost() -> Q:
    return Q(status=ImportStatus.RUNNING, heartbeat_at__lt=Now() - STALE_AFTER) | Q(
        status=ImportStatus.QUEUED, heartbeat_at__lt=Now() - HINT_LOST_AFTER
    )


@transaction.atomic
def _lockable(which: Q) -> list[ContactImport]:
    """Imports that no worker holds at this moment (a merge holds its row until it is done)."""
    found = ContactImport.objects.filter(which).select_for_update(
        no_key=True, skip_locked=True, of=("self",)
    )
    return list(found.select_related("account").order_by("pk")[:100])
