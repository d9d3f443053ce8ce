"""Starts the messaging app: listens for news from the apps below, and answers what they ask."""

from typing import Any

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Sender numbers, batches, messages, carriers."""

    name = "messaging"

    def ready(self) -> None:
        """Give every new account a number; answer smart groups, undone imports and erasures.

        And register the checks.
        """
        from django.core.checks import register
        from django.db.models.signals import post_migrate

        from accounts.signals import account_created
        from contacts.rule_sources import register_deeds
        from contacts.signals import contacts_merged, person_erased, phones_in_use
        from contacts.timeline import register_sources
        from messaging.behaviour import deeds
        from messaging.checks import lease_is_long_enough
        from messaging.erasing import person_forget
        from messaging.hours_rules import seed
        from messaging.person import SOURCES, texts_follow
        from messaging.selectors import phones_since
        from messaging.senders import sender_assign

        register(lease_is_long_enough)
        register_deeds(deeds)
        register_sources(*SOURCES)
        post_migrate.connect(seed, sender=self, dispatch_uid="messaging.hours_seed")

        def assign(account: Any, **_: Any) -> None:
            sender_assign(account=account)

        account_created.connect(assign, weak=False, dispatch_uid="messaging.sender_assign")

        def texted(account: Any, since: Any, **_: Any) -> Any:
            return phones_since(account=account, since=since)

        phones_in_use.connect(texted, weak=False, dispatch_uid="messaging.phones_since")

        def follow(account: Any, kept: Any, gone: Any, **_: Any) -> None:
            texts_follow(account=account, kept=kept, gone=gone)

        contacts_merged.connect(follow, weak=False, dispatch_uid="messaging.texts_follow")

        def erase(account: Any, phone: str, alias: str, **_: Any) -> None:
            person_forget(account=account, phone=phone, alias=alias)

        person_erased.connect(erase, weak=False, dispatch_uid="messaging.person_forget")
