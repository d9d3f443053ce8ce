"""`/api/v1/conversations/`: threads, their texts, and replies."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.choices import Scope
from inbox import selectors, services
from inbox.models import Conversation
from messaging.api.serializers import MessageSerializer
from messaging.rendering import BODY_LIMIT


class ConversationSerializer(serializers.ModelSerializer):
    """A thread between one of your numbers and one phone."""

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
            "last_message_at",
        ]
        read_only_fields = fields


class ReplySerializer(serializers.Serializer):
    """A reply in a thread."""

    body = serializers.CharField(max_length=BODY_LIMIT)
    idempotency_key = serializers.CharField(max_length=80)


class ConversationViewSet(viewsets.ReadOnlyModelViewSet[Conversation]):
    """The account's conversations, newest first."""

    serializer_class = ConversationSerializer
    queryset = Conversation.objects.none()
    required_scopes = {"reply": Scope.SEND}

    def get_queryset(self) -> QuerySet[Conversation]:
        """Only the key's account."""
        return Conversation.objects.filter(account=self.request.auth.account)

    @extend_schema(responses=MessageSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None)
    def messages(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The newest texts of the thread, oldest first."""
        items = selectors.thread(conversation=self.get_object())
        rows = [item.row for item in items if item.kind == "message"]
        return Response(MessageSerializer(rows, many=True).data)

    @extend_schema(request=ReplySerializer, responses={201: MessageSerializer})
    @action(detail=True, methods=["post"])
    def reply(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Reply from the number the thread runs on."""
        conversation = self.get_object()
        form = ReplySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        message = services.conversation_reply(
            account=request.auth.account,
            actor=request.user,
            conversation=conversation,
            body=form.validated_data["body"],
            request_key=form.validated_data["idempotency_key"],
        )
        return Response(MessageSerializer(message).data, status=status.HTTP_201_CREATED)
