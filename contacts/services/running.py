"""Running an import: stream the file into staging by COPY, then count or merge it at once.

Nothing of a file is in the contacts until the merge commits, so a crash or a cancel leaves nothing
half done. Every write is conditional on the run number: a worker that was taken over, or whose
import was canceled, stops at its next piece. docs/import.md tells the whole story.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice

from django.db import connection, transaction
from django.db.models.functions import Now

from accounts.services import audit_record
from common.clock import now
from contacts import csvfile
from contacts.choices import ConsentSource, ImportStatus, LineType, RefusalReason
from contacts.columns import labels
from contacts.csvfile import Fault, Record
from contacts.errors import FileUnusable, GroupIsSmart, GroupNameTaken, StaleRun
from contacts.fields import FieldError
from contacts.listfile import open_list
from contacts.models import ContactImport, ErasedNumber, Group, ImportRow
from contacts.rows import CopyBuffer, RowReader
from contacts.selectors import custom_reader, erased_among
from contacts.services.erasing import ERASED_SENTENCE, erasing_held_off
from contacts.services.groups import group_create, groups_check
from contacts.services.imports import file_remove, import_claim, import_fail, staging_whole
from contacts.services.merging import Grant, custom_fields_register, forecast, group_fill, merge
from contacts.services.optouts import opt_outs_forecast, opt_outs_merge
from contacts.services.tags import tag_fill, tags_ensure
from contacts.services.uploads import FILE_GONE, file_path, import_headings, import_shape

log = logging.getLogger(__name__)

# Rows a piece: large enough that COPY costs nothing beside parsing, small enough that progress is
# seen and memory stays at some megabytes.
PIECE_ROWS = 10_000
_STAGE = """
    COPY contacts_importrow (contact_import_id, line, phone, first_name, last_name, email,
        timezone, custom, line_type, region)
    FROM STDIN
"""
_REFUSE = """
    COPY contacts_importrefusal (contact_import_id, line, reason, sentence, raw)
    FROM STDIN
"""
_UNSTAGE = """
    WITH gone AS (
        DELETE FROM contacts_importrow WHERE contact_import_id = %s AND phone = ANY(%s)
        RETURNING contact_import_id, line
    )
    INSERT INTO contacts_importrefusal (contact_import_id, line, reason, sentence, raw)
    SELECT contact_import_id, line, %s, %s, '' FROM gone
"""
# Not the group: somebody may have deleted it meanwhile, and one that is made is kept by itself.
_OUTCOME = (
    "rows_new",
    "rows_updated",
    "rows_unchanged",
    "rows_duplicate",
    "people_opted_out",
    "people_landline",
    "read_bytes",
    "status",
    "is_staged",
    "finished_at",
    "merged_at",
    "path",
)
# The last row of a phone counts. A table of its own, so that the file is sorted once and the
# planner knows its size.
_PEOPLE = """
    CREATE TEMPORARY TABLE import_people ON COMMIT DROP AS
    SELECT DISTINCT ON (phone) phone, first_name, last_name, email, timezone, custom, line_type,
        region
    FROM contacts_importrow
    WHERE contact_import_id = %s
    ORDER BY phone, line DESC
"""
_SOURCE = "SELECT * FROM import_people"
_PEOPLE_KINDS = """
    SELECT count(o.id), count(*) FILTER (WHERE s.line_type = %(landline)s)
    FROM import_people s
    LEFT JOIN contacts_optout o ON o.account_id = (SELECT %(account)s) AND o.phone = s.phone
"""


def import_run(import_id: int) -> None:
    """Run an import that waits, or whose worker is gone, from its first line to its end.

    Safe to call at any time and many times: only one caller gets the run.

    Locks: while merging, the import's row, then its contacts in the order of phones, then the group
        it makes or finds by its name.
    Side effects: contacts, members, consent events, refusals, an audit event; the file is removed.
    """
    run = import_claim(import_id)
    if run is None:
        return
    try:
        if not run.is_staged:
            _stage(run)
        if run.is_dry_run:
            _check(run)
        else:
            _merge(run)
    except StaleRun:
        log.info("import %s: run %s was canceled or taken over", run.pk, run.run_no)
    except FileNotFoundError:
        import_fail(import_id=run.pk, run_no=run.run_no, error=FILE_GONE)
    except (FileUnusable, GroupIsSmart) as error:
        import_fail(import_id=run.pk, run_no=run.run_no, error=error.message)


def _stage(run: ContactImport) -> None:
    """Copy all rows of the file to staging and refusals, a piece a transaction."""
    account = run.account
    reader = RowReader(run.mapping, account.default_country, custom_reader(account=account))
    with open_list(file_path(run.path), import_shape(run)) as (records, file):
        if run.has_header:
            next(records, None)
        while True:
            people, refusals = _piece(run.pk, reader, records)
            rows = people.rows + refusals.rows
            if not rows:
                return
            run.rows_read += rows
            run.rows_refused += refusals.rows
            with transaction.atomic():
                _heartbeat(run, file.tell())
                with connection.cursor() as cursor:
                    cursor.copy_expert(_STAGE, people.stream())
                    cursor.copy_expert(_REFUSE, refusals.stream())


def _piece(
    import_id: int, reader: RowReader, records: Iterator[Record | Fault]
) -> tuple[CopyBuffer, CopyBuffer]:
    people, refusals = CopyBuffer(), CopyBuffer()
    for record in islice(records, PIECE_ROWS):
        if isinstance(record, Fault):
            refusals.refusal(import_id, *record)
            continue
        try:
            person = reader.person(record)
        except FieldError as error:
            raw = csvfile.raw_text(record.raw)
            refusals.refusal(import_id, record.line, error.reason, error.sentence[:300], raw)
        else:
            people.person(import_id, record.line, person)
    return people, refusals


def _heartbeat(run: ContactImport, read_bytes: int) -> None:
    """Show progress, in the transaction of the piece it tells of.

    Raises:
        StaleRun: the import is no longer this run's.
    """
    mine = ContactImport.objects.filter(
        pk=run.pk, run_no=run.run_no, status=ImportStatus.RUNNING
    ).update(
        heartbeat_at=Now(),
        read_bytes=read_bytes,
        rows_read=run.rows_read,
        rows_refused=run.rows_refused,
    )
    if not mine:
        raise StaleRun


@transaction.atomic
def _check(run: ContactImport) -> None:
    """Count what a merge would do, and wait for a person; nothing is in the contacts."""
    people = _gather(run)
    if run.is_opt_out_list:
        new = changed = opt_outs_forecast(account=run.account, source=_SOURCE)
    else:
        new, changed = forecast(account=run.account, source=_SOURCE, params={}, grant=_grant(run))
    _count(run, people=people, new=new, changed=changed)
    run.status = ImportStatus.CHECKED
    run.is_staged = True
    run.save(update_fields=_OUTCOME)


@transaction.atomic
def _merge(run: ContactImport) -> None:
    """Put the staged people into the account, all or none of them."""
    people = _gather(run)
    run.merged_at = now()
    if run.is_opt_out_list:
        new = changed = opt_outs_merge(
            account=run.account,
            source=_SOURCE,
            import_id=run.pk,
            wording=run.consent_wording,
            moment=run.merged_at,
        )
    else:
        new, changed = _contacts_merge(run, run.merged_at)
        if people:
            _group_make(run)
            _lists_fill(run, run.merged_at)
    _count(run, people=people, new=new, changed=changed)
    _finish(run)


def _contacts_merge(run: ContactImport, moment: datetime) -> tuple[int, int]:
    """(new, new or changed) contacts, with their fields and consent."""
    account = run.account
    own = labels(run.mapping, import_headings(run))
    custom_fields_register(account=account, labels=own)
    ((new, changed),) = merge(
        account=account,
        actor=None,
        source=_SOURCE,
        params={},
        grant=_grant(run),
        moment=moment,
        answer="SELECT count(*) FILTER (WHERE is_new), count(*) FROM merged",
    )
    return new, changed


def _lists_fill(run: ContactImport, moment: datetime) -> None:
    """Put the people into the import's group, and its tags on them."""
    account = run.account
    if run.group_id:
        group_fill(
            account=account,
            group_ids=[run.group_id],
            source="SELECT phone FROM import_people",
            params={},
            moment=moment,
        )
    if run.tags:
        tag_fill(
            account=account,
            tags=tags_ensure(account=account, actor=run.created_by, names=run.tags),
            source="SELECT phone FROM import_people",
            params={},
            moment=moment,
        )


def _group_make(run: ContactImport) -> None:
    """The group that was asked for by its name, or the one that somebody made meanwhile.

    After the contacts, as whoever undoes an import or restores people takes them: each holds its
    contacts and then waits for the group, so that no two wait for each other.

    Raises:
        GroupIsSmart: somebody gave that name to rules.

    Locks: the group, so that nobody deletes it before its people are seen.
    """
    if not run.group_name:
        return
    named = Group.objects.select_for_update(no_key=True).filter(
        account=run.account, name=run.group_name
    )
    while (group := named.first()) is None:
        # Taken by somebody meanwhile: it is there now, or was deleted again.
        with suppress(GroupNameTaken):
            group_create(account=run.account, actor=run.created_by, name=run.group_name)
            run.has_made_group = True
    groups_check(run.account, [group.pk])
    run.group = group
    run.save(update_fields=["group", "has_made_group"])


def _gather(run: ContactImport) -> int:
    """The people of the staged rows as the table `import_people`; how many they are.

    Raises:
        StaleRun: the import is no longer this run's; or PostgreSQL crashed and emptied the unlogged
            staging, and the sweeper starts the run again.
    """
    erasing_held_off(account=run.account)
    if not staging_whole(run):
        raise StaleRun
    _heartbeat(run, run.size_bytes)
    _refuse_erased(run)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")
        cursor.execute(_PEOPLE, [run.pk])
        people = cursor.rowcount
        cursor.execute("ANALYZE import_people")
    return people


def _refuse_erased(run: ContactImport) -> None:
    """Staged rows of people who were erased become refused ones, without what they said.

    Costs nothing but a query where the account erased nobody; else a hash for each staged row.
    """
    if not ErasedNumber.objects.filter(account=run.account).exists():
        return
    staged = ImportRow.objects.filter(contact_import=run)
    phones = staged.values_list("phone", flat=True).iterator(chunk_size=PIECE_ROWS)
    found: set[str] = set()
    while piece := list(islice(phones, PIECE_ROWS)):
        found |= {phone for _, phone in erased_among((run.account_id, phone) for phone in piece)}
    if not found:
        return
    with connection.cursor() as cursor:
        cursor.execute(_UNSTAGE, [run.pk, list(found), RefusalReason.ERASED, ERASED_SENTENCE])
        run.rows_refused += cursor.rowcount
    _heartbeat(run, run.size_bytes)


def _count(run: ContactImport, *, people: int, new: int, changed: int) -> None:
    """Write down the figures of rows and people, whose table goes; the caller saves."""
    run.rows_new = new
    run.rows_updated = changed - new
    run.rows_unchanged = people - changed
    run.rows_duplicate = run.rows_read - run.rows_refused - people
    run.read_bytes = run.size_bytes
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE_KINDS, {"account": run.account_id, "landline": LineType.LANDLINE})
        run.people_opted_out, run.people_landline = cursor.fetchone()
        cursor.execute("DROP TABLE import_people")
    if run.is_opt_out_list:
        run.people_opted_out = run.rows_unchanged


def _finish(run: ContactImport) -> None:
    run.status = ImportStatus.DONE
    run.is_staged = False
    run.finished_at = now()
    file_remove(run)
    run.save(update_fields=_OUTCOME)
    staged = ImportRow.objects.filter(contact_import=run)
    staged._raw_delete(staged.db)
    audit_record(
        account=run.account,
        actor=run.created_by,
        action="import.done",
        subject=run.filename,
        data={"import": run.pk, "accepted": run.rows_accepted, "refused": run.rows_refused},
    )


def _grant(run: ContactImport) -> Grant:
    return Grant(ConsentSource.IMPORT, run.consent_wording, run.pk)
