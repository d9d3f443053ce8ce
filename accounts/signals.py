"""News from the accounts app for the apps above it. Sent inside the transaction."""

from django.dispatch import Signal

# An account was created; kwargs: account (Account). Messaging gives it a sender number.
account_created = Signal()
