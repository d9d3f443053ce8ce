"""Background work of the contacts app, by registered name."""

from celery import shared_task

from accounts.models import Account
from contacts import selectors, services


@shared_task(name="contacts.import_run")
def import_run(import_id: int) -> None:
    """Run one import; a lost or repeated hint does no harm."""
    services.import_run(import_id)


@shared_task(name="contacts.import_sweep")
def import_sweep() -> None:
    """Find imports and undoings that a lost hint or a dead worker left behind."""
    services.import_sweep()
    services.undo_sweep()


@shared_task(name="contacts.import_undo")
def import_undo(import_id: int) -> None:
    """Undo one import; a lost or repeated hint does no harm."""
    services.import_undo_run(import_id)


@shared_task(name="contacts.group_count")
def group_count(account_id: int, group_id: int) -> None:
    """Count a smart group, however long it takes."""
    account = Account.objects.get(pk=account_id)
    group = selectors.groups_list(account=account).filter(pk=group_id, rules__isnull=False).first()
    if group is not None:
        services.group_count(account=account, group=group)
