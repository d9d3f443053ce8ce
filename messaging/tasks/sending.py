"""Tasks of the send engine: hints to send, and the sweepers that find what lost hints left."""

from celery import shared_task

from contacts.services import optin_pending_expire
from messaging.breaker import batches_judge
from messaging.evidence import unknown_look_up
from messaging.judge import leases_judge
from messaging.retention import events_remove, texts_remove
from messaging.sending.drain import drain
from messaging.services.finish import batches_finish
from messaging.services.media import media_sweep


@shared_task(name="messaging.send_windows")
def send_windows() -> None:
    """There is something to send: send until there is not."""
    drain(overlap=True)


@shared_task(name="messaging.send_sweep")
def send_sweep() -> None:
    """Send what a lost hint left behind."""
    drain(overlap=True)


@shared_task(name="messaging.finish_batches")
def finish_batches() -> None:
    """End batches with nothing pending and release their unused credits."""
    batches_finish()


@shared_task(name="messaging.breaker_check")
def breaker_check() -> None:
    """Pause blasts that fail too often for one cause."""
    batches_judge()


@shared_task(name="messaging.judge_expired")
def judge_expired() -> None:
    """Judge leases that ran out, and look up what is unknown."""
    leases_judge()
    unknown_look_up()


@shared_task(name="messaging.retention_sweep")
def retention_sweep() -> None:
    """Remove old texts and raw events, opt-ins that nobody confirmed, unused pictures."""
    texts_remove()
    events_remove()
    optin_pending_expire()
    media_sweep()
