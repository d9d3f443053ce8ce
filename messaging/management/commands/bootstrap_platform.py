"""`manage.py bootstrap_platform`: what every installation needs once; safe to repeat."""

from typing import Any

from django.core.management.base import BaseCommand

from accounts.services import account_platform
from messaging import senders


class Command(BaseCommand):
    """Makes the platform's carrier account from TWILIO_*, and the platform's own account.

    With carriersim it also gives the platform a number for verification codes, and tells carriersim
    of every number again (it may have forgotten).
    """

    help = "Create or update the platform's carrier account from TWILIO_*. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what is there afterwards."""
        carrier = senders.carrieraccount_platform()
        if carrier is None:
            self.stdout.write("TWILIO_ACCOUNT_SID is not set: accounts bring their own carrier.")
            return
        platform = account_platform()
        if not senders.senders_list(platform).exists():
            senders.sender_assign(account=platform)
        told = senders.simulated_register_all()
        kind = "simulated" if carrier.is_simulated else "real"
        self.stdout.write(
            f"Carrier account {carrier.pk}: {carrier.external_id} at {carrier.api_base_url}"
            f" ({kind}){f'; numbers registered: {told}' if carrier.is_simulated else ''}"
        )
