"""Characters that make a text dearer: which, what each costs, and what smart encoding does to them.

Owns what the composer tells about them. Counting and look-alikes are `messaging.segments`'s.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from common.errors import DomainError
from messaging import segments
from messaging.graphemes import clusters
from messaging.services import Audience

# Of so many the price is told; a text of Chinese has hundreds, and no cheaper wording.
PRICED: Final = 6


@dataclass(frozen=True)
class OddCharacter:
    """A character that makes the whole text dearer, and what could stand in its place.

    `credits` is what it costs over the audience: what the text would save without it, were it the
    only one. None where that is not known.
    """

    char: str
    name: str
    times: int
    replacement: str | None
    credits: int | None = None

    @property
    def replacements(self) -> dict[str, str]:
        """Only this one and its look-alike, as the page's script takes them."""
        return {} if self.replacement is None else {self.char: self.replacement}


@dataclass(frozen=True)
class Piece:
    """A stretch of the text as written; `is_odd` pieces force the dearer encoding.

    `sent` is what goes out instead of an odd piece where smart encoding replaces it, else None.
    """

    text: str
    is_odd: bool
    sent: str | None = None


def odd_characters(text: str) -> list[OddCharacter]:
    """The odd characters of `text`, the most frequent first."""
    forcing = segments.count(text).forcing
    times = Counter(one.char for one in forcing)
    replacements = {one.char: one.replacement for one in forcing}
    return [
        OddCharacter(char, _name(char), count, replacements[char])
        for char, count in times.most_common()
    ]


def priced(body: str, odd: Sequence[OddCharacter], audience: Audience) -> list[OddCharacter]:
    """The same characters, the first few with what each costs this audience."""
    try:
        bare = audience.credits(_without(body, odd))
        return [
            replace(one, credits=audience.credits(_without(body, odd, but=one)) - bare)
            for one in odd[:PRICED]
        ] + list(odd[PRICED:])
    except DomainError:  # nothing else is in the text
        return list(odd)


def saved(body: str, odd: Iterable[OddCharacter], audience: Audience) -> int:
    """Credits that replacing all that can be replaced would save, by hand."""
    text = body
    for one in odd:
        if one.replacement is not None:
            text = text.replace(one.char, one.replacement)
    try:
        return audience.estimate.credits - audience.credits(text)
    except DomainError:
        return 0


def pieces(body: str, odd: Sequence[OddCharacter], *, is_replaced: bool) -> list[Piece]:
    """The text in stretches, odd ones apart.

    Args:
        body: As written.
        odd: Its odd characters.
        is_replaced: Whether look-alikes go out in their place.
    """
    sent = {one.char: one.replacement if is_replaced else None for one in odd}
    found: list[Piece] = []
    for cluster in clusters(body) if sent else [body]:
        is_odd = cluster in sent
        # Letters that are written joined stay together.
        if found and is_odd == found[-1].is_odd and sent.get(cluster) is found[-1].sent is None:
            found[-1] = Piece(found[-1].text + cluster, is_odd)
        else:
            found.append(Piece(cluster, is_odd, sent.get(cluster)))
    return found


def _without(body: str, odd: Iterable[OddCharacter], *, but: OddCharacter | None = None) -> str:
    for one in odd:
        if one is not but:
            body = body.replace(one.char, one.replacement or "")
    return body


def _name(char: str) -> str:
    return unicodedata.name(char[0], "character").lower().replace("mark", "").strip()
