"""Proving that a phone is in hand: texts the code that `accounts` made.

Owns only the text of the code and who sends it: the platform's own account, not the one that asks.
In that one's message log the code could be read without having the phone. The code, its limits and
its check are in `accounts.services.verified`.
"""

from django.db import transaction

from accounts import selectors as accounts_selectors
from accounts.errors import EmailUnverified
from accounts.models import Account, User, VerifiedNumber
from accounts.services import account_platform, verifiednumber_request
from common.errors import Conflict
from messaging.choices import BatchKind, MessageState, Priority
from messaging.senders import sender_assign, senders_list
from messaging.services import message_send


@transaction.atomic
def verification_send(*, account: Account, actor: User, phone: str) -> VerifiedNumber:
    """Make a code for `phone` and text it.

    The code and its message are committed together: no code that was never texted is counted, and
    no text holds a code that is not kept.

    Raises:
        EmailUnverified: the actor has not confirmed an email address.
        TooManyCodes: too many codes were made for the phone today.
        Conflict: the platform has no number to text from, or the phone opted out of its texts.
    """
    if not accounts_selectors.user_may_send(actor):
        raise EmailUnverified()
    number, code = verifiednumber_request(account=account, actor=actor, phone=phone)
    platform = account_platform()
    sender = senders_list(platform).first() or sender_assign(account=platform)
    if sender is None:
        raise Conflict("Codes cannot be texted here yet. Ask for your account to be approved.")
    message = message_send(
        account=platform,
        actor=None,
        phone=phone,
        body=f"{code} is your Textledger code. It works for 10 minutes.",
        sender=sender,
        kind=BatchKind.TEST,
        request_key=f"verify:{number.pk}:{number.requested_at.isoformat()}",
        priority=Priority.SINGLE,
    )
    if message.state == MessageState.SKIPPED:
        raise Conflict("This phone has asked not to be texted, so no code was sent.")
    return number
