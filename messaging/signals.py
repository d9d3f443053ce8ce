"""News for the apps above, sent inside the transaction that made it.

Whoever listens must be cheap and must not fail; something periodic there finds what a lost signal
left behind.
"""

from django.dispatch import Signal

# An inbound message was stored. Arguments: message.
message_received = Signal()

# A message to one person was created (reply, API, automatic answer). Arguments: message.
message_queued = Signal()
