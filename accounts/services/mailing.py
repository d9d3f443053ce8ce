"""Mails to members of an account about the account itself."""

import logging
from collections.abc import Mapping, Sequence
from smtplib import SMTPException
from typing import Any

from django.core.mail import send_mail
from django.template.loader import render_to_string

from accounts.models import Account, Membership

log = logging.getLogger(__name__)


def members_mail(
    *,
    account: Account,
    roles: Sequence[str],
    subject: str,
    template: str,
    context: Mapping[str, Any],
) -> bool:
    """Mail every active member with one of the roles; never inside a transaction.

    Returns:
        False where the server did not take it, which is logged; there may be nobody to be told.
    """
    members = Membership.objects.filter(account=account, role__in=roles, user__is_active=True)
    emails = list(members.values_list("user__email", flat=True))
    if not emails:
        return True
    try:
        send_mail(subject, render_to_string(template, dict(context)), None, emails)
    except (SMTPException, OSError) as error:
        log.warning("account %s was not mailed %r: %s", account.pk, subject, error)
        return False
    return True
