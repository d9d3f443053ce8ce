"""What may be a picture, and what is left of it."""

import io
import os
import zlib
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from messaging import pictures
from messaging.errors import MediaRefused
from messaging.pictures import KEPT_LIMIT_BYTES, picture_made, sniffed
from tests.pictures import opened, picture

GPS, ORIENTATION = 0x8825, 0x0112


def photograph(size: tuple[int, int], *, orientation: int = 1) -> bytes:
    """A JPEG as a phone takes it: with the place, the phone, and how it was held."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x010F] = "A phone"
    exif.get_ifd(GPS)[2] = (52.0, 31.0, 12.0)
    return picture(size=size, exif=exif)


def test_a_photograph_loses_where_it_was_taken_and_stands_upright() -> None:
    taken = photograph((400, 300), orientation=6)
    assert dict(opened(taken).getexif().get_ifd(GPS)) == {2: (52.0, 31.0, 12.0)}

    made = picture_made(taken)

    assert (made.content_type, made.width, made.height) == ("image/jpeg", 300, 400)
    kept = opened(made.data)
    assert (kept.format, kept.size, dict(kept.getexif())) == ("JPEG", (300, 400), {})
    assert b"A phone" not in made.data


def test_what_is_larger_than_phones_show_is_made_smaller() -> None:
    made = picture_made(picture(size=(4000, 3000)))

    assert (made.width, made.height, opened(made.data).size) == (1600, 1200, (1600, 1200))


def test_a_photograph_full_of_detail_is_made_small_enough() -> None:
    noise = Image.frombytes("RGB", (1500, 1200), os.urandom(1500 * 1200 * 3))
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=95)
    assert len(out.getvalue()) > KEPT_LIMIT_BYTES

    assert len(picture_made(out.getvalue()).data) <= KEPT_LIMIT_BYTES


def test_words_in_a_png_and_what_is_put_behind_it_are_dropped() -> None:
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "taken at home")
    data = picture("PNG", pnginfo=words) + b"<script>alert(1)</script>"

    made = picture_made(data)

    assert made.content_type == "image/png"
    assert b"taken at home" not in made.data
    assert b"<script>" not in made.data
    assert opened(made.data).getpixel((0, 0)) == (255, 0, 0)


def test_an_animation_keeps_its_frames_and_their_times() -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "green", "blue")]
    out = io.BytesIO()
    frames[0].save(
        out,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[100, 200, 300],
        loop=0,
        comment=b"made by Bob",
    )

    made = picture_made(out.getvalue())

    kept: Any = Image.open(io.BytesIO(made.data))
    assert (made.content_type, kept.n_frames, kept.info["loop"]) == ("image/gif", 3, 0)
    times = []
    for place in range(kept.n_frames):
        kept.seek(place)
        times.append(kept.info["duration"])
    assert times == [100, 200, 300]
    assert b"made by Bob" not in made.data


def test_transparency_stays() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, "PNG")

    assert opened(picture_made(out.getvalue()).data).getpixel((5, 5)) == (0, 0, 0, 0)


def png_of(width: int, height: int) -> bytes:
    """A tiny file whose head claims a huge picture."""

    def part(kind: bytes, data: bytes) -> bytes:
        sum_ = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + sum_

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    body = part(b"IHDR", head) + part(b"IDAT", zlib.compress(b"\0" * 64)) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"Hello, this is a text.", "none of them"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "none of them"),
        (picture("WEBP"), "none of them"),
        (picture("BMP"), "none of them"),
        (b"%PDF-1.4 " + picture(), "none of them"),
        (picture(size=(400, 300))[:600], "damaged"),
        (png_of(60_000, 60_000), "million points"),
        (png_of(9_000, 9_000), "million points"),
        (png_of(100, 100), "damaged"),
        (picture() + b"\0" * 10_000_000, "10 MB is the most"),
    ],
    ids=[
        "empty", "text", "svg", "webp", "bmp", "pdf", "cut", "bomb", "large", "no pixels", "bytes",
    ],
)  # fmt: skip
def test_what_is_no_picture_for_phones_is_refused_with_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(MediaRefused) as refused:
        picture_made(data)

    assert words in refused.value.message
    assert "Nothing was kept." in refused.value.message
    assert refused.value.fields == {"media": refused.value.message}


def test_a_png_that_stays_too_large_says_what_helps() -> None:
    out = io.BytesIO()
    Image.frombytes("RGB", (800, 800), os.urandom(800 * 800 * 3)).save(out, "PNG")

    with pytest.raises(MediaRefused) as refused:
        picture_made(out.getvalue())

    assert "1.9 MB as it would be sent" in refused.value.message
    assert "Save it as JPEG" in refused.value.message


ONE_POINT, TWO_POINTS = b"\2\2\x44\1\0", b"\2\2\x04\x0a\0"


def gif_of(*frames: tuple[int, int]) -> bytes:
    """A GIF whose screen is one point, with frames that claim these sizes and hold one or two."""
    head = b"GIF89a" + b"\1\0\1\0" + b"\x80\0\0" + b"\0\0\0\xff\0\0"
    parts = [
        b",\0\0\0\0" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + b"\0"
        + (ONE_POINT if width == 1 else TWO_POINTS)
        for width, height in frames
    ]  # fmt: skip
    return head + b"".join(parts) + b";"


def test_a_later_frame_larger_than_the_screen_is_counted_before_it_is_decoded() -> None:
    with pytest.raises(MediaRefused) as refused:
        picture_made(gif_of((1, 1), (13_000, 13_000)))

    assert "more than 50 million points" in refused.value.message


def test_the_points_of_frames_are_counted_as_large_as_they_are(monkeypatch: Any) -> None:
    monkeypatch.setattr(pictures, "PIXELS_LIMIT", 5)

    assert picture_made(gif_of((1, 1), (2, 1), (2, 1))).content_type == "image/gif"
    with pytest.raises(MediaRefused, match="all frames together"):
        picture_made(gif_of((1, 1), (2, 1), (2, 1), (2, 1)))


def test_an_animation_has_so_many_frames_and_no_more() -> None:
    assert picture_made(gif_of(*[(1, 1)] * 500)).content_type == "image/gif"
    with pytest.raises(MediaRefused, match="more than 500 frames"):
        picture_made(gif_of(*[(1, 1)] * 501))


def test_types_are_told_by_the_first_bytes() -> None:
    kinds = {kind: sniffed(picture(kind)) for kind in ("JPEG", "PNG", "GIF", "WEBP")}

    assert kinds == {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": ""}
    assert sniffed(b"<html>") == ""
