"""A blast that is scheduled, and launched as beat would."""

from datetime import timedelta
from typing import Any

from accounts.models import Account, CreditEntry, User
from campaigns import services
from campaigns.models import Blast
from common.clock import now
from messaging.models import Batch, Message

LATER = timedelta(hours=1)


def schedule(account: Account, actor: User, blast: Blast, **when: Any) -> Blast:
    return services.blast_schedule(account=account, actor=actor, blast=blast, **when)


def launch(blast: Blast) -> bool:
    """Launch as beat would, an hour from now."""
    return services.blast_launch(blast_id=blast.pk, moment=now() + LATER)


def nothing_was_sent(account: Account) -> bool:
    return not (
        Batch.objects.exists()
        or Message.objects.exists()
        or CreditEntry.objects.filter(account=account, kind="reserve").exists()
    )
