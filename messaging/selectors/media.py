"""Reads of pictures: those of a text in their order, and the bytes of one."""

from collections.abc import Iterable, Sequence

from django.core.files.storage import default_storage

from accounts.models import Account
from messaging.models import Batch, Media


def media_list(*, account: Account, media_ids: Sequence[int]) -> list[Media]:
    """The account's pictures with these ids, in this order; what is gone is left out. One query."""
    if not media_ids:
        return []
    found = Media.objects.filter(account=account).in_bulk(list(media_ids))
    return [found[one] for one in media_ids if one in found]


def media_of(batches: Iterable[Batch | None]) -> dict[int, list[Media]]:
    """The pictures of some batches, in order, by batch id. One query where any has some."""
    with_media = {batch.pk: batch for batch in batches if batch is not None and batch.media_ids}
    ids = {one for batch in with_media.values() for one in batch.media_ids}
    found = Media.objects.in_bulk(ids) if ids else {}
    return {
        pk: [
            found[one]
            for one in batch.media_ids
            if one in found and found[one].account_id == batch.account_id
        ]
        for pk, batch in with_media.items()
    }


def media_bytes(media: Media) -> bytes:
    """What is in its file.

    Raises:
        FileNotFoundError: the storage has lost it.
    """
    with default_storage.open(media.path) as file:
        return bytes(file.read())


def media_headers(media: Media) -> dict[str, str]:
    """How its bytes are answered: a picture is shown, anything else is only saved, nothing runs."""
    shown = media.is_picture
    return {
        "Content-Type": media.content_type if shown else "application/octet-stream",
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename={media.filename}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
