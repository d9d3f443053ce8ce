"""Short words that an account puts on its contacts."""

from django.db import models
from django.db.models.functions import Lower

from accounts.models import Account, User
from common.clock import now
from contacts.models.people import Contact


class Tag(models.Model):
    """A word for contacts; upper and lower case are the same word."""

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="tags", db_index=False
    )
    name = models.CharField(max_length=40)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    contacts = models.ManyToManyField(Contact, through="ContactTag", related_name="tags")

    class Meta:
        constraints = [
            models.UniqueConstraint("account", Lower("name"), name="tag_name_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class ContactTag(models.Model):
    """A tag on a live contact; deleting the contact takes it off, restoring puts it on again.

    A row each and not an array in the contact: a tag for a million people writes no contact anew
    (docs/adr/0030-own-values-are-text.md). `account` repeats what tag and contact say, whose
    constraints hold it.
    """

    account = models.ForeignKey(
        Account,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    tag = models.ForeignKey(
        Tag, on_delete=models.CASCADE, related_name="contact_tags", db_index=False
    )
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="contact_tags")
    added_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "contact"], name="contact_tag_once")]
