"""`phonenumbers` is the judge of what is valid; the fast path must never disagree with it."""

import re
from importlib import import_module
from typing import Any

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers.tzdata import TIMEZONE_DATA

from common.phone import Phone, PhoneError, display, normalise

# The parsed form of a pattern, to walk Google's metadata; without type stubs.
sre: Any = import_module("re._parser")


def _judge(text: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _ours(text: str, country: str) -> str | None:
    try:
        return normalise(text, country).e164
    except PhoneError:
        return None


@st.composite
def north_american(draw: st.DrawFn) -> str:
    """Ten digits, most with an area code that exists, in the shapes people write."""
    area = draw(st.one_of(st.sampled_from(AREAS), st.from_regex("[0-9]{3}", fullmatch=True)))
    rest = draw(st.from_regex("[0-9]{7}", fullmatch=True))
    shape = draw(
        st.sampled_from(
            [
                "{a}{b}{c}",
                "({a}) {b}-{c}",
                "{a}-{b}-{c}",
                "{a}.{b}.{c}",
                "1{a}{b}{c}",
                "1-{a}-{b}-{c}",
                "+1{a}{b}{c}",
                "+1 ({a}) {b}-{c}",
                " {a} {b} {c} ",
                "({a}){b}{c}",
                "+{a}{b}{c}",
            ]
        )
    )
    return shape.format(a=area, b=rest[:3], c=rest[3:])


AREAS = [
    "212",
    "305",
    "416",
    "787",
    "809",
    "242",
    "246",
    "800",
    "888",
    "900",
    "500",
    "700",
    "710",
    "671",
]


@given(north_american(), st.sampled_from(["US", "CA"]))
@example("(305) 555-0123", "US")
@example("+1 416 555 0199", "US")
def test_north_american_numbers_are_valid_exactly_when_metadata_says_so(
    text: str, country: str
) -> None:
    expected = _judge(text, country)

    assert _ours(text, country) == expected
    if expected:
        number = phonenumbers.parse(expected)
        found = normalise(text, country)
        assert found.region == (phonenumbers.region_code_for_number(number) or "")
        assert found.zones == tuple(
            z for z in phonenumbers.timezone.time_zones_for_number(number) if z != "Etc/Unknown"
        )


def test_the_last_four_digits_decide_nothing_in_north_america() -> None:
    """What lets the fast path remember exchanges: the metadata constrains six digits at most."""
    walked = 0

    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        assert metadata is not None
        kinds = SHARED_KINDS if metadata.leading_digits else SHARED_KINDS + LOCAL_KINDS
        for kind in kinds:
            pattern = getattr(getattr(metadata, kind), "national_number_pattern", None)
            if pattern:
                walked += 1
                assert _free_digits_at_end(list(sre.parse(pattern))) >= 4, (region, pattern)

    assert walked > 50
    assert max(len(prefix) for prefix in TIMEZONE_DATA if prefix[0] == "1") <= 1 + 6


def _free_digits_at_end(items: list[tuple[Any, Any]]) -> int:
    """How many digits at the end of every match of a parsed pattern may be any digit."""
    if not items:
        return 0
    kind, value = items[-1]
    if kind is sre.BRANCH:
        return min(_free_digits_at_end(list(one)) for one in value[1])
    if kind is sre.SUBPATTERN:
        return _free_digits_at_end(list(value[3]))
    if kind is sre.MAX_REPEAT and value[0] == value[1] and list(value[2]) == ANY_DIGIT:
        return int(value[0]) + _free_digits_at_end(items[:-1])
    return 1 + _free_digits_at_end(items[:-1]) if [(kind, value)] == ANY_DIGIT else 0


# Numbers of an island's own area code are not remembered by exchange; what all share is.
LOCAL_KINDS = ["fixed_line", "mobile", "voip"]
SHARED_KINDS = ["general_desc", "toll_free", "premium_rate", "personal_number", "pager", "uan"]
ANY_DIGIT = list(sre.parse(r"\d"))


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.integers(0, 3), st.booleans())
def test_numbers_of_every_country_are_read_in_their_own_form_and_with_plus(
    region: str, dropped: int, is_international: bool
) -> None:
    number = phonenumbers.example_number(region)
    form = (
        phonenumbers.PhoneNumberFormat.INTERNATIONAL
        if is_international
        else phonenumbers.PhoneNumberFormat.NATIONAL
    )
    assert number is not None
    text = phonenumbers.format_number(number, form)
    text = text[: len(text) - dropped]

    assert _ours(text, region) == _judge(text, region)


@given(st.text(max_size=100), st.sampled_from(["US", "DE", "", "XX"]))
def test_any_text_is_a_number_or_a_clear_error(text: str, country: str) -> None:
    refused: PhoneError | None = None
    found: Phone | None = None

    try:
        found = normalise(text, country)
    except PhoneError as error:
        refused = error

    if refused:
        assert re.fullmatch("phone_[a-z_]+", refused.code)
        assert refused.message.endswith(".")
    else:
        assert found is not None
        assert re.fullmatch(r"\+[1-9][0-9]{6,14}", found.e164)
        assert normalise(found.e164, "") == found


@pytest.mark.parametrize(
    "text",
    [
        "13055550123",
        "+1 305 555 0123",
        "'+13055550123",
        "’3055550123",
        "tel:+1-305-555-0123",
        "TEL: 305-555-0123",
        "1.3055550123E+10",
        "1.3055550123e10",
        "13055550123.0",
        "3055550123.00",
        "\u00a0305\u00a0555\u00a00123",
        "\u202a+1 305‑555‑0123\u202c",
        "３０５５５５０１２３",
        "٣٠٥٥٥٥٠١٢٣",
        "001 305 555 0123",
        "305 555 0123,",
        '"305 555 0123"',
    ],
)
def test_what_spreadsheets_and_copying_do_is_undone(text: str) -> None:
    assert normalise(text, "US") == Phone("+13055550123", "US", "unknown", ("America/New_York",))


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "phone_empty", "is empty"),
        (" \u00a0' ", "phone_empty", "is empty"),
        ("n/a", "phone_letters", "not a phone number"),
        ("call 305 555 0123", "phone_letters", "holds “c”"),
        ("1.5551E+10", "phone_damaged", "Format the column as text"),
        ("1,3E+10", "phone_damaged", "last digits are lost"),
        ("305 555 0123 ext. 5", "phone_extension", "cannot be texted"),
        ("305-555-0123x12", "phone_extension", "cannot be texted"),
        ("+1 305 555 0123;ext=4", "phone_extension", "cannot be texted"),
        ("305-555-0123 / 305-555-0199", "phone_several", "more than one number"),
        ("305 555 0123; 3055550199", "phone_several", "more than one number"),
        ("12345", "phone_too_short", "too few digits"),
        ("305555012345678", "phone_too_long", "begin it with +"),
        ("3" * 1_000_000, "phone_too_long", "too long"),
        ("+999 1234 5678", "phone_country", "country code"),
        ("555 555 0123", "phone_invalid", "No phone can have"),
    ],
)
def test_errors_say_what_is_wrong(text: str, code: str, words: str) -> None:
    with pytest.raises(PhoneError) as caught:
        normalise(text, "US")

    assert caught.value.code == code
    assert words in caught.value.message
    assert len(caught.value.message) < 250


@pytest.mark.parametrize(
    ("text", "country", "region", "line_type", "zone"),
    [
        ("0170 1234567", "DE", "DE", "mobile", "Europe/Berlin"),
        ("030/12345678", "DE", "DE", "landline", "Europe/Berlin"),
        ("+44 (0)20 7946 0958", "US", "GB", "landline", "Europe/London"),
        ("0044 20 7946 0958", "US", "GB", "landline", "Europe/London"),
        ("1-800-356-9377", "US", "US", "toll_free", "America/Chicago"),
        ("+1 787 555 1234", "US", "PR", "unknown", "America/Puerto_Rico"),
        ("056 1234 5678", "GB", "GB", "voip", "Europe/London"),
    ],
)
def test_region_line_and_zones(
    text: str, country: str, region: str, line_type: str, zone: str
) -> None:
    found = normalise(text, country)

    assert (found.region, found.line_type) == (region, line_type)
    assert zone in found.zones


def test_all_zones_a_number_may_be_in_are_told() -> None:
    assert normalise("+1 208 555 0123", "US").zones == ("America/Boise", "America/Los_Angeles")


def test_display() -> None:
    assert display("+13055550123") == "+1 305-555-0123"
    assert display("+13055550123", "US") == "(305) 555-0123"
    assert display("+442079460958", "US") == "+44 20 7946 0958"
    assert display("72345") == "72345"
    assert display("") == ""
