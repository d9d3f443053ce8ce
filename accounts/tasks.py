"""Background work of accounts: one more interface that calls services."""

from celery import shared_task

from accounts import services


@shared_task(name="accounts.warn_low_balances")
def warn_low_balances() -> None:
    """Sweep: who fell below their line of credits is told."""
    services.balances_warn()
