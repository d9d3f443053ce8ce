"""Pictures for tests, made on the spot."""

import io
from typing import Any

from PIL import Image


def picture(
    kind: str = "JPEG", size: tuple[int, int] = (40, 30), color: str = "red", **how: Any
) -> bytes:
    """A picture of one colour as a file."""
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, kind, **how)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    """A file as Pillow reads it, decoded."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
