"""News from the accounts app for the apps above it. Sent inside the transaction."""

from django.dispatch import Signal

# Somebody opened an account (sign-up, create_account); kwargs: account (Account).
# Messaging gives it a sender number.
account_created = Signal()
