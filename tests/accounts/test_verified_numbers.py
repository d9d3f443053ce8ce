"""A trial's verified phones: the code, its end, and the limits against guessing."""

from datetime import timedelta

import pytest
import time_machine

from accounts import services
from accounts.errors import CodeWrong, TooManyCodes
from accounts.models import Account, AuditEvent, User, VerifiedNumber
from common.clock import now
from common.errors import NotFound

pytestmark = pytest.mark.django_db

PHONE = "+12025550143"


def _request(account: Account, alice: User, phone: str = PHONE) -> tuple[VerifiedNumber, str]:
    return services.verifiednumber_request(account=account, actor=alice, phone=phone)


def _confirm(account: Account, alice: User, number: VerifiedNumber, code: str) -> VerifiedNumber:
    return services.verifiednumber_confirm(
        account=account, actor=alice, number_id=number.pk, code=code
    )


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def _is_verified(number: VerifiedNumber) -> bool:
    return VerifiedNumber.objects.get(pk=number.pk).verified_at is not None


def test_the_code_verifies_the_phone(account: Account, alice: User) -> None:
    number, code = _request(account, alice)

    assert len(code) == 6
    assert code not in str(VerifiedNumber.objects.values().get(pk=number.pk)["code_hash"])
    _confirm(account, alice, number, f" {code} ")

    assert _is_verified(number)
    actions = AuditEvent.objects.filter(subject=PHONE).order_by("id")
    assert [e.action for e in actions] == ["number.code_requested", "number.verified"]


def test_after_five_wrong_codes_the_right_one_is_refused(account: Account, alice: User) -> None:
    number, code = _request(account, alice)

    for _ in range(5):
        with pytest.raises(CodeWrong):
            _confirm(account, alice, number, _wrong(code))
    with pytest.raises(TooManyCodes):
        _confirm(account, alice, number, code)

    assert not _is_verified(number)


def test_a_code_ends_after_ten_minutes(account: Account, alice: User) -> None:
    number, code = _request(account, alice)

    with (
        time_machine.travel(now() + timedelta(minutes=10, seconds=1)),
        pytest.raises(CodeWrong),
    ):
        _confirm(account, alice, number, code)

    assert not _is_verified(number)


def test_only_the_newest_code_counts(account: Account, alice: User) -> None:
    number, old = _request(account, alice)
    _, new = _request(account, alice)

    if old != new:
        with pytest.raises(CodeWrong):
            _confirm(account, alice, number, old)
    _confirm(account, alice, number, new)

    assert _is_verified(number)


def test_a_phone_gets_five_codes_a_day(account: Account, alice: User) -> None:
    for _ in range(5):
        _request(account, alice)
    before = VerifiedNumber.objects.get().code_hash

    with pytest.raises(TooManyCodes):
        _request(account, alice)
    assert VerifiedNumber.objects.get().code_hash == before

    with time_machine.travel(now() + timedelta(days=1, seconds=1)):
        _request(account, alice)
    assert VerifiedNumber.objects.get().codes == 1


def test_an_account_verifies_ten_phones(account: Account, alice: User) -> None:
    for n in range(10):
        _request(account, alice, f"+1202555010{n}")

    with pytest.raises(TooManyCodes):
        _request(account, alice)

    assert VerifiedNumber.objects.count() == 10


def test_a_strangers_number_is_not_there(
    account: Account, alice: User, other_account: Account, charlie: User
) -> None:
    number, code = _request(account, alice)

    with pytest.raises(NotFound):
        _confirm(other_account, charlie, number, code)
    with pytest.raises(NotFound):
        services.verifiednumber_remove(account=other_account, actor=charlie, number_id=number.pk)

    assert not _is_verified(number)
    assert VerifiedNumber.objects.get().attempts == 0


def test_removing_and_asking_again_does_not_reset_the_count(account: Account, alice: User) -> None:
    number, _ = _request(account, alice)

    with pytest.raises(NotFound):
        services.verifiednumber_remove(account=account, actor=alice, number_id=number.pk)

    assert VerifiedNumber.objects.get().codes == 1
