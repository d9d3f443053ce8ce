"""Tasks of the receiving side: hints that events or hits were stored, sweeps, reconciliation."""

from celery import shared_task

from messaging.receipts.apply import clicks_apply_all, events_apply
from messaging.reconcile_due import reconcile_due


@shared_task(name="messaging.apply_events")
def apply_events() -> None:
    """Status callbacks, inbound texts and reported clicks wait: apply them."""
    events_apply()


@shared_task(name="messaging.apply_clicks")
def apply_clicks() -> None:
    """Hits on short links wait: judge and count them."""
    clicks_apply_all()


@shared_task(name="messaging.reconcile_due")
def reconcile() -> None:
    """Hold what is due against the carriers' records."""
    reconcile_due()
