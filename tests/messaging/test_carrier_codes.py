import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging import carrier_codes
from messaging.carrier_codes import Retry, explain
from messaging.choices import Reason

# code, reason, retry, suppress: the facts a wrong table would break.
FACTS = [
    ("20003", Reason.CARRIER_ACCOUNT, Retry.NEVER, False),
    ("20404", Reason.CARRIER_ACCOUNT, Retry.NEVER, False),
    ("20429", Reason.RATE, Retry.LATER, False),
    ("20500", Reason.PROVIDER, Retry.AMBIGUOUS, False),
    ("20503", Reason.PROVIDER, Retry.AMBIGUOUS, False),
    ("21211", Reason.INVALID_NUMBER, Retry.NEVER, True),
    ("21212", Reason.BAD_SENDER, Retry.OTHER_SENDER, False),
    ("11200", Reason.MEDIA, Retry.LATER, False),
    ("12300", Reason.MEDIA, Retry.NEVER, False),
    ("30019", Reason.MEDIA, Retry.NEVER, False),
    ("21408", Reason.REGION, Retry.NEVER, False),
    ("21608", Reason.UNVERIFIED_TRIAL, Retry.NEVER, False),
    ("21610", Reason.OPTED_OUT, Retry.NEVER, True),
    ("21611", Reason.RATE, Retry.LATER, False),
    ("21612", Reason.BAD_SENDER, Retry.OTHER_SENDER, False),
    ("21614", Reason.LANDLINE, Retry.NEVER, True),
    ("21617", Reason.TOO_LONG, Retry.NEVER, False),
    ("21635", Reason.LANDLINE, Retry.NEVER, True),
    ("21704", Reason.BAD_SENDER, Retry.OTHER_SENDER, False),
    ("30001", Reason.RATE, Retry.LATER, False),
    ("30002", Reason.CARRIER_ACCOUNT, Retry.NEVER, False),
    ("30003", Reason.UNREACHABLE, Retry.LATER, False),
    ("30004", Reason.BLOCKED, Retry.NEVER, False),
    ("30005", Reason.INVALID_NUMBER, Retry.NEVER, True),
    ("30006", Reason.LANDLINE, Retry.NEVER, True),
    ("30007", Reason.FILTERED, Retry.NEVER, False),
    ("30008", Reason.OTHER, Retry.LATER, False),
    ("30023", Reason.RATE, Retry.LATER, False),
    ("30034", Reason.BAD_SENDER, Retry.OTHER_SENDER, False),
    ("30036", Reason.EXPIRED, Retry.LATER, False),
    ("30410", Reason.PROVIDER, Retry.LATER, False),
]


@pytest.mark.parametrize(("code", "reason", "retry", "is_suppressing"), FACTS)
def test_what_a_code_decides(code: str, reason: Reason, retry: Retry, is_suppressing: bool) -> None:
    row = explain(code)

    assert (row.code, row.reason, row.retry, row.is_suppressing) == (
        code,
        reason,
        retry,
        is_suppressing,
    )
    assert explain(int(code)) is row
    assert carrier_codes.reason(code) == reason


def test_only_account_trouble_stops_a_tenant() -> None:
    assert {row.code for row in carrier_codes.known() if row.is_tenant_stop} == {
        "20003",
        "20005",
        "30002",
    }


def test_each_code_is_explained_once_in_sentences() -> None:
    rows = list(carrier_codes.known())

    assert len(rows) == len(carrier_codes._CODES) == 53
    assert [row.code for row in rows] == sorted({row.code for row in rows})
    for row in rows:
        for sentence in (row.meaning, row.cause, row.advice):
            assert sentence[0].isupper()
            assert sentence.endswith(".")


def test_an_unknown_code_is_named_and_may_not_be_retried() -> None:
    row = explain("39999")

    assert (row.code, row.reason, row.retry) == ("39999", Reason.OTHER, Retry.NEVER)
    assert "39999" in row.meaning
    assert "twilio.com/docs/api/errors/39999" in row.advice
    assert explain(None) == explain("")
    assert explain("").meaning == "The carrier gave no cause."


@given(st.one_of(st.none(), st.text(), st.integers()))
def test_no_code_raises(code: str | int | None) -> None:
    assert explain(code).meaning
