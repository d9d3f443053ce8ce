"""Starts the accounts app: system checks and what it does when people log in."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Accounts, users, roles, keys, credits, audit."""

    name = "accounts"

    def ready(self) -> None:
        """Register the checks."""
        from django.core.checks import Tags, register

        from accounts.checks import mailbox_is_local, signup_is_known

        register(mailbox_is_local, Tags.security)
        register(signup_is_known, Tags.security)
