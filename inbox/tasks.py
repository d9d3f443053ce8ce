"""Background work of the inbox."""

from celery import shared_task

from inbox import services


@shared_task(name="inbox.catch_up")
def catch_up() -> None:
    """File texts whose signal was lost."""
    services.conversations_catch_up()
