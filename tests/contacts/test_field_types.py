"""What a value of each type is read from and kept as, and the words in which it is said."""

from datetime import date

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from contacts.choices import FieldKind
from contacts.field_types import reader, words, words_sql
from contacts.fields import FieldError
from tests.contacts.own_fields import OWN


@pytest.mark.parametrize(
    ("key", "typed", "kept"),
    [
        ("points", "12", "12"),
        ("points", "-012,345.50", "-12345.5"),
        ("points", "+7.", "7"),
        ("points", ".5", "0.5"),
        ("points", "-0.00", "0"),
        ("points", "1 234 567", "1234567"),
        ("born", "2026-05-03", "2026-05-03"),
        ("born", "2026/5/3 00:00:00", "2026-05-03"),
        ("born", "5/3/2026", "2026-05-03"),
        ("born", "3.5.2026", "2026-05-03"),
        ("born", "3 May 2026", "2026-05-03"),
        ("born", "September 9, 1980", "1980-09-09"),
        ("vip", "YES", "true"),
        ("vip", "True", "true"),
        ("vip", "0", "false"),
        ("size", "large", "Large"),
        ("other", "as it is", "as it is"),
        ("points", "  ", ""),
    ],
)
def test_a_value_is_kept_in_one_form(key: str, typed: str, kept: str) -> None:
    assert reader(OWN, "US")(key, typed) == kept


def test_a_day_with_slashes_is_read_as_in_the_accounts_country() -> None:
    assert reader(OWN, "GB")("born", "5/3/2026") == "2026-03-05"
    assert reader(OWN, "GB")("born", "31/12/2026") == "2026-12-31"


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        *(
            ("points", text)
            for text in ("many", "12,5", "1,23", "1e5", ".", "-", "$5", "٣", "9" * 31)
        ),
        *(("born", text) for text in ("soon", "2026-02-30", "13/13/2026", "3/5/26", "0000-01-01")),
        *(("born", text) for text in ("5 Mai 2026", "20260503", "1/2.2026")),
        *(("vip", text) for text in ("maybe", "2", "yes!")),
        *(("size", text) for text in ("Medium", "Smal", "Small, Large")),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(key: str, typed: str) -> None:
    with pytest.raises(FieldError) as refused:
        reader(OWN, "US")(key, typed)

    assert (refused.value.field, refused.value.reason) == (f"custom.{key}", "bad_value")
    assert OWN[key].label in refused.value.sentence


@given(st.text(max_size=30), st.sampled_from(sorted(OWN)))
def test_what_was_kept_is_kept_again(typed: str, key: str) -> None:
    read = reader(OWN, "US")
    try:
        kept = read(key, typed)
    except FieldError:
        return
    assert read(key, kept) == kept


def _said(kind: str, values: list[str | None]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {words_sql(kind, 'v')} FROM unnest(%s::text[]) WITH ORDINALITY u(v, n)"
            " ORDER BY n",
            [values],
        )
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.django_db
def test_the_statement_says_what_python_says() -> None:
    odd = ["", "x", "2026-02-30", "2026-13-01", "today", "May 3, 2026", "0000-00-00", "9999-12-31"]
    days = [date.fromordinal(n).isoformat() for n in range(1, 3_000_000, 1_013)]
    for kind in FieldKind.values:
        values = [*odd, *days, "0001-01-01", "true", "false", "True", "12.5"]
        assert _said(kind, [*values, None]) == [*(words(kind, value) for value in values), ""]
    assert words("date", "2026-05-03") == "3 May 2026"
    assert words("yes_no", "true") == "Yes"
