"""Who hears that credits run low, once each time they do.

Owns `Account.low_balance_told_at`. What is low each account says itself (`low_balance_credits`).
A sweep: it finds the accounts that crossed their line, whatever moved the credits.
"""

from django.conf import settings
from django.db.models import F
from django.urls import reverse

from accounts.choices import Role
from accounts.models import Account
from accounts.services.mailing import members_mail
from common.clock import now


def balances_warn() -> int:
    """Mail the admins of every account whose balance fell below its line. Two queries if none did.

    One mail a crossing: an account is told again only after its balance was at the line or above.
    Two sweeps at the same time tell once. A mail that was not taken is tried again by the next.

    Returns:
        How many accounts were told.

    Side effects: one mail an account, with no transaction open.
    """
    lined = Account.objects.filter(low_balance_credits__gt=0)
    lined.filter(
        low_balance_told_at__isnull=False, credit_balance__gte=F("low_balance_credits")
    ).update(low_balance_told_at=None)
    low = lined.filter(
        low_balance_told_at__isnull=True, credit_balance__lt=F("low_balance_credits")
    )
    told = 0
    for account in low.order_by("pk"):
        row = low.filter(pk=account.pk)
        if row.update(low_balance_told_at=now()):
            told += _tell(account)
    return told


def _tell(account: Account) -> bool:
    is_told = members_mail(
        account=account,
        roles=[Role.OWNER, Role.ADMIN],
        subject=f"{account.name}: {account.credit_balance:,} credits left",
        template="accounts/email/low_balance.txt",
        context={"account": account, "link": settings.PUBLIC_URL + reverse("credits")},
    )
    if not is_told:
        Account.objects.filter(pk=account.pk).update(low_balance_told_at=None)
    return is_told
