"""`manage.py reclassify_clicks`: judge every past hit again, after the rules have changed."""

from typing import Any

from django.core.management.base import BaseCommand

from messaging.receipts.clicks import clicks_rejudge
from tracking.verdicts import RULES_VERSION


class Command(BaseCommand):
    """Verdicts and every count that depends on them, a few thousand hits a transaction."""

    help = "Judge past hits on links under the present rules; counts follow."

    def handle(self, *args: Any, **options: Any) -> None:
        """From the oldest hit to the newest."""
        last = clicks_rejudge()
        done = 0
        while last is not None:
            done = last
            last = clicks_rejudge(after_id=done)
        self.stdout.write(f"All hits up to {done} are judged by version {RULES_VERSION}.")
