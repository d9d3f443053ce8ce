"""Twilio's calculator is the judge: `segments_by_twilio.json` holds its answers to 868 texts."""

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging import graphemes, segments
from messaging.segments import Forcing

BY_TWILIO = json.loads((Path(__file__).parent / "segments_by_twilio.json").read_text())["rows"]

# Texts that mix all that matters: GSM, extension, look-alikes, emoji, marks, joiners, syllables.
hard_text = st.text(
    st.one_of(
        st.sampled_from(segments.GSM_BASIC + segments.GSM_EXTENSION),
        st.sampled_from("’“…\u00a0ç\t😀👍🏽👨👩\u200d\ufe0f🇩🇪\u0301กน็각ᄀᆨ\u0600"),
        st.characters(),
    ),
    max_size=400,
)


def _is_extended(text: str) -> bool:
    return segments.is_gsm(text) and not set(segments.GSM_EXTENSION).isdisjoint(text)


def test_counts_equal_twilios_calculator() -> None:
    differing = []

    for text, encoding, units, characters, total, remaining in BY_TWILIO:
        seen = segments.count(text)
        fast = segments.segments(text)
        if seen[:5] != (encoding, units, characters, total, remaining) or fast != total:
            differing.append((text, seen, fast))

    assert len(BY_TWILIO) == 868
    assert differing == []


@pytest.mark.parametrize(
    ("kind", "has", "rows"),
    [
        ("extension characters about a boundary", lambda t, n: n >= 150 and _is_extended(t), 169),
        ("surrogates about a boundary", lambda t, n: n >= 64 and max(t) > "\uffff", 311),
        ("emoji joined by ZWJ", lambda t, n: "\u200d" in t, 200),
        ("combining marks", lambda t, n: any(map(unicodedata.combining, t)), 222),
        ("CRLF", lambda t, n: "\r\n" in t, 150),
        ("look-alikes", lambda t, n: not segments._REPLACEMENTS.keys().isdisjoint(t), 205),
        ("flags", lambda t, n: any("\U0001f1e6" <= c <= "\U0001f1ff" for c in t), 164),
        ("syllables", lambda t, n: any("\uac00" <= c <= "\ud7a3" for c in t), 175),
    ],
)
def test_the_table_holds_what_is_hard(
    kind: str, has: Callable[[str, int], object], rows: int
) -> None:
    found = sum(bool(has(text, units)) for text, _, units, *_ in BY_TWILIO if text)

    assert found == rows, kind


@pytest.mark.parametrize(
    ("text", "encoding", "units", "total", "remaining"),
    [
        ("", "GSM-7", 0, 1, 160),
        ("a" * 160, "GSM-7", 160, 1, 0),
        ("a" * 161, "GSM-7", 161, 2, 145),
        ("a" * 159 + "€", "GSM-7", 161, 2, 145),
        ("a" * 152 + "{" + "a" * 152, "GSM-7", 306, 3, 152),  # the brace is not split
        ("a\r\nb", "GSM-7", 4, 1, 156),
        ("ç" + "a" * 69, "UCS-2", 70, 1, 0),
        ("ç" + "a" * 70, "UCS-2", 71, 2, 63),
        ("ж" * 66 + "😀" + "ж" * 66, "UCS-2", 134, 3, 66),  # nor is the surrogate pair
        ("😀" * 35, "UCS-2", 70, 1, 0),
        ("`", "UCS-2", 1, 1, 69),
        ("Ç", "GSM-7", 1, 1, 159),
    ],
)
def test_known_counts(text: str, encoding: str, units: int, total: int, remaining: int) -> None:
    seen = segments.count(text)

    assert (seen.encoding, seen.units, seen.segments, seen.remaining) == (
        encoding,
        units,
        total,
        remaining,
    )


@given(hard_text)
def test_fast_and_full_counts_agree_on_any_text(text: str) -> None:
    seen = segments.count(text)

    assert segments.segments(text) == seen.segments >= 1
    assert (seen.forcing == []) is (seen.encoding == "GSM-7") is segments.is_gsm(text)
    assert [text[f.index : f.index + len(f.char)] for f in seen.forcing] == [
        f.char for f in seen.forcing
    ]


@given(hard_text)
def test_clusters_lose_nothing(text: str) -> None:
    parts = graphemes.clusters(text)

    assert "".join(parts) == text
    assert "" not in parts


@given(hard_text, st.sampled_from("a€é"))
def test_a_longer_gsm_text_never_takes_fewer_segments(text: str, more: str) -> None:
    gsm = "".join(c for c in text if segments.is_gsm(c))

    assert segments.segments(gsm + more) >= segments.segments(gsm)


def test_lone_surrogates_are_counted_and_do_not_raise() -> None:
    seen = segments.count("\ud83d" + "a" * 70)

    assert (seen.encoding, seen.units, seen.segments) == ("UCS-2", 71, 2)


def test_what_forces_ucs2_is_named_with_its_replacement() -> None:
    text = "It’s 20 % off … 👨‍👩‍👧 cafe\u0301 ça"

    seen = segments.count(text)

    assert seen.forcing == [
        Forcing(2, "’", "'"),
        Forcing(14, "…", "..."),
        Forcing(16, "👨‍👩‍👧", None),
        Forcing(25, "e\u0301", "é"),
        Forcing(28, "ç", None),
    ]


def test_smart_encoding_replaces_look_alikes_and_tells_each() -> None:
    encoded = segments.smart_encode("“Don’t” wait\u00a0–\u200b cafe\u0301…")

    assert encoded.text == '"Don\'t" wait - café...'
    assert encoded.changes == [
        Forcing(0, "“", '"'),
        Forcing(4, "’", "'"),
        Forcing(6, "”", '"'),
        Forcing(12, "\u00a0", " "),
        Forcing(13, "–", "-"),
        Forcing(14, "\u200b", ""),
        Forcing(19, "e\u0301", "é"),
        Forcing(21, "…", "..."),
    ]


def test_smart_encoding_changes_nothing_where_nothing_is_gained() -> None:
    assert segments.smart_encode("Don’t miss it 😀") == ("Don’t miss it 😀", [])
    assert segments.smart_encode("Don't miss it") == ("Don't miss it", [])


@given(hard_text)
def test_smart_encoding_yields_gsm_or_the_text_itself(text: str) -> None:
    encoded = segments.smart_encode(text)

    if encoded.changes:
        assert segments.is_gsm(encoded.text)
    else:
        assert encoded.text == text


def test_every_replacement_is_gsm() -> None:
    for char, plain in segments._REPLACEMENTS.items():
        assert segments.is_gsm(plain), char
        assert not segments.is_gsm(char), char


@given(hard_text)
def test_what_is_cheaper_is_what_smart_encoding_makes_of_it(text: str) -> None:
    encoded = segments.smart_encode(text).text
    saves = segments.segments(encoded) < segments.segments(text)

    assert segments.cheaper(text, limit=10_000) == (encoded if saves else text)


def test_a_look_alike_is_replaced_only_where_that_saves_a_segment() -> None:
    short, long = "It’s here", "It’s here" + "x" * 62

    assert segments.cheaper(short, limit=1600) == short
    assert segments.cheaper(long, limit=1600) == long.replace("’", "'")
    assert segments.cheaper(long + " 🌷", limit=1600) == long + " 🌷"
    assert segments.cheaper("…" * 69 + "aa", limit=1600) == "…" * 69 + "aa"
    assert segments.cheaper("…" * 600, limit=1600) == "…" * 600
    assert segments.cheaper("5\u212b" + "…" + "x" * 68, limit=1600) == "5Å..." + "x" * 68
