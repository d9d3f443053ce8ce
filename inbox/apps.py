"""The inbox app: listens for texts that messaging stored or queued."""

from typing import Any

from django.apps import AppConfig


class InboxConfig(AppConfig):
    """Files every inbound text and every text to one person into its thread."""

    name = "inbox"

    def ready(self) -> None:
        """Connect to messaging's news, which arrive inside messaging's transaction."""
        from inbox.services import conversation_file
        from messaging.signals import message_queued, message_received

        def file(sender: Any, message: Any, **kwargs: Any) -> None:
            conversation_file(message=message)

        message_received.connect(file, weak=False, dispatch_uid="inbox.file_received")
        message_queued.connect(file, weak=False, dispatch_uid="inbox.file_queued")
