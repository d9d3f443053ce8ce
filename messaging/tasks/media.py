"""Tasks of media: files that came in with texts wait at the carrier."""

from celery import shared_task

from messaging.inbound_media import inbound_media_fetch


@shared_task(name="messaging.fetch_media")
def fetch_media() -> None:
    """Fetch what came in; beat asks too, for what a lost hint or an absent carrier left."""
    inbound_media_fetch()
