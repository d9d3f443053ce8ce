"""Ways in for people themselves: public forms, keywords, and who still has to say YES."""

from django.db import models

from accounts.models import Account, User
from common.clock import now
from contacts.models.groups import Group


class OptInForm(models.Model):
    """An account's public form at /subscribe/<token>/, where people agree to its texts.

    `asked` and `joined` are kept counts: phones texted for a YES, opt-ins that came of it.
    """

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="optin_form")
    token = models.CharField(max_length=32, unique=True)
    is_open = models.BooleanField(default=True)
    title = models.CharField(max_length=80)
    wording = models.CharField(max_length=500)
    frequency = models.CharField(max_length=40)
    privacy_url = models.CharField(max_length=200, blank=True)
    terms_url = models.CharField(max_length=200, blank=True)
    welcome = models.CharField(max_length=160, blank=True)
    asks_yes = models.BooleanField(default=True)
    groups = models.ManyToManyField(Group, blank=True, related_name="+")
    asked = models.PositiveIntegerField(default=0)
    joined = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.title


class OptInKeyword(models.Model):
    """A word that opts in whoever texts it. `key` is the word as texts are compared with it."""

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="optin_keywords", db_index=False
    )
    word = models.CharField(max_length=20)
    key = models.CharField(max_length=20)
    wording = models.CharField(max_length=400, blank=True)
    frequency = models.CharField(max_length=40)
    welcome = models.CharField(max_length=160, blank=True)
    asks_yes = models.BooleanField(default=False)
    groups = models.ManyToManyField(Group, blank=True, related_name="+")
    asked = models.PositiveIntegerField(default=0)
    joined = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="optin_keyword_unique")
        ]

    def __str__(self) -> str:
        return self.word


class OptInPending(models.Model):
    """A phone that was asked for its YES: no consent yet, and none after `expires_at`."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    phone = models.CharField(max_length=16)
    form = models.ForeignKey(
        OptInForm, null=True, blank=True, on_delete=models.CASCADE, related_name="pending"
    )
    keyword = models.ForeignKey(
        OptInKeyword, null=True, blank=True, on_delete=models.CASCADE, related_name="pending"
    )
    wording = models.CharField(max_length=500)
    first_name = models.CharField(max_length=80, blank=True)
    message_id = models.BigIntegerField(null=True, blank=True)
    asked_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "phone"], name="optin_pending_unique"),
            models.CheckConstraint(
                condition=models.Q(form=None) ^ models.Q(keyword=None), name="optin_by_one_way"
            ),
        ]
