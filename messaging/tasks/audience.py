"""Tasks about who may be texted: comparisons of opt-outs, look-ups of line types."""

from celery import shared_task

from messaging import lookups
from messaging.services.drift import drift_check, drifts_due


@shared_task(name="messaging.opt_out_compare")
def opt_out_compare(account_id: int) -> None:
    """Somebody asked for a comparison of an account's opt-outs."""
    drift_check(account_id)


@shared_task(name="messaging.opt_out_compare_due")
def opt_out_compare_due() -> None:
    """Compare what was compared a week ago, and what a lost hint left waiting."""
    drifts_due()


@shared_task(name="messaging.lookup_run")
def lookup_run(run_id: int) -> None:
    """Line types were asked for; a lost or repeated hint does no harm."""
    lookups.lookup_run(run_id)


@shared_task(name="messaging.lookup_sweep")
def lookup_sweep() -> None:
    """Find look-ups that a lost hint or a dead worker left behind."""
    lookups.lookup_sweep()
