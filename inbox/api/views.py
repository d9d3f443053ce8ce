"""`/api/v1/conversations/`: threads, their texts, and replies."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import calling_account, calling_user
from accounts.choices import Scope
from inbox import selectors, services
from inbox.api.serializers import ConversationSerializer, ReplySerializer
from inbox.choices import ConversationStatus
from inbox.models import Conversation
from messaging.api.serializers import MessageSerializer


class ConversationFilter(filters.FilterSet):
    """Query parameters of the list."""

    status = filters.ChoiceFilter(choices=ConversationStatus.choices)
    phone = filters.CharFilter(help_text="Exactly this number, E.164.")
    unread = filters.BooleanFilter(method="with_unread", help_text="Only those with unread texts.")

    class Meta:
        model = Conversation
        fields: list[str] = []

    def with_unread(
        self, rows: QuerySet[Conversation], name: str, value: bool
    ) -> QuerySet[Conversation]:
        """Those that hold something unread, or those that do not."""
        return rows.filter(unread__gt=0) if value else rows.filter(unread=0)


@extend_schema_view(retrieve=extend_schema(description="One conversation."))
class ConversationViewSet(viewsets.ReadOnlyModelViewSet[Conversation]):
    """The account's conversations, those begun last first."""

    serializer_class = ConversationSerializer
    filterset_class = ConversationFilter
    queryset = Conversation.objects.none()
    required_scopes = {"reply": Scope.SEND}

    def get_queryset(self) -> QuerySet[Conversation]:
        """Only the key's account."""
        return selectors.conversations_all(account=calling_account(self.request))

    @extend_schema(responses=MessageSerializer(many=True))
    @action(detail=True, filter_backends=[], pagination_class=None)
    def messages(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The newest texts of the thread, newest first."""
        rows = selectors.thread_messages(conversation=self.get_object())
        return Response(MessageSerializer(rows, many=True).data)

    @extend_schema(request=ReplySerializer, responses={201: MessageSerializer})
    @action(detail=True, methods=["post"], filter_backends=[], pagination_class=None)
    def reply(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Reply from the number the thread runs on. To who opted out it is `skipped`."""
        conversation = self.get_object()
        form = ReplySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        message = services.conversation_reply(
            account=calling_account(request),
            actor=calling_user(request),
            conversation=conversation,
            body=form.validated_data["body"],
            request_key=form.validated_data["idempotency_key"],
            media_ids=form.validated_data["media"],
        )
        return Response(MessageSerializer(message).data, status=status.HTTP_201_CREATED)
