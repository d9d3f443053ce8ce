"""`manage.py demo`: fill the demo account of `make run` through carriersim."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from messaging.senders import address_is_simulated
from smsplatform.demo.fill import CUSTOMERS, DemoStuck, demo_fill


class Command(BaseCommand):
    """Runs beside the served processes; resumes where it was cut off; never on a real carrier."""

    help = "Fill the demo account (DEMO_EMAIL, DEMO_PASSWORD) with four weeks of history."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The size of the shop's list."""
        parser.add_argument("--customers", type=int, default=CUSTOMERS)

    def handle(self, *args: Any, **options: Any) -> None:
        """Fill, or say in a sentence why not."""
        if not address_is_simulated(settings.TWILIO_API_BASE_URL):
            raise CommandError("The demo texts thousands of phones; it runs with carriersim only.")
        try:
            email, password = os.environ["DEMO_EMAIL"], os.environ["DEMO_PASSWORD"]
        except KeyError as error:
            raise CommandError(f"{error.args[0]} is not set; `make run` sets it.") from error
        try:
            demo_fill(
                email=email,
                password=password,
                say=lambda words: self.stdout.write(words),
                customers=options["customers"],
            )
        except DemoStuck as error:
            raise CommandError(str(error)) from error
