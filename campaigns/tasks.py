"""Background work of the campaigns app: launching what is due.

Beat asks every second; "send now" also leaves a hint for the moment its undo time is over.
"""

from celery import shared_task

from campaigns import services


@shared_task(name="campaigns.launch_due")
def launch_due() -> None:
    """Launch every blast whose time has come, those of series too."""
    services.series_make_due()
    services.blasts_launch_due()
