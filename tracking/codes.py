"""Short-link codes: an encrypted (link id, recipient number), so no row per recipient is needed.

Owns what stands behind the slash of a short link. Whether a link exists, to whom it was sent and
where it leads is for the caller to look up.

A code is ten characters of base62: FF1, the format-preserving cipher of NIST SP 800-38G, under
AES-256, radix 62, no tweak, over the number ``link_id * 2**24 + recipient_no``. Every string of ten
such characters decodes to some pair. With N live codes a random one is live with a chance of
N / 62**10: 1.2e-9 at a billion, 1.2e-12 at a million. Codes of one link look unrelated, and
neither number can be read from them without the key.

Keys: ``LINK_KEY`` is ``version:hex`` or several of them, comma-separated; the highest version
encrypts. Codes carry no version (that would cost a character of every text), so a decoder with
several keys gets one candidate per key, newest first, and takes the first that is live: the chance
that a wrong key's candidate is live is again N / 62**10. Old keys stay as long as old links should
work.

Recipient numbers end at 2**24 - 1 (16.7 million in one batch), link ids at 5.0e10.
"""

import string
import sys
import threading
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

CODE_LENGTH: Final = 10
NUMBER_BITS: Final = 24
NUMBER_LIMIT: Final = 2**NUMBER_BITS
LINK_LIMIT: Final = 62**CODE_LENGTH // NUMBER_LIMIT

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_DIGITS: Final[Mapping[str, int]] = {char: at for at, char in enumerate(_ALPHABET)}
_PAIRS: Final = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_PAIR_AT: Final[Mapping[str, int]] = {pair: at for at, pair in enumerate(_PAIRS)}
_HALF: Final = 62**5
_ROUNDS: Final = 10
# P of SP 800-38G, algorithm 7, step 5: radix 62, ten rounds, u = 5, n = 10, t = 0.
_P: Final = bytes([1, 2, 1, 0, 0, 62, 10, 5, 0, 0, 0, 10, 0, 0, 0, 0])
# NUM(S) of a round: the first eight bytes of its block.
_TAIL: Final = Struct(">Q").unpack_from


class LinkCipher:
    """FF1 under one key. Safe to share between threads.

    With ten characters and no tweak each round's Q is one block (11 zeros, the round, the half as
    four bytes), so a round of CBC-MAC over P and Q is AES(AES(P) xor Q): one AES block per round
    and code, and one call of AES per round for a whole window of codes.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError(f"a link key has 32 bytes, not {len(key)}")
        self._aes = Cipher(algorithms.AES(key), modes.ECB())  # one block per message: no chaining
        self._local = threading.local()
        start = self._encryptor().update(_P)
        self._prefixes = [start[:11] + bytes([start[11] ^ at]) + bytes(4) for at in range(_ROUNDS)]
        self._heads = [int.from_bytes(prefix) for prefix in reversed(self._prefixes)]
        self._mask = int.from_bytes(start[12:])

    def encrypt(self, values: list[int]) -> list[tuple[int, int]]:
        """Both halves (each below 62**5) of every value (below 62**10)."""
        left = [value // _HALF for value in values]
        right = [value % _HALF for value in values]
        for prefix in self._prefixes:
            tails = self._tails(prefix, right)
            left, right = right, [(a + y) % _HALF for a, y in zip(left, tails, strict=True)]
        return list(zip(left, right, strict=True))

    def decrypt(self, left: int, right: int) -> int:
        """The value whose halves encrypt to `left` and `right`."""
        encrypt, mask = self._encryptor().update, self._mask
        for head in self._heads:
            (tail,) = _TAIL(encrypt((head | (left ^ mask)).to_bytes(16)))
            left, right = (right - tail) % _HALF, left
        return left * _HALF + right

    def _tails(self, prefix: bytes, halves: list[int]) -> Sequence[int]:
        """NUM(S) of each half in one round: the first eight bytes of its block, encrypted."""
        mask = self._mask
        words = array("I", [half ^ mask for half in halves])
        _to_big_endian(words)
        blocks = bytearray(prefix * len(halves))
        with memoryview(blocks) as view, view.cast("I") as slots:
            slots[3::4] = memoryview(words)
        tails = array("Q", self._encryptor().update(blocks))[::2]
        _to_big_endian(tails)
        return tails

    def _encryptor(self) -> CipherContext:
        # ECB keeps nothing between whole blocks, so a thread makes its context once (10 us).
        found: CipherContext | None = getattr(self._local, "encryptor", None)
        if found is None:
            found = self._local.encryptor = self._aes.encryptor()
        return found


def _half(text: str) -> int:
    """The number of five characters; a KeyError if one of them is none of the alphabet."""
    return (_PAIR_AT[text[:2]] * 3844 + _PAIR_AT[text[2:4]]) * 62 + _DIGITS[text[4]]


def _to_big_endian(words: "array[int]") -> None:
    """Turn words of the machine into words of the standard, or back."""
    if sys.byteorder == "little":
        words.byteswap()


class LinkCodes:
    """Codes under one or several keys; `keys` maps version to 32 bytes, the highest encrypts."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._ciphers = [LinkCipher(keys[version]) for version in sorted(keys, reverse=True)]

    def encode_pairs(self, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """Codes of (link id, recipient number), in their order. See module functions."""
        for link_id in {link_id for link_id, _ in pairs}:
            if not 0 <= link_id < LINK_LIMIT:
                raise ValueError(f"link id {link_id} is not below {LINK_LIMIT}")
        values = [(link_id << NUMBER_BITS) + number for link_id, number in pairs]
        numbers = [number for _, number in pairs]
        if numbers and not 0 <= min(numbers) <= max(numbers) < NUMBER_LIMIT:
            raise ValueError(f"recipient numbers go from 0 to {NUMBER_LIMIT - 1}")
        halves = self._ciphers[0].encrypt(values)
        twos, digits = _PAIRS, _ALPHABET
        return [
            digits[a // 14776336]
            + twos[a // 3844 % 3844]
            + twos[a % 3844]
            + digits[b // 14776336]
            + twos[b // 3844 % 3844]
            + twos[b % 3844]
            for a, b in halves
        ]

    def candidates(self, code: str) -> list[tuple[int, int]]:
        """What `code` is under each key, newest first; [] if it is no code."""
        if len(code) != CODE_LENGTH:
            return []
        try:
            left, right = _half(code[:5]), _half(code[5:])
        except KeyError:
            return []
        found = [divmod(c.decrypt(left, right), NUMBER_LIMIT) for c in self._ciphers]
        return [pair for pair in found if pair[0] < LINK_LIMIT]


def encode(link_id: int, recipient_no: int) -> str:
    """The code of one recipient's link.

    Raises:
        ValueError: if `link_id` is not in [0, LINK_LIMIT) or `recipient_no` not in
            [0, NUMBER_LIMIT).
    """
    return encode_pairs([(link_id, recipient_no)])[0]


def encode_pairs(pairs: Sequence[tuple[int, int]]) -> list[str]:
    """The codes of many (link id, recipient number), in their order; the send path's way.

    Raises:
        ValueError: as `encode`, for any of them.
    """
    return current().encode_pairs(pairs)


def candidates(code: str) -> list[tuple[int, int]]:
    """(link id, recipient number) of `code` under each key of LINK_KEY, newest first.

    Empty if it cannot be a code. Any ten base62 characters are one, so the caller takes the first
    pair whose link exists and went to that many.
    """
    return current().candidates(code)


def current() -> LinkCodes:
    """Codes under LINK_KEY as it is now."""
    return _codes(settings.LINK_KEY)


@lru_cache(maxsize=4)
def _codes(setting: str) -> LinkCodes:
    return LinkCodes(read_keys(setting))


def read_keys(setting: str) -> dict[int, bytes]:
    """The keys in LINK_KEY's form, by version.

    Raises:
        ImproperlyConfigured: naming the entry by its place, never showing the key.
    """
    keys: dict[int, bytes] = {}
    for place, entry in enumerate(setting.split(","), start=1):
        version, colon, digits = entry.strip().partition(":")
        if not (colon and version.isascii() and version.isdigit() and _is_key(digits)):
            raise ImproperlyConfigured(
                f"LINK_KEY, entry {place}: expected version:64 hexadecimal digits, such as 1:0f…"
            )
        if int(version) in keys:
            raise ImproperlyConfigured(f"LINK_KEY: version {version} stands there twice")
        keys[int(version)] = bytes.fromhex(digits)
    return keys


def _is_key(digits: str) -> bool:
    return len(digits) == 64 and not set(digits) - set(string.hexdigits)
