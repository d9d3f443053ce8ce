"""Starts the messaging app: listens for news from the apps below."""

from typing import Any

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Sender numbers, batches, messages, carriers."""

    name = "messaging"

    def ready(self) -> None:
        """Give every new account a number, so that a trial works at once."""
        from accounts.signals import account_created
        from messaging.senders import sender_assign

        def assign(account: Any, **_: Any) -> None:
            sender_assign(account=account)

        account_created.connect(assign, weak=False, dispatch_uid="messaging.sender_assign")
