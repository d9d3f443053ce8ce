"""Reads of conversations."""

from accounts.models import Account
from inbox.models import Conversation


def conversations_unread(*, account: Account) -> int:
    """How many conversations of the account hold something nobody has read. One query."""
    return Conversation.objects.filter(account=account, unread__gt=0).count()
