"""Conversations: what was said between one of our numbers and one phone, and who looks after it.

The messages themselves are messaging's rows, found by (account, our_number, phone). The person is
whoever has that phone among the account's contacts, so a thread follows what becomes of them.
"""

from django.db import models

from accounts.models import Account, User
from common.clock import now
from inbox.choices import ConversationStatus
from messaging.choices import Direction


class Conversation(models.Model):
    """A thread between our number and their phone. Made by the first inbound text or reply.

    open --somebody needs nothing more--> closed --an inbound text--> open. `snippet` is the newest
    word of either side; automatic answers and blasts stand in the thread without becoming it.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="conversations")
    our_number = models.CharField(max_length=16)
    phone = models.CharField(max_length=16)
    status = models.CharField(
        max_length=6, choices=ConversationStatus.choices, default=ConversationStatus.OPEN
    )
    assignee = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    unread = models.PositiveIntegerField(default=0)
    snippet = models.CharField(max_length=160, blank=True)
    last_direction = models.CharField(max_length=3, choices=Direction.choices, blank=True)
    last_message_id = models.BigIntegerField(default=0)
    last_message_at = models.DateTimeField(default=now)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "our_number", "phone"], name="conversation_unique"
            )
        ]
        indexes = [
            models.Index(fields=["account", "-last_message_at"], name="conversation_list"),
        ]


class Note(models.Model):
    """A remark for colleagues; never sent."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    text = models.TextField()
    at = models.DateTimeField(default=now)
