"""Tasks about who may be texted: comparisons of opt-outs."""

from celery import shared_task

from messaging.services.drift import drift_check, drifts_due


@shared_task(name="messaging.opt_out_compare")
def opt_out_compare(account_id: int) -> None:
    """Somebody asked for a comparison of an account's opt-outs."""
    drift_check(account_id)


@shared_task(name="messaging.opt_out_compare_due")
def opt_out_compare_due() -> None:
    """Compare what was compared a week ago, and what a lost hint left waiting."""
    drifts_due()
