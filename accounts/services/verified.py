"""Numbers that a trial account may text on a real carrier: proven by a code texted to them.

Owns the code, its hash and the limits against guessing. Texting the code is done above, by
`messaging.verification`. The stored hash is keyed (six digits are guessed in a moment by anybody
who has read the table).
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.errors import CodeWrong, TooManyCodes
from accounts.models import Account, User, VerifiedNumber
from accounts.services.audit import audit_record
from common.clock import now
from common.errors import NotFound
from common.ids import numeric_code

CODE_VALID_FOR = timedelta(minutes=10)
ATTEMPTS_PER_CODE = 5
# 5 codes x 5 attempts a day: somebody without the phone guesses right once in 40,000 days.
CODES_PER_WINDOW = 5
WINDOW = timedelta(days=1)
PHONES_PER_ACCOUNT = 10


def _code_hash(account: Account, phone: str, code: str) -> str:
    text = f"{account.pk}:{phone}:{code}"
    return salted_hmac("accounts.verified", text, algorithm="sha256").hexdigest()


@transaction.atomic
def verifiednumber_request(
    *, account: Account, actor: User, phone: str
) -> tuple[VerifiedNumber, str]:
    """Make a code for a phone. The caller texts it; it is kept only as a hash.

    Args:
        account: The trial account.
        actor: Who asks.
        phone: E.164.

    Returns:
        The row and the code of six digits.

    Raises:
        TooManyCodes: CODES_PER_WINDOW codes were made for the phone within a day, or the account
            has asked for PHONES_PER_ACCOUNT phones.

    Locks: the account's row, so that two requests at once count one after the other.
    """
    moment = now()
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    row = VerifiedNumber.objects.filter(account=account, phone=phone).first()
    if row is None:
        if VerifiedNumber.objects.filter(account=account).count() >= PHONES_PER_ACCOUNT:
            raise TooManyCodes(
                f"A trial account can verify {PHONES_PER_ACCOUNT} numbers. Remove one first, or"
                " ask for the account to be approved."
            )
        row = VerifiedNumber(account=account, phone=phone, window_at=moment)
    if row.window_at < moment - WINDOW:
        row.window_at, row.codes = moment, 0
    if row.codes >= CODES_PER_WINDOW:
        raise TooManyCodes("That was the last code for this number today. Try again tomorrow.")
    code = numeric_code()
    row.codes += 1
    row.attempts = 0
    row.requested_at = moment
    row.code_hash = _code_hash(account, phone, code)
    row.save()
    audit_record(account=account, actor=actor, action="number.code_requested", subject=phone)
    return row, code


def verifiednumber_confirm(
    *, account: Account, actor: User, number_id: int, code: str
) -> VerifiedNumber:
    """Take the code a person read on their phone.

    Raises:
        NotFound: the account has asked for no such number.
        CodeWrong: another code, or older than CODE_VALID_FOR. The attempt is counted.
        TooManyCodes: ATTEMPTS_PER_CODE wrong codes; a new code is needed.
    """
    # The attempt is counted by itself and first: a refusal must not take the count back with it,
    # and of many guesses at once only as many as are allowed get to compare.
    counted = VerifiedNumber.objects.filter(
        account=account, pk=number_id, attempts__lt=ATTEMPTS_PER_CODE
    ).update(attempts=F("attempts") + 1)
    row = VerifiedNumber.objects.filter(account=account, pk=number_id).first()
    if row is None:
        raise NotFound()
    if row.verified_at:
        return row
    if not counted:
        raise TooManyCodes("Too many wrong codes. Ask for a new one.")
    fresh = row.requested_at > now() - CODE_VALID_FOR
    if not fresh or not constant_time_compare(
        row.code_hash, _code_hash(account, row.phone, code.strip())
    ):
        raise CodeWrong()
    with transaction.atomic():
        row.verified_at = now()
        row.save(update_fields=["verified_at"])
        audit_record(account=account, actor=actor, action="number.verified", subject=row.phone)
    return row


@transaction.atomic
def verifiednumber_remove(*, account: Account, actor: User, number_id: int) -> None:
    """Forget a number. Only a confirmed one: an open one keeps its count of codes.

    Raises:
        NotFound: the account has no such confirmed number.
    """
    row = VerifiedNumber.objects.filter(
        account=account, pk=number_id, verified_at__isnull=False
    ).first()
    if row is None:
        raise NotFound()
    row.delete()
    audit_record(account=account, actor=actor, action="number.removed", subject=row.phone)
