"""`manage.py opt_out_drift`: where our opt-outs and the carrier's may differ."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.models import Account
from messaging.drift import drift


class Command(BaseCommand):
    """Prints a line an account, and one for each phone that the carrier is likely to block still.

    Nothing is changed and the carrier is not asked: see messaging.drift. Such a phone needs its
    person to text START; the next text to it would be refused and mark it as opted out.
    """

    help = "Compare opt-outs with what the carrier has told us of its own."

    def add_arguments(self, parser: CommandParser) -> None:
        """One account, or all."""
        parser.add_argument("--account", type=int, help="Only this account, by its id.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare."""
        accounts = Account.objects.order_by("pk")
        if options["account"] is not None:
            accounts = accounts.filter(pk=options["account"])
        for account in accounts.iterator():
            found = drift(account)
            self.stdout.write(
                f"Account {account.pk}: {found.agreed} opted out here and at the carrier,"
                f" {found.only_ours} only here, {len(found.blocked)} only at the carrier."
            )
            for one in found.blocked:
                since = f"{one.blocked_at:%Y-%m-%d %H:%M} UTC"
                back = f"; came back by “{one.came_back}”" if one.came_back else ""
                self.stdout.write(f"  {one.phone} since {since}{back}: has to text START")
