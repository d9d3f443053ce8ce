"""Pictures of an account: kept once each, asked for by whoever uses them, removed when nobody does.

Owns `Media` and its files in Django's storage. What may be a picture is `messaging.pictures`'.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from accounts.models import Account, User
from accounts.services import audit_record
from common.clock import now
from common.errors import NotFound
from messaging.errors import MediaRefused, SenderWithoutPictures
from messaging.media_uses import media_used
from messaging.models import Media, SenderNumber
from messaging.pictures import PICTURES_LIMIT, picture_made

# A form that is open may still name it; so may an upload whose text is not sent yet.
KEPT_UNUSED: Final = timedelta(days=1)
_SWEPT_AT_ONCE: Final = 500


def media_upload(*, account: Account, actor: User | None, data: bytes) -> Media:
    """Keep a picture to send. Uploading the same one again gives the one that is there.

    Raises:
        MediaRefused: it is no picture that phones show, or too large.

    Side effects: a file in the storage.
    """
    picture = picture_made(data)
    with transaction.atomic():
        media = media_keep(
            account=account,
            actor=actor,
            data=picture.data,
            content_type=picture.content_type,
            width=picture.width,
            height=picture.height,
        )
        audit_record(
            account=account,
            actor=actor,
            action="media.uploaded",
            subject=str(media),
            data={"media": media.pk},
        )
    return media


@transaction.atomic
def media_keep(
    *,
    account: Account,
    actor: User | None,
    data: bytes,
    content_type: str,
    width: int = 0,
    height: int = 0,
) -> Media:
    """Keep bytes under their content; the same ones are one row and one file.

    What was only received becomes sendable once it is uploaded: then it has a width and a height.
    The row comes first: a sweep that is removing the same content at this moment is waited for.

    Locks: the picture's row.
    """
    media = Media(
        account=account,
        sha256=hashlib.sha256(data).hexdigest(),
        content_type=content_type,
        size_bytes=len(data),
        width=width,
        height=height,
        created_by=actor,
    )
    (media,) = Media.objects.bulk_create(
        [media],
        update_conflicts=True,
        unique_fields=["account", "sha256"],
        update_fields=["wanted_at", *(["width", "height"] if width else [])],
    )
    media = Media.objects.get(pk=media.pk)  # one that was there keeps what it has
    if default_storage.exists(media.path):
        if default_storage.size(media.path) == len(data):
            return media
        # A full disk or an ended process left a part of it.
        default_storage.delete(media.path)
    default_storage.save(media.path, ContentFile(data))
    return media


def media_wanted(
    *, account: Account, media_ids: Sequence[int], senders: Sequence[SenderNumber] = ()
) -> list[int]:
    """Pictures that a text is to carry, each once, held until the transaction ends.

    Raises:
        MediaRefused: more than carriers take, or one that came in and was never uploaded.
        NotFound: one of them is not the account's, or is gone.
        SenderWithoutPictures: one of the numbers sends words only.

    Locks: the pictures' rows, by id.
    """
    ids = list(dict.fromkeys(media_ids))
    if not ids:
        return []
    if len(ids) > PICTURES_LIMIT:
        raise MediaRefused(
            f"A text carries up to {PICTURES_LIMIT} pictures; these are {len(ids)}. Nothing was"
            " changed. Take some out."
        )
    for sender in senders:
        if not sender.can_mms:
            raise SenderWithoutPictures(sender.phone)
    with transaction.atomic():
        rows = Media.objects.select_for_update(no_key=True).filter(account=account, pk__in=ids)
        found = dict(rows.order_by("pk").values_list("pk", "width"))
        if len(found) != len(ids):
            raise NotFound("One of the pictures does not exist any more. Upload it again.")
        # Files that came in are kept as they came, and may hold where they were taken.
        if not all(found.values()):
            raise MediaRefused(
                "One of the files came in with a text; only uploaded pictures are sent. Nothing"
                " was changed. Save it and upload it as a picture."
            )
        Media.objects.filter(pk__in=found).update(wanted_at=now())
    return ids


def media_sweep() -> int:
    """Remove pictures that nothing has referred to for a day, file and row.

    Returns:
        How many were removed.

    Locks: the pictures' rows (SKIP LOCKED), so that whoever begins to use one waits and is told.
    """
    removed = 0
    while True:
        with transaction.atomic():
            rows = list(
                Media.objects.select_for_update(skip_locked=True)
                .filter(wanted_at__lt=now() - KEPT_UNUSED)
                .order_by("wanted_at")[:_SWEPT_AT_ONCE]
            )
            used = media_used([row.pk for row in rows])
            # Looked at again a day later, so that a sweep does not read all that is in use.
            Media.objects.filter(pk__in=used).update(wanted_at=now())
            gone = [row for row in rows if row.pk not in used]
            # While the row is locked: nobody keeps the same content until it is gone.
            for row in gone:
                default_storage.delete(row.path)
            Media.objects.filter(pk__in=[row.pk for row in gone]).delete()
        removed += len(gone)
        if len(rows) < _SWEPT_AT_ONCE:
            return removed
