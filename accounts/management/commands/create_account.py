"""`manage.py create_account`: an account that is ready to work, for programs that set one up."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import services
from accounts.choices import AccountStatus, CreditKind, Scope
from common.errors import DomainError


class Command(BaseCommand):
    """Makes a user with a confirmed address, an active account and a full-scope API key."""

    help = "Create an active account with its owner, credits and an API key; prints JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The account's name, the owner's log-in, and credits."""
        parser.add_argument("--name", required=True, help="the business")
        parser.add_argument("--email", required=True, help="the owner's log-in")
        parser.add_argument("--password", required=True)
        parser.add_argument("--credits", type=int, default=0)
        parser.add_argument("--timezone", default="America/New_York")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Create all or nothing."""
        try:
            owner = services.user_create(
                email=options["email"],
                password=options["password"],
                name="",
                email_verified=True,
            )
            account = services.account_open(
                name=options["name"],
                owner=owner,
                timezone=options["timezone"],
                trial_credits=0,
                status=AccountStatus.ACTIVE,
            )
            if options["credits"]:
                services.credits_grant(
                    account=account,
                    credits=options["credits"],
                    kind=CreditKind.GRANT,
                    key="create_account",
                    actor=None,
                )
            _, secret = services.apikey_create(
                account=account, actor=owner, name="create_account", scopes=Scope.values
            )
        except (DomainError, ValueError) as error:
            raise CommandError(
                " ".join([str(error), *getattr(error, "fields", {}).values()])
            ) from error
        answer = {
            "account_id": account.pk,
            "user_id": owner.pk,
            "email": owner.email,
            "credits": options["credits"],
            "api_key": secret,
        }
        self.stdout.write(json.dumps(answer))
