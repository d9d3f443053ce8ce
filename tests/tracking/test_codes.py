from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from tracking import codes
from tracking.codes import LINK_LIMIT, NUMBER_LIMIT, LinkCodes, read_keys

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))

link_ids = st.integers(0, LINK_LIMIT - 1)
numbers = st.integers(0, NUMBER_LIMIT - 1)


def ff1(key: bytes, radix: int, tweak: bytes, numerals: Sequence[int]) -> list[int]:
    """FF1.Encrypt, word for word from NIST SP 800-38G, algorithm 7. Slow on purpose."""

    def num(x: Sequence[int]) -> int:
        value = 0
        for digit in x:
            value = value * radix + digit
        return value

    def numerals_of(value: int, m: int) -> list[int]:
        digits = []
        for _ in range(m):
            value, digit = divmod(value, radix)
            digits.append(digit)
        return digits[::-1]

    def ciph(block: bytes) -> bytes:
        return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)

    def prf(data: bytes) -> bytes:
        y = bytes(16)
        for at in range(0, len(data), 16):
            y = ciph(bytes(p ^ q for p, q in zip(y, data[at : at + 16], strict=True)))
        return y

    n, t = len(numerals), len(tweak)
    u = n // 2
    v = n - u
    a, b = list(numerals[:u]), list(numerals[u:])
    b_bytes = -(-(radix**v - 1).bit_length() // 8)
    d = 4 * -(-b_bytes // 4) + 4
    p = bytes([1, 2, 1]) + radix.to_bytes(3) + bytes([10, u % 256]) + n.to_bytes(4) + t.to_bytes(4)
    for i in range(10):
        q = tweak + bytes((-t - b_bytes - 1) % 16) + bytes([i]) + num(b).to_bytes(b_bytes)
        r = prf(p + q)
        s = r
        j = 1
        while len(s) < d:
            s += ciph(bytes(x ^ y for x, y in zip(r, j.to_bytes(16), strict=True)))
            j += 1
        y = int.from_bytes(s[:d])
        m = u if i % 2 == 0 else v
        a, b = b, numerals_of((num(a) + y) % radix**m, m)
    return a + b


def by_reference(key: bytes, link_id: int, number: int) -> str:
    value = link_id * 2**24 + number
    digits = []
    for _ in range(10):
        value, digit = divmod(value, 62)
        digits.append(digit)
    return "".join(BASE62[digit] for digit in ff1(key, 62, b"", digits[::-1]))


# NIST's FF1 samples 1 to 9 (csrc.nist.gov, FF1samples.pdf).
KEY_128 = "2B7E151628AED2A6ABF7158809CF4F3C"
KEY_192 = KEY_128 + "EF4359D8D580AA4F"
KEY_256 = KEY_192 + "7F036D6F04FC6A94"
TWEAK_10 = "39383736353433323130"
TWEAK_36 = "3737373770717273373737"
NIST = [
    (KEY_128, 10, "", "0123456789", "2433477484"),
    (KEY_128, 10, TWEAK_10, "0123456789", "6124200773"),
    (KEY_128, 36, TWEAK_36, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (KEY_192, 10, "", "0123456789", "2830668132"),
    (KEY_192, 10, TWEAK_10, "0123456789", "2496655549"),
    (KEY_192, 36, TWEAK_36, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (KEY_256, 10, "", "0123456789", "6657667009"),
    (KEY_256, 10, TWEAK_10, "0123456789", "1001623463"),
    (KEY_256, 36, TWEAK_36, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
]


@pytest.mark.parametrize(("key", "radix", "tweak", "plain", "cipher"), NIST)
def test_the_reference_is_nists_ff1(
    key: str, radix: int, tweak: str, plain: str, cipher: str
) -> None:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"

    encrypted = ff1(
        bytes.fromhex(key), radix, bytes.fromhex(tweak), [digits.index(c) for c in plain]
    )

    assert "".join(digits[digit] for digit in encrypted) == cipher


@given(st.binary(min_size=32, max_size=32), link_ids, numbers)
def test_codes_are_ff1_of_link_and_number(key: bytes, link_id: int, number: int) -> None:
    coder = LinkCodes({1: key})

    (code,) = coder.encode_pairs([(link_id, number)])

    assert code == by_reference(key, link_id, number)
    assert coder.candidates(code) == [(link_id, number)]


@given(link_ids, st.lists(numbers, max_size=50))
def test_a_window_is_encoded_as_each_alone(link_id: int, window: list[int]) -> None:
    coder = LinkCodes({1: KEY})

    together = coder.encode_pairs([(link_id, number) for number in window])

    assert together == [coder.encode_pairs([(link_id, number)])[0] for number in window]


def test_bounds_of_links_and_numbers() -> None:
    coder = LinkCodes({1: KEY})

    assert LINK_LIMIT == 62**10 // 2**24 == 50_026_140_562
    for link_id, number in [(0, 0), (LINK_LIMIT - 1, NUMBER_LIMIT - 1)]:
        assert coder.candidates(coder.encode_pairs([(link_id, number)])[0]) == [(link_id, number)]
    for link_id, number in [(-1, 0), (LINK_LIMIT, 0), (0, -1), (0, NUMBER_LIMIT)]:
        with pytest.raises(ValueError, match=r"link id|recipient numbers"):
            coder.encode_pairs([(link_id, number)])


def test_no_two_recipients_share_a_code() -> None:
    coder = LinkCodes({1: KEY})

    found = coder.encode_pairs([(link, no) for link in (7, 8) for no in range(20_000)])

    assert len(set(found)) == 40_000
    assert {len(code) for code in found} == {10}
    assert {c for code in found for c in code} == set(BASE62)


@pytest.mark.parametrize(
    "text", ["", "short", "A" * 9, "A" * 11, "AAAAAAAAA-", "AAAAA/AAAA", "ÄAAAAAAAAA", "٣" * 10]
)
def test_what_is_no_code_decodes_to_nothing(text: str) -> None:
    assert codes.candidates(text) == []


@given(st.text(max_size=12))
def test_any_path_decodes_or_not_without_raising(text: str) -> None:
    found = codes.candidates(text)

    assert [codes.encode(*pair) for pair in found] in ([], [text])


def test_after_a_rotation_old_and_new_codes_work() -> None:
    before = LinkCodes({1: KEY})
    after = LinkCodes({1: KEY, 2: OTHER_KEY})

    old = before.encode_pairs([(41, 7)])[0]
    new = after.encode_pairs([(42, 8)])[0]

    assert new == LinkCodes({2: OTHER_KEY}).encode_pairs([(42, 8)])[0]
    assert after.candidates(new)[0] == (42, 8)
    assert after.candidates(old)[1] == (41, 7)
    assert before.candidates(new) != [(42, 8)]


def test_the_setting_names_the_keys(settings: Settings) -> None:
    settings.LINK_KEY = f"1:{KEY.hex()}"
    old = codes.encode(41, 7)
    settings.LINK_KEY = f"1:{KEY.hex()},2:{OTHER_KEY.hex()}"
    new = codes.encode(41, 8)

    assert codes.candidates(old)[1] == (41, 7)
    assert codes.candidates(new)[0] == (41, 8)
    assert codes.encode_pairs([(41, 8), (41, 9)]) == [new, codes.encode(41, 9)]


def test_keys_are_read_by_version() -> None:
    assert read_keys(f"1:{KEY.hex()}") == {1: KEY}
    assert read_keys(f"10:{KEY.hex()}, 9:{OTHER_KEY.hex().upper()}") == {10: KEY, 9: OTHER_KEY}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("", "entry 1"),
        (KEY.hex(), "entry 1"),
        (f"v1:{KEY.hex()}", "entry 1"),
        (f"1:{KEY.hex()[:-2]}", "entry 1"),
        (f"1:{'zz' * 32}", "entry 1"),
        (f"1:{KEY.hex()},", "entry 2"),
        (f"1:{KEY.hex()},1:{OTHER_KEY.hex()}", "version 1 stands there twice"),
    ],
)
def test_a_bad_setting_is_told_without_showing_the_key(setting: str, words: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        read_keys(setting)

    assert words in str(caught.value)
    assert KEY.hex()[:16] not in str(caught.value)
