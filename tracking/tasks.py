"""Background work of the tracking app: asking the pages that drafts lead to."""

from celery import shared_task

from tracking.destinations import destinations_check


@shared_task(name="tracking.check_destinations")
def check_destinations() -> None:
    """Addresses of drafts wait to be asked."""
    destinations_check()
