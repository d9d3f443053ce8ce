"""`manage.py reconcile BLAST`: hold a blast against the carrier's records now."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.models import Blast
from messaging.carrier_list import CarrierAway
from messaging.reconcile import batch_reconcile


class Command(BaseCommand):
    """Prints what disagrees and exits 1, or says that nothing does."""

    help = "Compare a blast's messages with the carrier's own list; exit 1 on any difference."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which blast."""
        parser.add_argument("blast", type=int, help="id of the blast, as in its address")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, compare, tell."""
        blast = Blast.objects.select_related("batch").filter(pk=options["blast"]).first()
        if blast is None or blast.batch is None:
            raise CommandError(f"There is no blast {options['blast']} that was launched.")
        try:
            found = batch_reconcile(batch=blast.batch)
        except CarrierAway as error:
            raise CommandError(f"{error}; nothing was changed. Try again later.") from error
        for one in found:
            self.stdout.write(
                f"{one.kind} message {one.message_id} ({one.carrier_id}): "
                f"ours {one.ours or 'none'}, the carrier's {one.theirs or 'none'}"
            )
        if found:
            self.stderr.write(f"{len(found)} differences from the carrier's records.")
            sys.exit(1)
        self.stdout.write("Agrees with the carrier's records.")
