"""An audience by the shape of its values, so that a million texts are counted as a few hundred.

Owns which values count alike. What makes a text dearer is how long each value is and which encoding
it needs; so values of plain letters stand for all of their length, and only what is neither plain
nor a letter of one unit (emoji, marks, extension characters) stands for itself. Counting one text
for each shape is exact, not a sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from messaging.choices import Reason
from messaging.content import Content
from messaging.rendering import BODY_LIMIT
from messaging.segments import GSM_BASIC

# One unit in either encoding, joining with nothing, replaced by nothing: all alike to a counter.
_PLAIN: Final = "".join(char for char in GSM_BASIC if char not in "\n\r")
_PLAIN_STAND_IN: Final = "x"
# Letters of one UTF-16 unit that join with nothing and have no look-alike: Latin, Cyrillic, Greek,
# Hebrew, Arabic, kana and Han. One of them makes the text UCS-2, then plain ones cost the same.
_WIDE: Final = (
    r"\u00c0-\u017f\u0391-\u03a9\u03b1-\u03c9\u0400-\u0481\u048a-\u052f\u05d0-\u05ea"
    r"\u0621-\u063a\u0641-\u064a\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff"
)
_WIDE_STAND_IN: Final = "\u0436"

_PLAIN_CLASS: Final = r" -Z_a-z" + "".join(
    f"\\u{ord(char):04x}" for char in _PLAIN if not char.isascii()
)


def shape_of(value: str) -> str:
    """SQL of the shape of a value, itself SQL without a percent sign: a text that counts alike.

    Empty values have the shape ""; what begins with a space may be blank and stands for itself.
    """
    return (
        f"CASE WHEN {value} !~ '^ |[^{_PLAIN_CLASS}]' "
        f"THEN repeat('{_PLAIN_STAND_IN}', length({value})) "
        f"WHEN {value} !~ '^ |[^{_PLAIN_CLASS}{_WIDE}]' "
        f"THEN rpad('{_WIDE_STAND_IN}', length({value}), '{_PLAIN_STAND_IN}') "
        f"ELSE {value} END"
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """People whose texts count alike.

    Attributes:
        reason: Why they are not texted (a `Reason`), or "".
        people: How many.
        contact_id: The first of them.
        price: Credits that each segment to them costs.
        merge: Field to the stand-in of its value; "" for an empty one.
    """

    reason: str
    people: int
    contact_id: int
    price: int
    merge: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Counted:
    """A shape with the text its people get, short links as stand-ins.

    Attributes:
        shape: Whose.
        text: As long and as dear as each of theirs.
        reason: Why they are not texted, also for what only a rendered text shows; "" if they are.
        segments: What each takes.
        blank: The text's fields that they have no value for.
    """

    shape: Shape
    text: str
    reason: str
    segments: int
    blank: list[str]

    @property
    def credits(self) -> int:
        """What texting all of its people costs."""
        return self.shape.people * self.segments * self.shape.price


def counted(content: Content, shapes: Sequence[Shape]) -> list[Counted]:
    """Render and count one text for each shape, in the same order."""
    template = content.template
    if template is None:
        return [_counted(content, shape, is_too_long=False) for shape in shapes]
    fixed = len(template.fullest(["x" * content.link_length] * len(template.links)))
    names = [field.name for field in template.fields]
    found = []
    for shape in shapes:
        # As the launch measures it: fallbacks beside the values they stand in for.
        longest = fixed + sum(len(shape.merge[name]) for name in names)
        found.append(_counted(content, shape, is_too_long=longest > BODY_LIMIT))
    return found


def _counted(content: Content, shape: Shape, *, is_too_long: bool) -> Counted:
    text = content.sample(shape.merge)
    reason = shape.reason
    if not reason and (is_too_long or len(text) > BODY_LIMIT):
        reason = Reason.TOO_LONG
    if not reason and content.is_blank(text):
        reason = Reason.BLANK_FIELD
    blank = [name for name, value in shape.merge.items() if not value or value.isspace()]
    return Counted(shape, text, reason, content.segments(text), blank)
