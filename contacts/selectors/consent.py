"""Reads of opt-outs, the history of consent, ways to join, and who was erased.

Numbers of erased people are known by keyed hashes only (docs/adr/0023-erased-but-not-forgotten.md).
"""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts.models import Account
from common.crypto import keyed_hashes
from contacts.choices import ConsentKind, ConsentSource
from contacts.models import ConsentEvent, ErasedNumber, OptInForm, OptInKeyword, OptOut


def consent_history(*, account: Account, phone: str) -> QuerySet[ConsentEvent]:
    """Opt-ins and opt-outs of a phone, newest first, with the account users who entered them."""
    events = ConsentEvent.objects.filter(account=account, phone=phone)
    return events.select_related("actor").order_by("-id")


def opt_outs_list(*, account: Account) -> QuerySet[OptOut]:
    """The account's standing opt-outs, unordered."""
    return OptOut.objects.filter(account=account)


def opt_outs_to_review(*, account: Account) -> QuerySet[OptOut]:
    """Opt-outs in own words that nobody has looked at, unordered (page them by key).

    Each with the `wording` and `message_id` of the text that was read as one. One query.
    """
    said = misread_not(
        account=account, phone=OuterRef("phone"), source=ConsentSource.FREE_TEXT
    ).order_by("-id")
    waiting = opt_outs_list(account=account).filter(
        source=ConsentSource.FREE_TEXT, reviewed_at=None
    )
    return waiting.annotate(
        wording=Subquery(said.values("wording")[:1]),
        message_id=Subquery(said.values("message_id")[:1]),
    )


def misread_not(
    *, account: Account, phone: str | OuterRef, source: ConsentSource
) -> QuerySet[ConsentEvent]:
    """Opt-outs of a phone that came by `source` and were not taken back, unordered."""
    void = ConsentEvent.objects.filter(
        account=account,
        phone=OuterRef("phone"),
        kind=ConsentKind.VOID,
        message_id=OuterRef("message_id"),
        pk__gt=OuterRef("pk"),
    )
    return ConsentEvent.objects.filter(
        ~Exists(void), account=account, phone=phone, kind=ConsentKind.OUT, source=source
    )


def opt_out_get(*, account: Account, phone: str) -> OptOut | None:
    """The phone's standing opt-out, if any. One query."""
    return OptOut.objects.filter(account=account, phone=phone).first()


def opted_out(*, account: Account, phone: str) -> bool:
    """Whether the phone must not be texted by this account. Two queries at most."""
    if OptOut.objects.filter(account=account, phone=phone).exists():
        return True
    return erased_number(account=account, phone=phone) is not None


def erased_number(*, account: Account, phone: str) -> ErasedNumber | None:
    """What is left of the opt-out of a phone whose person was erased, if one was. One query."""
    found = ErasedNumber.objects.filter(account=account)
    return found.filter(digest__in=erased_digests(account_id=account.pk, phone=phone)).first()


def erased_among(people: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those (account id, phone) whose person was erased.

    One query for the accounts, and for those that erased somebody another for their phones.
    """
    by_account: dict[int, list[str]] = {}
    for account_id, phone in people:
        by_account.setdefault(account_id, []).append(phone)
    erasers = ErasedNumber.objects.filter(account=OuterRef("pk"))
    asked = Account.objects.filter(Exists(erasers), pk__in=by_account)
    found: set[tuple[int, str]] = set()
    for account_id in asked.values_list("pk", flat=True):
        phones = {
            digest: phone
            for phone in by_account[account_id]
            for digest in erased_digests(account_id=account_id, phone=phone)
        }
        rows = ErasedNumber.objects.filter(account=account_id, digest__in=list(phones))
        found |= {
            (account_id, phones[bytes(digest)]) for digest in rows.values_list("digest", flat=True)
        }
    return found


def erased_digests(*, account_id: int, phone: str) -> list[bytes]:
    """By what the phone of an erased person is known again; the first is what is kept."""
    return keyed_hashes(f"{account_id}:{phone}", purpose="erased numbers")


def optin_form_get(*, account: Account) -> OptInForm | None:
    """The account's public form, open or not, if it made one. One query."""
    return OptInForm.objects.filter(account=account).select_related("account").first()


def optin_form_open(*, token: str) -> OptInForm | None:
    """The open form behind a public address, with its account. One query."""
    found = OptInForm.objects.filter(token=token, is_open=True)
    return found.select_related("account").first()


def optin_keywords_list(*, account: Account) -> QuerySet[OptInKeyword]:
    """The account's opt-in keywords by word, with their groups. Two queries."""
    found = OptInKeyword.objects.filter(account=account).select_related("account")
    return found.prefetch_related("groups").order_by("word")


def optin_keyword_find(*, account: Account, key: str) -> OptInKeyword | None:
    """The account's opt-in keyword that compares as `key`, if any. One query."""
    if not key:
        return None
    found = OptInKeyword.objects.filter(account=account, key=key)
    return found.select_related("account").first()


def consent_came_by(*, account: Account, phone: str, message_id: int) -> bool:
    """Whether this text of the phone put an opt-in on record. One query."""
    events = ConsentEvent.objects.filter(account=account, phone=phone, kind=ConsentKind.IN)
    return events.filter(message_id=message_id).exists()
