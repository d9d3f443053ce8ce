"""`manage.py verify_reports`: recount every kept total; exits 1 when one is not what rows say."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from messaging.recounting import differences


class Command(BaseCommand):
    """Prints each difference; silence but for one line is the proof."""

    help = "Recount every kept total from its rows; exit 1 on any difference."

    def add_arguments(self, parser: CommandParser) -> None:
        """Narrow it to one batch."""
        parser.add_argument("--batch", type=int, help="only this batch's totals")

    def handle(self, *args: Any, **options: Any) -> None:
        """Recount and tell."""
        found = differences(batch_id=options["batch"])
        for one in found:
            self.stdout.write(
                f"{one.table} {one.row} {one.column}: kept {one.kept}, counted {one.counted}"
            )
        if found:
            self.stderr.write(f"{len(found)} kept totals differ from a recount of rows.")
            sys.exit(1)
        self.stdout.write("Every kept total equals a recount of rows.")
