"""`/api/v1/media/`: upload a picture to send with texts, look at one, fetch what came in."""

import base64
import binascii
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import calling_account, calling_user
from common.clock import now
from common.openapi import BinaryField
from common.strict import JSONParser, StrictFields
from messaging.media_links import media_url
from messaging.models import Media
from messaging.pictures import UPLOAD_LIMIT_BYTES, upload_bytes
from messaging.services.media import media_upload


class MediaSerializer(serializers.ModelSerializer):
    """A picture of the account, or a file that came in with a text."""

    url = serializers.SerializerMethodField(
        help_text="Where to fetch it without a key, for a week. Whoever has the address may."
    )

    class Meta:
        model = Media
        fields = ["id", "content_type", "size_bytes", "width", "height", "created_at", "url"]
        read_only_fields = fields

    def get_url(self, media: Media) -> str:
        """Signed anew each time."""
        return media_url(media.pk, at=now())


class MediaFormSerializer(StrictFields, serializers.Serializer):
    """A form with a picture to send with texts."""

    file = BinaryField(
        allow_empty_file=True,
        use_url=False,
        help_text="A JPEG, PNG or GIF of up to 10 MB; its name and header do not matter.",
    )

    def validate_file(self, file: UploadedFile) -> bytes:
        """The bytes."""
        return upload_bytes(file)


class MediaUploadSerializer(StrictFields, serializers.Serializer):
    """A picture to send with texts, for callers that send JSON alone."""

    file_base64 = serializers.CharField(
        max_length=UPLOAD_LIMIT_BYTES * 3 // 2,
        help_text="A JPEG, PNG or GIF of up to 10 MB, in base64.",
    )

    def validate_file_base64(self, text: str) -> bytes:
        """The bytes."""
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise serializers.ValidationError("This is not base64.") from error


@extend_schema_view(
    retrieve=extend_schema(description="One picture, or file that came in, and where to fetch it.")
)
class MediaViewSet(mixins.RetrieveModelMixin, viewsets.GenericViewSet[Media]):
    """Pictures of the account."""

    serializer_class = MediaSerializer
    queryset = Media.objects.none()
    parser_classes = [MultiPartParser, JSONParser]

    def get_queryset(self) -> QuerySet[Media]:
        """Only the key's account."""
        return Media.objects.filter(account=calling_account(self.request))

    @extend_schema(
        request={
            "multipart/form-data": MediaFormSerializer,
            "application/json": MediaUploadSerializer,
        },
        responses={201: MediaSerializer},
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Upload a picture, as a form with a file; the same one uploaded again has the same id.

        It is written anew, without its EXIF data, and made smaller where it is larger than phones
        show. One that no text uses is removed after a day.
        """
        is_form = (request.content_type or "").startswith(MultiPartParser.media_type)
        form = (MediaFormSerializer if is_form else MediaUploadSerializer)(data=request.data)
        form.is_valid(raise_exception=True)
        [data] = form.validated_data.values()
        media = media_upload(
            account=calling_account(request), actor=calling_user(request), data=data
        )
        return Response(MediaSerializer(media).data, status=status.HTTP_201_CREATED)
