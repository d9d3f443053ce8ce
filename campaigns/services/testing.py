"""A draft sent to oneself first, as one person of the audience would read it.

Owns only what a test is; it goes through the same door as every text (`messaging.services`). A test
is no part of its blast: no report counts it, its credits are its own.
"""

from collections.abc import Sequence
from uuid import uuid4

from django.db import transaction

from accounts.models import Account, User
from accounts.selectors import verified_numbers
from accounts.services import audit_record
from campaigns.composing import as_read
from campaigns.errors import TestPhoneUnverified, TextMissing
from common.text import plain_lines
from contacts.models import Contact
from contacts.selectors import merge_fields
from messaging import services as messaging
from messaging.choices import BatchKind
from messaging.models import Message, SenderNumber
from messaging.rendering import compile_body


@transaction.atomic
def blast_test(
    *,
    account: Account,
    actor: User | None,
    body: str,
    phone: str,
    contact: Contact | None = None,
    sender: SenderNumber | None = None,
    smart_encoding: bool = False,
    media_ids: Sequence[int] = (),
) -> Message:
    """Text a draft to a phone that the account has verified. Each call sends one more.

    Links go out as they are written: a short link belongs to a recipient, and nobody's click is to
    be counted here.

    Args:
        account: The tenant.
        actor: Who tests.
        body: The draft.
        phone: One of the account's verified phones.
        contact: Whose values are filled in; None for the fallbacks and the fields' names.
        sender: One of the account's numbers, or None for its usual one.
        smart_encoding: As for the blast.
        media_ids: Its pictures.

    Returns:
        The message: pending, or skipped with the reason.

    Raises:
        TextMissing: there is no text yet.
        TestPhoneUnverified: nobody proved to hold the phone.
        TemplateError: the text cannot be sent as it is.
        InsufficientCredits, EmailUnverified, AccountSuspended, NoSender, SenderNotUsable.

    Locks: as `messaging.services.message_send`.
    """
    body = plain_lines(body)
    if not body.strip():
        raise TextMissing
    if not verified_numbers(account).filter(phone=phone, verified_at__isnull=False).exists():
        raise TestPhoneUnverified
    template = compile_body(body)
    template.validate([field.name for field in merge_fields(account=account)])
    message = messaging.message_send(
        account=account,
        actor=actor,
        phone=phone,
        body=as_read(template, contact, is_smart=smart_encoding and not media_ids),
        kind=BatchKind.TEST,
        request_key=f"test:{uuid4().hex}",
        sender=sender,
        media_ids=media_ids,
    )
    audit_record(account=account, actor=actor, action="blast.tested", subject=phone)
    return message
