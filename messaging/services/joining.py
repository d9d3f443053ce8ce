"""Joining by public form and by keyword: what is texted, and when consent is on record.

Owns the order of the two. Consent, contacts and groups are `contacts.services.optins`'; the words
are `messaging.joining`'s; every text goes through `message_send`.
"""

import logging
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from accounts.choices import AccountStatus
from accounts.models import Account, User
from common.clock import now
from common.errors import DomainError
from contacts.errors import OptedOut, OptInInvalid
from contacts.models import OptInForm, OptInKeyword
from contacts.selectors import contact_by_phone
from contacts.services import (
    erasing_held_off,
    optin_accept,
    optin_ask,
    optin_keyword_save,
)
from messaging import joining
from messaging.choices import BatchKind, Priority
from messaging.errors import NoSender
from messaging.keywords import key_of
from messaging.services.single import message_send, reason_not_texted, sender_default

log = logging.getLogger(__name__)


def keyword_save(
    *,
    account: Account,
    actor: User,
    word: str,
    group_ids: Sequence[int],
    keyword_id: int | None = None,
    **values: Any,
) -> OptInKeyword:
    """Make or change an opt-in keyword.

    Raises:
        OptInInvalid: the word means STOP, START or HELP, here or everywhere.
        KeywordTaken: the account has it already.
        NotFound: no such keyword or group in the account.
    """
    refused = joining.word_refused(
        word, stop_words=account.stop_words, start_words=account.start_words
    )
    if refused:
        raise OptInInvalid({"word": refused})
    return optin_keyword_save(
        account=account,
        actor=actor,
        keyword_id=keyword_id,
        group_ids=group_ids,
        word=word.strip().upper(),
        key=key_of(word),
        **values,
    )


def form_works(form: OptInForm) -> bool:
    """Whether the account can text anybody at present; asks nothing about a phone. Two queries."""
    account = Account.objects.get(pk=form.account_id)
    if account.status == AccountStatus.SUSPENDED or account.credit_balance <= 0:
        return False
    try:
        sender_default(account)
    except NoSender:
        return False
    return True


def form_submit(*, form: OptInForm, phone: str, first_name: str) -> None:
    """Take what somebody typed into a public form. Nothing tells the visitor what became of it.

    With a YES to be asked for, the phone is texted once a day at most and consent waits for its
    answer; whoever opted out is not texted (the log says so), because anybody can type anybody's
    number.

    Args:
        form: An open form.
        phone: E.164.
        first_name: As typed, or "".

    Side effects: a text, what is pending or consent; or nothing.
    """
    try:
        with transaction.atomic():
            erasing_held_off(account=form.account)
            if form.asks_yes:
                _ask(form, phone, first_name)
            else:
                _accept(form, phone, first_name)
    except OptedOut:
        return
    except DomainError as error:
        log.warning("form %s could not be taken for a phone: %s", form.pk, error.code)


def _ask(form: OptInForm, phone: str, first_name: str) -> None:
    account = form.account
    reason = reason_not_texted(
        account=account,
        sender=sender_default(account),
        phone=phone,
        contact=contact_by_phone(account=account, phone=phone),
        kind=BatchKind.OPTIN,
    )
    # Before the text, which takes the account's row: that is the last of all locks.
    if not reason:
        optin_ask(way=form, phone=phone, wording=form.wording, first_name=first_name)
    _text(form, phone, joining.question(form))


def _accept(form: OptInForm, phone: str, first_name: str) -> None:
    if optin_accept(way=form, phone=phone, wording=form.wording, first_name=first_name):
        _text(form, phone, joining.welcome(form))


def _text(form: OptInForm, phone: str, body: str) -> None:
    """Queue the one text that a form sends to a phone in a day."""
    message_send(
        account=form.account,
        actor=None,
        phone=phone,
        body=body,
        kind=BatchKind.OPTIN,
        request_key=f"optin:{form.pk}:{phone}:{now():%Y%m%d}",
        contact=contact_by_phone(account=form.account, phone=phone),
        priority=Priority.SINGLE,
    )
