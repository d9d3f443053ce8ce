"""The picture of the demo's picture message, drawn on the spot: a bunch of flowers. Pure."""

import io
import math
from random import Random
from typing import Final

from PIL import Image, ImageDraw, ImageFilter

_WIDTH, _HEIGHT = 1_000, 800
_PAPER: Final = (238, 214, 190)
_LEAF: Final = (96, 142, 108)
_BLOOMS: Final = ((226, 122, 138), (244, 178, 120), (250, 224, 208), (196, 110, 160))
# Where the stems are tied, and where the blooms are: from there so far out.
_TIED: Final = (_WIDTH // 2, 600)


def bunch() -> bytes:
    """A hand-tied bunch as a JPEG, the same each time."""
    chance = Random(24)
    image = _backdrop()
    draw = ImageDraw.Draw(image)
    heads = [
        (_TIED[0] + int(x * 118), 320 + int(abs(x) * 40) + row * 92 - 40)
        for row, count in enumerate((3, 4, 3))
        for x in (at - (count - 1) / 2 for at in range(count))
    ]
    for x, y in heads:
        draw.line([(x, y), _TIED, (2 * _TIED[0] - (x + _TIED[0]) // 2, 740)], fill=_LEAF, width=7)
    for _ in range(34):
        x, y = chance.choice(heads)
        _leaf(image, x + chance.randint(-90, 90), y + chance.randint(-60, 70), chance)
    draw.polygon([(330, 500), (670, 500), (560, 720), (440, 720)], fill=_PAPER)
    draw.line([(388, 612), (612, 612)], fill=(176, 84, 96), width=14)
    for x, y in sorted(heads, key=lambda head: head[1]):
        _bloom(draw, x, y, chance)
    out = io.BytesIO()
    image.filter(ImageFilter.SMOOTH_MORE).crop((140, 150, 860, 770)).save(out, "JPEG", quality=90)
    return out.getvalue()


def _backdrop() -> Image.Image:
    """A wall that gets lighter downwards."""
    shades = Image.linear_gradient("L").resize((_WIDTH, _HEIGHT))
    above, below = (Image.new("RGB", shades.size, c) for c in ((214, 228, 226), (248, 244, 238)))
    return Image.composite(below, above, shades)


def _leaf(image: Image.Image, x: int, y: int, chance: Random) -> None:
    leaf = Image.new("RGBA", (96, 96))
    shade = tuple(part + chance.randint(-18, 18) for part in _LEAF)
    ImageDraw.Draw(leaf).ellipse((8, 34, 88, 62), fill=shade)
    turned = leaf.rotate(chance.randint(0, 359), Image.Resampling.BICUBIC)
    image.paste(turned, (x - 48, y - 48), turned)


def _bloom(draw: ImageDraw.ImageDraw, x: int, y: int, chance: Random) -> None:
    """Rings of petals, the inner ones darker."""
    colour = chance.choice(_BLOOMS)
    size = chance.randint(62, 76)
    for ring, petals in enumerate((9, 7, 5)):
        far, wide = size * (0.68 - ring * 0.24), size * (0.46 - ring * 0.09)
        shade = tuple(part - ring * 22 for part in colour)
        edge = tuple(part - 16 for part in shade)
        for petal in range(petals):
            turn = 2 * math.pi * (petal + ring / 2) / petals
            at_x, at_y = x + far * math.cos(turn), y + far * math.sin(turn)
            box = (at_x - wide, at_y - wide, at_x + wide, at_y + wide)
            draw.ellipse(box, fill=shade, outline=edge, width=2)
    draw.ellipse((x - 9, y - 9, x + 9, y + 9), fill=(244, 206, 98))
