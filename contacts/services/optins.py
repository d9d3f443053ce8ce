"""Ways in: the account's public form and opt-in keywords, and consent that waits for a YES.

Owns their settings, what is pending, and what an opt-in does: consent with its proof, the contact,
its groups. The texts that ask and welcome are messaging's (`messaging.services.joining`), which
also knows which words a keyword may not be.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import NotFound
from common.ids import secret_token
from contacts import disclosures
from contacts.choices import ConsentSource
from contacts.errors import KeywordTaken, OptedOut, OptInInvalid
from contacts.models import Contact, Group, OptInForm, OptInKeyword, OptInPending, OptOut
from contacts.services.consent import consent_grant, contact_lock
from contacts.services.people import contact_upsert

W = TypeVar("W", OptInForm, OptInKeyword)

PENDING_FOR = timedelta(days=3)
# With what must stand around it, a welcome of this length fits in two segments.
WELCOME_CHARS = 160
FREQUENCY_CHARS = 40
FORM_FIELDS = (
    *("is_open", "title", "wording", "frequency", "privacy_url", "terms_url", "welcome"),
    "asks_yes",
)
KEYWORD_FIELDS = ("word", "key", "wording", "frequency", "welcome", "asks_yes")


@transaction.atomic
def optin_form_save(
    *, account: Account, actor: User, group_ids: Sequence[int], **values: Any
) -> OptInForm:
    """Make or change the account's public form; its address stays.

    Args:
        account: The tenant.
        actor: Who changes it.
        group_ids: Groups whoever confirms is put into.
        values: All of `FORM_FIELDS`.

    Raises:
        OptInInvalid: the wording lacks something carriers ask for.
        NotFound: a group is not the account's.

    Locks: the form's row; without one the account's, so that two first saves make one form.
    """
    brand = account.brand or account.name
    lacks = disclosures.missing(values["wording"], brand)
    if lacks:
        raise OptInInvalid({"wording": f"It must also say {'; '.join(lacks)}."})
    # The form before the account, as whoever joins by it locks them.
    forms = OptInForm.objects.select_for_update(no_key=True).filter(account=account)
    form = forms.first()
    if form is None:
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        form = forms.first() or OptInForm(account=account, token=secret_token(16))
    return _save(form, actor, "optin.form_changed", values["title"], FORM_FIELDS, values, group_ids)


@transaction.atomic
def optin_keyword_save(
    *,
    account: Account,
    actor: User,
    group_ids: Sequence[int],
    keyword_id: int | None = None,
    **values: Any,
) -> OptInKeyword:
    """Make or change an opt-in keyword. Which words it may not be, the caller has checked.

    Args:
        account: The tenant.
        actor: Who changes it.
        group_ids: Groups whoever texts it is put into.
        keyword_id: The keyword to change; None for a new one.
        values: All of `KEYWORD_FIELDS`; `key` is the word as it is compared.

    Raises:
        KeywordTaken: the account has this word already.
        NotFound: no such keyword or group in the account.
    """
    keyword = OptInKeyword(account=account, created_by=actor)
    if keyword_id is not None:
        found = OptInKeyword.objects.select_for_update(no_key=True)
        keyword = found.filter(account=account, pk=keyword_id).first() or _gone()
    word = values["word"]
    try:
        with transaction.atomic():
            return _save(
                keyword, actor, "optin.keyword_changed", word, KEYWORD_FIELDS, values, group_ids
            )
    except IntegrityError as error:
        raise KeywordTaken(word) from error


@transaction.atomic
def optin_keyword_delete(*, account: Account, actor: User, keyword_id: int) -> None:
    """Listen to a keyword no more. Who joined by it stays; what is pending by it lapses.

    Raises:
        NotFound: no such keyword in the account.
    """
    keyword = OptInKeyword.objects.filter(account=account, pk=keyword_id).first() or _gone()
    audit_record(account=account, actor=actor, action="optin.keyword_deleted", subject=keyword.word)
    keyword.delete()


@transaction.atomic
def optin_ask(
    *,
    way: OptInForm | OptInKeyword,
    phone: str,
    wording: str,
    first_name: str = "",
    message_id: int | None = None,
) -> OptInPending:
    """Note that a phone was asked for its YES; the newest question of an account counts.

    Args:
        way: The form or keyword that it came by.
        phone: E.164.
        wording: What the person agreed to; becomes the proof once they say YES.
        first_name: As typed into the form.
        message_id: The text with the keyword.

    Locks: the contact (made as a deleted one where there is none), then what is pending, the way.
    """
    contact_lock(account=way.account, phone=phone)
    moment = now()
    pending, is_new = OptInPending.objects.update_or_create(
        account=way.account,
        phone=phone,
        defaults={
            "form": way if isinstance(way, OptInForm) else None,
            "keyword": way if isinstance(way, OptInKeyword) else None,
            "wording": wording,
            "first_name": first_name,
            "message_id": message_id,
            "asked_at": moment,
            "expires_at": moment + PENDING_FOR,
        },
    )
    if is_new:
        type(way).objects.filter(pk=way.pk).update(asked=F("asked") + 1)
    return pending


@transaction.atomic
def optin_confirm(
    *, account: Account, phone: str, message_id: int, at: datetime
) -> OptInForm | OptInKeyword | None:
    """Take a YES: consent that was pending is on record from now on.

    Args:
        account: The tenant.
        phone: Who says so, E.164.
        message_id: The text that says so; with the wording of the form or sign it is the proof.
        at: When it was said.

    Returns:
        The way they came by, or None where nothing was pending any more.

    Locks: the contact, then its opt-out, what is pending, the way.
    """
    if not OptInPending.objects.filter(account=account, phone=phone).exists():
        return None
    contact_lock(account=account, phone=phone)
    pending = (
        OptInPending.objects.filter(
            account=account, phone=phone, asked_at__lte=at, expires_at__gt=at
        )
        .select_related("form", "keyword")
        .first()
    )
    if pending is None:
        return None
    pending.delete()
    way = pending.form or pending.keyword
    assert way is not None
    try:
        with transaction.atomic():
            is_in = optin_accept(
                way=way,
                phone=phone,
                wording=pending.wording,
                first_name=pending.first_name,
                message_id=message_id,
                at=at,
            )
    except OptedOut:
        return None
    return way if is_in else None


@transaction.atomic
def optin_accept(
    *,
    way: OptInForm | OptInKeyword,
    phone: str,
    wording: str,
    first_name: str = "",
    message_id: int | None = None,
    at: datetime | None = None,
) -> bool:
    """Put an opt-in on record and the person into the way's groups.

    Args:
        way: The form or keyword they came by.
        phone: E.164.
        wording: What they agreed to.
        first_name: Kept where the contact has no name yet: a form is typed by anybody.
        message_id: The text from the phone that says so, if one does.
        at: When they agreed.

    Returns:
        Whether the phone may be texted now; not so where a later STOP stands against it.

    Raises:
        OptedOut: a form that no text confirmed does not bring back whoever left.

    Locks: the contact, then its opt-out, the way.
    """
    account, is_form = way.account, isinstance(way, OptInForm)
    consent_grant(
        account=account,
        phone=phone,
        source=ConsentSource.FORM if is_form else ConsentSource.KEYWORD,
        wording=wording,
        message_id=message_id,
        form_id=way.pk if is_form else None,
        at=at,
    )
    if OptOut.objects.filter(account=account, phone=phone).exists():
        return False
    is_named = Contact.objects.filter(account=account, phone=phone, deleted_at=None).exclude(
        first_name="", last_name=""
    )
    contact_upsert(
        account=account,
        actor=None,
        phone=phone,
        group_ids=list(way.groups.values_list("pk", flat=True)),
        first_name="" if is_named.exists() else first_name,
    )
    type(way).objects.filter(pk=way.pk).update(joined=F("joined") + 1)
    return True


def optin_pending_expire() -> int:
    """Forget questions nobody said YES to in time. Returns how many."""
    deleted, _ = OptInPending.objects.filter(expires_at__lte=now()).delete()
    return deleted


def _save(
    way: W,
    actor: User,
    action: str,
    subject: str,
    names: Sequence[str],
    values: dict[str, Any],
    group_ids: Sequence[int],
) -> W:
    account = way.account
    groups = list(Group.objects.filter(account=account, pk__in=group_ids, rules__isnull=True))
    if len(groups) != len(set(group_ids)):
        raise NotFound("One of these groups does not exist. Nothing was changed.")
    for name in names:
        setattr(way, name, values[name])
    way.save()
    way.groups.set(groups)
    data = {name: values[name] for name in names} | {"groups": [group.name for group in groups]}
    audit_record(account=account, actor=actor, action=action, subject=subject, data=data)
    return way


def _gone() -> Any:
    raise NotFound
