"""The inbox app: listens for texts that messaging stored or queued."""

from typing import Any

from django.apps import AppConfig


class InboxConfig(AppConfig):
    """Files every inbound text and every text to one person into its thread."""

    name = "inbox"

    def ready(self) -> None:
        """Connect to news of the apps below, which arrive inside their transactions."""
        from contacts.signals import person_erased
        from inbox.services import conversation_file, conversations_forget
        from messaging.signals import message_queued, message_received

        def file(sender: Any, message: Any, **kwargs: Any) -> None:
            conversation_file(message=message)

        message_received.connect(file, weak=False, dispatch_uid="inbox.file_received")
        message_queued.connect(file, weak=False, dispatch_uid="inbox.file_queued")

        def erase(account: Any, phone: str, alias: str, **_: Any) -> None:
            conversations_forget(account=account, phone=phone, alias=alias)

        person_erased.connect(erase, weak=False, dispatch_uid="inbox.conversations_forget")
