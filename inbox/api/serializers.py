"""Shapes of conversations in the API."""

from rest_framework import serializers

from common.strict import StrictFields
from inbox.choices import ConversationStatus
from inbox.models import Conversation
from inbox.services import KEY_CHARACTERS
from messaging.choices import Direction
from messaging.pictures import PICTURES_LIMIT
from messaging.rendering import BODY_LIMIT


class ConversationSerializer(serializers.ModelSerializer):
    """A thread between one of your numbers and one phone."""

    contact = serializers.IntegerField(
        source="contact_id", allow_null=True, read_only=True, help_text="Id of who has the phone."
    )
    status = serializers.ChoiceField(choices=ConversationStatus.choices, read_only=True)
    assignee = serializers.EmailField(
        source="assignee.email", allow_null=True, default=None, read_only=True
    )
    last_direction = serializers.ChoiceField(
        choices=Direction.choices,
        allow_blank=True,
        read_only=True,
        help_text="Of the newest word.",
    )

    class Meta:
        model = Conversation
        fields = [
            "id",
            "our_number",
            "phone",
            "contact",
            "status",
            "assignee",
            "unread",
            "snippet",
            "last_direction",
            "last_message_at",
        ]
        read_only_fields = fields


class ReplySerializer(StrictFields, serializers.Serializer):
    """A reply in a thread."""

    body = serializers.CharField(
        max_length=BODY_LIMIT, allow_blank=True, default="", help_text="Blank only with `media`."
    )
    media = serializers.ListField(
        child=serializers.IntegerField(),
        default=list,
        max_length=PICTURES_LIMIT,
        help_text="Ids of pictures to send with it, in order (`/media/`).",
    )
    idempotency_key = serializers.CharField(
        max_length=KEY_CHARACTERS,
        help_text="Asking again with the same key sends nothing and returns the first message.",
    )
