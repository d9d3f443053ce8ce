"""Lists of people: members by hand, or rules."""

from django.db import models

from accounts.models import Account, User
from common.clock import now
from contacts.models.people import Contact


class Group(models.Model):
    """A named list of contacts: static (GroupMember), or smart by `rules` (contacts.rules).

    A group keeps its kind. `people` is how many a smart group's rules fitted when they were last
    counted, at `counted_at`; who is in it is always asked anew (contacts.membership).
    """

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="groups", db_index=False
    )
    name = models.CharField(max_length=80)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    rules = models.JSONField(null=True, blank=True, help_text="None for a static group.")
    people = models.PositiveBigIntegerField(null=True, blank=True)
    counted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="group_name_unique")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_smart(self) -> bool:
        """Whether rules decide who is in it."""
        return self.rules is not None


class GroupMember(models.Model):
    """A live contact's place in a group; deleting the contact ends it.

    `account` repeats what group and contact say, whose constraints hold it.
    """

    account = models.ForeignKey(
        Account,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    group = models.ForeignKey(
        Group, on_delete=models.CASCADE, related_name="members", db_index=False
    )
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="group_members")
    added_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "contact"], name="group_member_once")
        ]
