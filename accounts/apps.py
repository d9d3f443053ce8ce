"""Starts the accounts app (system checks), and names what the log-in library adds for staff."""

from allauth.account.apps import AccountConfig
from allauth.mfa.apps import MFAConfig
from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Accounts, users, roles, keys, credits, audit."""

    name = "accounts"
    verbose_name = "Accounts, users and credits"
    default = True

    def ready(self) -> None:
        """Register the checks."""
        from django.core.checks import Tags, register

        from accounts.checks import mailbox_is_local, signup_is_known

        register(mailbox_is_local, Tags.security)
        register(signup_is_known, Tags.security)


class LogInAddressesConfig(AccountConfig):
    """The library calls it "Accounts" too."""

    verbose_name = "Log-in: email addresses"


class LogInStepsConfig(MFAConfig):
    """The library calls it "MFA"."""

    verbose_name = "Log-in: second steps"
