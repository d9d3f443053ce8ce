"""Shapes of messages in the API."""

from rest_framework import serializers

from common.strict import StrictFields
from messaging.choices import Direction, MessageState, Reason
from messaging.models import Message
from messaging.pictures import PICTURES_LIMIT
from messaging.rendering import BODY_LIMIT


class MessageSerializer(serializers.ModelSerializer):
    """One text to or from one phone."""

    direction = serializers.ChoiceField(choices=Direction.choices, read_only=True)
    state = serializers.ChoiceField(choices=MessageState.choices, read_only=True)
    reason = serializers.ChoiceField(choices=Reason.choices, allow_blank=True, read_only=True)

    media = serializers.SerializerMethodField(
        help_text="Ids of its pictures, or of what came with it and was fetched (`/media/`)."
    )

    class Meta:
        model = Message
        fields = [
            "id",
            "direction",
            "phone",
            "our_number",
            "body",
            "media",
            "state",
            "reason",
            "carrier_code",
            "segments",
            "credits",
            "batch",
            "contact",
            "created_at",
            "accepted_at",
            "sent_at",
            "final_at",
            "human_click_at",
            "replied_at",
            "opted_out_at",
        ]
        read_only_fields = fields

    def get_media(self, message: Message) -> list[int]:
        """In order."""
        if message.batch is not None:
            return message.batch.media_ids
        came_in = sorted(message.inbound_media.all(), key=lambda one: one.n)
        return [one.media_id for one in came_in if one.media_id is not None]


class MessageSendSerializer(StrictFields, serializers.Serializer):
    """A text to one phone."""

    to = serializers.CharField(max_length=40, help_text="Phone, E.164 or as written nationally.")
    body = serializers.CharField(
        max_length=BODY_LIMIT, allow_blank=True, default="", help_text="Blank only with `media`."
    )
    media = serializers.ListField(
        child=serializers.IntegerField(),
        default=list,
        max_length=PICTURES_LIMIT,
        help_text="Ids of pictures to send with it, in order (`/media/`).",
    )
    sender = serializers.CharField(
        max_length=16, required=False, help_text="One of your numbers; else the usual one."
    )
    idempotency_key = serializers.CharField(
        max_length=80,
        help_text="Asking again with the same key sends nothing and returns the first message.",
    )
