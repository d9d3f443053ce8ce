"""Starts the accounts app: system checks and what it does when people log in."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Accounts, users, roles, keys, credits, audit."""

    name = "accounts"

    def ready(self) -> None:
        """Register the checks."""
        from accounts import checks  # noqa: F401
