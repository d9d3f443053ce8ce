"""The carrier's own segment count (3GPP TS 23.038 and 23.040) and smart encoding."""

import pytest

from carriersim.segments import segment_count, smart_encode


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("\u20ac" * 80, 1),
        ("\u20ac" * 81, 2),
        # A pair is not split: 152 and a pair leave one septet of the first segment empty.
        ("a" * 152 + "{" + "a" * 152, 3),
        ("a" * 151 + "{" + "a" * 153, 2),
        ("\u00e7" * 70, 1),
        ("\u00e7" * 71, 2),
        ("\u00e7" * 134, 2),
        ("\u00e7" * 135, 3),
        ("\U0001f600" * 35, 1),
        ("\U0001f600" * 36, 2),
        # 66 units and a surrogate pair: the pair goes to the next segment.
        ("\u00e7" * 66 + "\U0001f600" + "\u00e7" * 66, 3),
        ("\r\n" * 80, 1),
        ("\r\n" * 81, 2),
    ],
)
def test_segments(text: str, count: int) -> None:
    assert segment_count(text) == count


def test_smart_encoding_replaces_look_alikes_and_leaves_accents() -> None:
    text = "\u201cIt\u2019s\u201d 5\u00a0\u2013 6\u2026 caf\u00e9 \u015f"

    assert smart_encode(text) == '"It\'s" 5 - 6... caf\u00e9 \u015f'
