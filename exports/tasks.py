"""Background work of exports, by registered name."""

from celery import shared_task

from exports import services


@shared_task(name="exports.run")
def export_run(export_id: int) -> None:
    """Make one export; a lost or repeated hint does no harm."""
    services.export_run(export_id)


@shared_task(name="exports.sweep")
def export_sweep() -> None:
    """Find exports that a lost hint or a dead worker left behind; delete the old ones."""
    services.export_sweep()
