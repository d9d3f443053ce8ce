"""Writes of the accounts app: one module a matter, all reachable from here.

Owns accounts, team, keys, verified numbers, the credit ledger and the audit trail. Texting a code
or mailing anything but an invitation is not here.
"""

from accounts.services.audit import audit_forget, audit_record
from accounts.services.credits import (
    credits_adjust,
    credits_grant,
    credits_refund,
    credits_release,
    credits_reserve,
    credits_settle,
    credits_settle_many,
)
from accounts.services.keys import apikey_create, apikey_revoke
from accounts.services.low_balance import balances_warn
from accounts.services.paid import payment_heard
from accounts.services.purchases import purchase_begin
from accounts.services.team import (
    invitation_accept,
    invitation_accept_new,
    invitation_by_token,
    invitation_create,
    invitation_revoke,
    membership_change,
    membership_remove,
)
from accounts.services.tenants import (
    account_create,
    account_open,
    account_platform,
    account_status_set,
    account_update,
    user_create,
    user_rename,
)
from accounts.services.verified import (
    verifiednumber_confirm,
    verifiednumber_remove,
    verifiednumber_request,
)

__all__ = [
    "account_create",
    "account_open",
    "account_platform",
    "account_status_set",
    "account_update",
    "apikey_create",
    "apikey_revoke",
    "audit_forget",
    "audit_record",
    "balances_warn",
    "credits_adjust",
    "credits_grant",
    "credits_refund",
    "credits_release",
    "credits_reserve",
    "credits_settle",
    "credits_settle_many",
    "invitation_accept",
    "invitation_accept_new",
    "invitation_by_token",
    "invitation_create",
    "invitation_revoke",
    "membership_change",
    "membership_remove",
    "payment_heard",
    "purchase_begin",
    "user_create",
    "user_rename",
    "verifiednumber_confirm",
    "verifiednumber_remove",
    "verifiednumber_request",
]
