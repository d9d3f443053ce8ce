"""Pictures as they are kept and sent: looked at, made smaller, stripped. Pure: no database.

Owns what may be a picture and what is left of an upload. Every picture is decoded and written
anew, so nothing of the file that came survives but its pixels and its colours: no EXIF, no place
where it was taken, no comment, nothing appended. Limits are carriers' own (docs/mms.md).
"""

import io
import warnings
from typing import Final, NamedTuple

from django.core.files.uploadedfile import UploadedFile
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from messaging.errors import MediaRefused

UPLOAD_LIMIT_BYTES: Final = 10_000_000
KEPT_LIMIT_BYTES: Final = 1_000_000
# Twilio takes ten of together 5 MB; five of ours are never more.
PICTURES_LIMIT: Final = 5
# A photograph of 50 megapixels, or a short animation. A small file may claim far more.
PIXELS_LIMIT: Final = 50_000_000
FRAMES_LIMIT: Final = 500
SIDE_LIMIT: Final = 1_600
# Tried in turn until a photograph is small enough.
_QUALITIES: Final = (85, 75, 60)
_FORMATS: Final = ("JPEG", "PNG", "GIF")
_TYPES: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif"}
_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
ACCEPTED: Final = tuple(_TYPES.values())

# Pillow itself refuses twice this many, wherever a file claims them: a later frame of a GIF may be
# larger than its screen. At half of that it only warns.
Image.MAX_IMAGE_PIXELS = PIXELS_LIMIT // 2
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class Picture(NamedTuple):
    """A picture ready to be kept."""

    content_type: str
    data: bytes
    width: int
    height: int


def upload_bytes(file: UploadedFile) -> bytes:
    """What is in a file that somebody uploaded; one that is too large is not even read.

    Raises:
        MediaRefused: it is too large in bytes.
    """
    _refuse_many_bytes(file.size or 0)
    return bytes(file.read())


def picture_made(data: bytes) -> Picture:
    """A picture as it will be sent, from whatever somebody uploaded.

    What it is, is told by its content alone. Photographs are turned upright; JPEG and PNG larger
    than 1,600 points are made smaller.

    Raises:
        MediaRefused: it is no JPEG, PNG or GIF, damaged, or too large in bytes or points.
    """
    if not data:
        raise MediaRefused("This file is empty. Nothing was kept. Choose another picture.")
    _refuse_many_bytes(len(data))
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return _made(image)
    except MediaRefused:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_points() from error
    except UnidentifiedImageError as error:
        raise MediaRefused(
            "Phones get JPEG, PNG and GIF pictures; this file is none of them, whatever its name"
            " says. Nothing was kept. Save the picture as JPEG and upload that."
        ) from error
    # What Pillow's decoders raise for damaged files, and nothing else stands in the block.
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError) as error:
        raise MediaRefused(
            "This picture is damaged and cannot be shown. Nothing was kept. Open it in another"
            " program, save it anew and upload that."
        ) from error


def _refuse_many_bytes(size_bytes: int) -> None:
    if size_bytes > UPLOAD_LIMIT_BYTES:
        raise MediaRefused(
            f"This file has {size_bytes / 1e6:,.1f} MB; {UPLOAD_LIMIT_BYTES / 1e6:,.0f} MB is the"
            " most. Nothing was kept. Make the picture smaller and upload it again."
        )


def _made(image: Image.Image) -> Picture:
    if image.format == "GIF":
        return _kept("GIF", _animation(image), image.width, image.height)
    icc = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((SIDE_LIMIT, SIDE_LIMIT))
    if image.format == "PNG":
        flat = upright if upright.mode in _PNG_MODES else upright.convert("RGB")
        return _kept("PNG", _written(flat, "PNG", icc, optimize=True), *flat.size)
    # CMYK profiles do not fit RGB; those of RGB and grey do.
    flat = upright if upright.mode in ("RGB", "L") else upright.convert("RGB")
    icc = icc if flat is upright else None
    for quality in _QUALITIES:
        written = _written(flat, "JPEG", icc, quality=quality)
        if len(written) <= KEPT_LIMIT_BYTES:
            break
    return _kept("JPEG", written, *flat.size)


def _written(image: Image.Image, kind: str, icc: bytes | None, **how: int) -> bytes:
    image.info = {key: image.info[key] for key in ("transparency",) if key in image.info}
    out = io.BytesIO()
    image.save(out, kind, icc_profile=icc, **how)
    return out.getvalue()


def _animation(image: Image.Image) -> bytes:
    """A GIF written anew, frame for frame, with its timing and without its comments."""
    frames: list[Image.Image] = []
    durations = []
    points = 0
    for frame in ImageSequence.Iterator(image):
        # Its head alone was read: it is decoded when it is copied.
        points += frame.width * frame.height
        if points > PIXELS_LIMIT:
            raise _too_many_points()
        if len(frames) == FRAMES_LIMIT:
            raise MediaRefused(
                f"This GIF has more than {FRAMES_LIMIT} frames. Nothing was kept. Use fewer"
                " frames, and upload that."
            )
        durations.append(frame.info.get("duration", 0))
        copy = frame.copy()
        copy.info = {key: copy.info[key] for key in ("transparency",) if key in copy.info}
        frames.append(copy)
    out = io.BytesIO()
    timing = {"duration": durations} if len(frames) > 1 else {}
    if "loop" in image.info:
        timing["loop"] = image.info["loop"]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], **timing)
    return out.getvalue()


def _kept(kind: str, data: bytes, width: int, height: int) -> Picture:
    if len(data) > KEPT_LIMIT_BYTES:
        way = (
            "Use fewer frames or fewer points"
            if kind == "GIF"
            else "Save it as JPEG, which is smaller"
        )
        raise MediaRefused(
            f"This {kind} has {len(data) / 1e6:,.1f} MB as it would be sent; carriers pass on"
            f" {KEPT_LIMIT_BYTES / 1e6:,.0f} MB. Nothing was kept. {way}, and upload that."
        )
    return Picture(_TYPES[kind], data, width, height)


def _too_many_points() -> MediaRefused:
    return MediaRefused(
        f"This picture has more than {PIXELS_LIMIT // 1_000_000} million points, all frames"
        " together. Nothing was kept. Make it smaller and upload it again."
    )


def sniffed(data: bytes) -> str:
    """The type of a picture by its first bytes; "" for everything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return ""
