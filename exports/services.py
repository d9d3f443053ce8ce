"""Making exports in the background: part by part, by any worker, going on where the last one ended.

Each part is one transaction that holds the export's row, reads the rows behind the last one kept,
and keeps the part with the progress. So a part is in the file exactly once, two workers cannot make
the same one, and a worker that dies loses no more than the part it was at. Rows that change while
a long file is made stand in it as they were when their part was read.
"""

import hashlib
import json
import time
import zlib
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.csvout import csv_lines
from common.deadline import TimeUp, within
from common.errors import DomainError
from common.jobs import enqueue
from common.text import typed
from exports.choices import ExportState
from exports.lists import Params, export_list, export_page
from exports.models import Export, ExportPart

# Some seconds of work and a megabyte of memory a part.
PART_ROWS = 10_000
KEPT_FOR = timedelta(days=7)
# A running export that nobody has touched for so long has lost its hint or its worker.
_LOST_AFTER = timedelta(seconds=30)
_MOST_TRIES = 5
# A worker process gives its place to other work now and then: STOPs wait in the same pool.
_SHIFT_S = 20.0
_LOOK_S = 3.0
_GAVE_UP = "It stopped several times before the end. Narrow the list down and ask again."


def is_long(*, account: Account, kind: str, params: Params) -> bool:
    """Whether a list is too long to be answered at once (`EXPORT_STREAM_ROWS`). One query.

    So is one whose rows cannot be counted in a few seconds.

    Raises:
        NotFound: the account has no such list.
    """
    most = settings.EXPORT_STREAM_ROWS
    rows = export_list(kind).rows(account, params)
    try:
        with within(_LOOK_S):
            return bool(rows.select_related(None).order_by()[: most + 1].count() > most)
    except TimeUp:
        return True


def export_request(
    *, account: Account, actor: User | None, kind: str, params: Params, filename: str
) -> Export:
    """Have a list made into a file in the background; the one in the making where there is one.

    Raises:
        NotFound: the account has no such list.

    Side effects: an audit event, and a hint to a worker.
    """
    one = export_list(kind)
    kept = {typed(name)[:40]: typed(params[name])[:200] for name in sorted(params)[:20]}
    key = hashlib.sha256(json.dumps([kind, kept]).encode()).hexdigest()
    one.rows(account, kept)
    title = one.title(account, kept)[:200]
    try:
        with transaction.atomic():
            export = Export.objects.create(
                account=account,
                requested_by=actor,
                kind=kind,
                params=kept,
                key=key,
                title=title,
                filename=filename[:80],
            )
            audit_record(
                account=account,
                actor=actor,
                action="export.requested",
                subject=title,
                data={"export": export.pk, "kind": kind, "params": kept},
            )
            enqueue("exports.run", export.pk)
            return export
    except IntegrityError:
        return Export.objects.filter(account=account, key=key).latest("pk")


def export_run(export_id: int) -> None:
    """Make an export from where it stands to its end, or for _SHIFT_S; the rest is hinted at.

    Safe to call at any time and many times; another worker at the same export is left to it.

    Locks: the export's row, a part at a time.
    """
    until_s = time.monotonic() + _SHIFT_S
    if not _begin(export_id):
        return
    while _part_make(export_id):
        if time.monotonic() > until_s:
            enqueue("exports.run", export_id)
            return


@transaction.atomic
def export_sweep() -> list[int]:
    """Hint again at exports whose hint or worker was lost; delete those that have been kept long.

    Returns:
        Ids of the exports that were hinted at.
    """
    due = Export.objects.filter(expires_at__lt=now()).order_by("pk")
    for export in due.select_for_update(skip_locked=True)[:20]:
        # By one DELETE of their own: the ORM's cascade would load every part.
        parts = export.parts.all()
        parts._raw_delete(parts.db)
        export.delete()
    lost = Export.objects.filter(
        state=ExportState.RUNNING, touched_at__lt=now() - _LOST_AFTER
    ).order_by("pk")
    ids = list(lost.values_list("pk", flat=True)[:100])
    for export_id in ids:
        enqueue("exports.run", export_id)
    return ids


def _locked(export_id: int) -> Export | None:
    running = Export.objects.filter(pk=export_id, state=ExportState.RUNNING)
    return (
        running.select_related("account")
        .select_for_update(skip_locked=True, no_key=True, of=("self",))
        .first()
    )


@transaction.atomic
def _begin(export_id: int) -> bool:
    """Count one more try, and on the first of all the rows; whether there is anything to do."""
    export = _locked(export_id)
    if export is None:
        return False
    if export.tries >= _MOST_TRIES:
        _fail(export, _GAVE_UP)
        return False
    if export.rows_total is None:
        try:
            rows = export_list(export.kind).rows(export.account, export.params)
        except DomainError as error:
            _fail(export, error.message)
            return False
        export.rows_total = rows.select_related(None).order_by().count()
    export.tries += 1
    export.touched_at = now()
    export.save(update_fields=["tries", "rows_total", "touched_at"])
    return True


@transaction.atomic
def _part_make(export_id: int) -> bool:
    """Make the next part; whether there is another one after it."""
    export = _locked(export_id)
    if export is None:
        return False
    one = export_list(export.kind)
    try:
        rows = one.rows(export.account, export.params)
    except DomainError as error:
        _fail(export, error.message)
        return False
    page = export_page(one, account=export.account, rows=rows, after=export.last_id, size=PART_ROWS)
    is_first = export.size_bytes == 0
    heading = "".join(csv_lines(one.heading(export.account), ())) if is_first else ""
    text = (heading + page.text).encode()
    export.last_id = page.last_id or export.last_id
    if text:
        ExportPart.objects.create(
            export=export, n=export.parts.count(), content=zlib.compress(text)
        )
    export.rows_done += page.rows
    export.size_bytes += len(text)
    export.tries = 0
    export.touched_at = now()
    if page.is_last:
        export.state = ExportState.DONE
        _end(export)
    export.save()
    return not page.is_last


def _fail(export: Export, error: str) -> None:
    export.state = ExportState.FAILED
    export.error = error[:300]
    _end(export)
    export.save()


def _end(export: Export) -> None:
    export.finished_at = now()
    export.expires_at = export.finished_at + KEPT_FOR
