"""An import's states as people and the sweeper move them: start, confirm, reopen, cancel, claim.

Keeping the file is contacts.services.uploads, reading and merging its rows
contacts.services.running.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import NotFound
from common.jobs import enqueue
from contacts import columns
from contacts.choices import ImportPurpose, ImportStatus
from contacts.errors import GroupNameTaken, ImportNotOpen, MappingInvalid
from contacts.models import RUNS_MAX, ContactImport, Group, ImportRefusal, ImportRow
from contacts.services.groups import groups_check
from contacts.services.own_fields import fields_hold
from contacts.services.smart import group_lock
from contacts.services.tags import tag_names
from contacts.services.uploads import file_path, import_create, import_lock

# A heartbeat comes with every piece, some times a second; a merge holds the row's lock instead.
STALE_AFTER = timedelta(seconds=60)
HINT_LOST_AFTER = timedelta(seconds=10)
FORGOTTEN_AFTER = timedelta(days=7)
UNCONFIRMED_AFTER = timedelta(days=2)


@transaction.atomic
def import_start(
    *,
    account: Account,
    actor: User | None,
    import_id: int,
    mapping: Sequence[str],
    group: Group | None = None,
    group_name: str = "",
    tags: Sequence[str] = (),
    consent_wording: str = "",
    dry_run: bool = False,
) -> ContactImport:
    """Confirm the columns and hand the import to a worker.

    Args:
        account: Whose import.
        actor: Who confirms.
        import_id: An uploaded import of the account.
        mapping: One entry a column (see contacts.columns).
        group: A group of the account for everybody in the file.
        group_name: Name of a group to be made for them, instead.
        tags: Names of tags for everybody in the file; new ones are made when it is merged.
        consent_wording: How these people agreed to be texted; empty leaves their consent as it is.
            Of an opt-out list: where it comes from.
        dry_run: Stop once every row is counted, with nothing written, until `import_confirm`.

    Raises:
        GroupNameTaken: the account has a group of that name.
        ImportNotOpen: it was started or canceled already.
        MappingInvalid: the columns cannot be imported like this.
        NotFound: no such import, or another account's group.
        GroupIsSmart: rules decide who is in the group.
        Invalid: a name cannot be a tag's.

    Locks: the account's fields, shared; the import; the group.
    Side effects: enqueues contacts.import_run; an audit event.
    """
    columns.check(mapping)
    fields_hold(account)
    contact_import = import_lock(account, import_id, ImportStatus.UPLOADED)
    if group is not None:
        # Held, so that whoever deletes it finds this import.
        group_lock(account, group.pk)
        groups_check(account, [group.pk])
    contact_import.tags = tag_names(tags)
    more = set(mapping) - {"", "phone"} or group or group_name or contact_import.tags
    if contact_import.is_opt_out_list and more:
        raise MappingInvalid(
            "Of an opt-out list only the phone numbers are taken, and nobody joins a group or gets"
            " a tag. Leave the other columns out. Nothing was imported yet."
        )
    name = " ".join(group_name.split())
    if name and Group.objects.filter(account=account, name=name).exists():
        raise GroupNameTaken(name)
    contact_import.mapping = list(mapping)
    contact_import.group = None if name else group
    contact_import.group_name = name
    contact_import.consent_wording = consent_wording.strip()[:500]
    contact_import.is_dry_run = dry_run
    _queue(contact_import, actor, "import.started")
    return contact_import


def import_take(
    *,
    account: Account,
    actor: User | None,
    upload: UploadedFile,
    purpose: ImportPurpose = ImportPurpose.CONTACTS,
    mapping: Sequence[str] | None = None,
    group_id: int | None = None,
    **asked: Any,
) -> ContactImport:
    """Keep a file and start its import at once, for programs: nobody looks at its columns.

    Args:
        account: Whose contacts the file holds.
        actor: Who uploaded it.
        upload: The file.
        purpose: Whether its people are to be texted, or must not be.
        mapping: One entry a column; None for what is guessed.
        group_id: A group of the account for everybody in the file.
        asked: `group_name`, `tags`, `consent_wording` and `dry_run` of `import_start`.

    Raises:
        FileUnusable: the file cannot be read.
        MappingInvalid: the columns cannot be imported like this.
        DomainError: what else `import_start` raises. Nothing is kept of the file.
    """
    group = None
    if group_id is not None:
        group = Group.objects.filter(account=account, pk=group_id).first()
        if group is None:
            raise NotFound("There is no such group. Nothing was imported.")
    with transaction.atomic():
        made = import_create(account=account, actor=actor, upload=upload, purpose=purpose)
        try:
            if mapping is not None and len(mapping) != len(made.mapping):
                raise MappingInvalid(
                    f"The file has {len(made.mapping)} columns, and {len(mapping)} were named."
                    " Nothing was imported."
                )
            return import_start(
                account=account,
                actor=actor,
                import_id=made.pk,
                mapping=made.mapping if mapping is None else mapping,
                group=group,
                **asked,
            )
        except Exception:
            file_path(made.path).unlink(missing_ok=True)
            raise


@transaction.atomic
def import_confirm(*, account: Account, actor: User | None, import_id: int) -> ContactImport:
    """Have the rows of a dry run written, as they were counted; its group is made with them.

    What changed in the account meanwhile counts: the figures of the result are the merge's own.

    Raises:
        ImportNotOpen: it is not waiting for this, or no longer.
        GroupIsSmart: its group's name went to a group with rules meanwhile.
        NotFound: no such import in the account.

    Side effects: enqueues contacts.import_run; an audit event.
    """
    contact_import = import_lock(account, import_id, ImportStatus.CHECKED)
    contact_import.is_dry_run = False
    contact_import.runs_max = contact_import.run_no + RUNS_MAX
    if contact_import.group_name:
        named = Group.objects.filter(account=account, name=contact_import.group_name)
        groups_check(account, list(named.values_list("pk", flat=True)))
    _queue(contact_import, actor, "import.confirmed")
    return contact_import


@transaction.atomic
def import_reopen(*, account: Account, actor: User | None, import_id: int) -> ContactImport:
    """Go back from a dry run to its columns; what was counted is forgotten.

    Raises:
        ImportNotOpen: it is not a dry run that waits.
        NotFound: no such import in the account.
    """
    contact_import = import_lock(account, import_id, ImportStatus.CHECKED)
    contact_import.status = ImportStatus.UPLOADED
    contact_import.is_dry_run = contact_import.is_staged = False
    contact_import.runs_max = contact_import.run_no + RUNS_MAX
    contact_import.counts_clear()
    contact_import.save()
    staging_clear(contact_import.pk)
    audit_record(
        account=account, actor=actor, action="import.reopened", subject=contact_import.filename
    )
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
            status__in=(
                ImportStatus.UPLOADED,
                ImportStatus.QUEUED,
                ImportStatus.RUNNING,
                ImportStatus.CHECKED,
            ),
        )
        .first()
    )
    if contact_import is None:
        raise ImportNotOpen("This import can no longer be canceled: its rows are being written.")
    contact_import.status = ImportStatus.CANCELED
    contact_import.finished_at = now()
    contact_import.is_staged = False
    contact_import.counts_clear()
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
    for contact_import in _lockable(_lost() & Q(run_no__gte=F("runs_max"))):
        import_fail(import_id=contact_import.pk, run_no=contact_import.run_no, error=hopeless)
    for contact_import in _lockable(_forgotten()):
        import_cancel(account=contact_import.account, actor=None, import_id=contact_import.pk)
    ids = [found.pk for found in _lockable(_lost())]
    for import_id in ids:
        enqueue("contacts.import_run", import_id)
    return ids


@transaction.atomic
def import_claim(import_id: int) -> ContactImport | None:
    """Take an import that waits or whose worker is gone, and clear what that worker left.

    The rows of a dry run stay, unless a crash of PostgreSQL emptied the unlogged staging.

    Returns:
        The import under a new run number, or None where there is nothing to do.
    """
    waiting = Q(status=ImportStatus.QUEUED) | _lost()
    claimable = ContactImport.objects.filter(waiting, pk=import_id, run_no__lt=F("runs_max"))
    contact_import = claimable.select_for_update(no_key=True, skip_locked=True).first()
    if contact_import is None:
        return None
    contact_import.status = ImportStatus.RUNNING
    contact_import.run_no = F("run_no") + 1
    contact_import.heartbeat_at = Now()
    if not (contact_import.is_staged and staging_whole(contact_import)):
        contact_import.is_staged = False
        contact_import.counts_clear()
        staging_clear(import_id)
    contact_import.save()
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
    contact_import.is_staged = False
    contact_import.counts_clear()
    file_remove(contact_import)
    contact_import.save()
    staging_clear(import_id)


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


def staging_whole(contact_import: ContactImport) -> bool:
    """Whether every row that was read is still staged or refused."""
    staged = ImportRow.objects.filter(contact_import=contact_import).count()
    return contact_import.rows_refused + staged == contact_import.rows_read


def _queue(contact_import: ContactImport, actor: User | None, action: str) -> None:
    contact_import.status = ImportStatus.QUEUED
    contact_import.heartbeat_at = now()
    contact_import.save()
    group = contact_import.group.name if contact_import.group else contact_import.group_name
    audit_record(
        account=contact_import.account,
        actor=actor,
        action=action,
        subject=contact_import.filename,
        data={
            "import": contact_import.pk,
            "group": group,
            "dry_run": contact_import.is_dry_run,
        },
    )
    enqueue("contacts.import_run", contact_import.pk)


def _forgotten() -> Q:
    """Uploads that nobody confirmed, and dry runs, whose staged rows are in everybody's way."""
    return Q(status=ImportStatus.UPLOADED, created_at__lt=Now() - FORGOTTEN_AFTER) | Q(
        status=ImportStatus.CHECKED, heartbeat_at__lt=Now() - UNCONFIRMED_AFTER
    )


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
