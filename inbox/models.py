"""Conversations: what was said between one of our numbers and one phone, and who looks after it.

The messages themselves are messaging's rows, found by (account, our_number, phone).
"""

from django.db import models

from accounts.models import Account, User
from common.clock import now
from contacts.models import Contact
from inbox.choices import ConversationStatus


class Conversation(models.Model):
    """A thread between our number and their phone. Made by the first inbound text or reply."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="conversations")
    our_number = models.CharField(max_length=16)
    phone = models.CharField(max_length=16)
    contact = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.SET_NULL, related_name="conversations"
    )
    status = models.CharField(
        max_length=6, choices=ConversationStatus.choices, default=ConversationStatus.OPEN
    )
    assignee = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    unread = models.PositiveIntegerField(default=0)
    snippet = models.CharField(max_length=160, blank=True)
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
