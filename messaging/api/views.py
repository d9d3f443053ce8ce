"""`/api/v1/messages/`: list, read one, send one."""

from typing import Any

from django.db.models import QuerySet
from django.forms import IntegerField
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import calling_account, calling_user
from accounts.choices import Scope
from common.errors import Invalid
from common.phone import PhoneError, normalise
from contacts.selectors import contact_by_phone
from messaging.api.paging import MessagePagination
from messaging.api.serializers import MessageSendSerializer, MessageSerializer
from messaging.choices import BatchKind, Direction, MessageState, Priority, Reason
from messaging.models import Message, SenderNumber
from messaging.selectors import messages_list
from messaging.services import message_send


class IdFilter(filters.NumberFilter):
    """A row's id."""

    field_class = IntegerField


class MessageFilter(filters.FilterSet):
    """Query parameters of the list."""

    state = filters.ChoiceFilter(choices=MessageState.choices)
    reason = filters.ChoiceFilter(choices=Reason.choices)
    direction = filters.ChoiceFilter(choices=Direction.choices)
    phone = filters.CharFilter()
    batch = IdFilter(field_name="batch_id", min_value=1, max_value=2**63 - 1)

    class Meta:
        model = Message
        fields: list[str] = []


@extend_schema_view(retrieve=extend_schema(description="One message."))
class MessageViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Message]
):
    """The account's messages, newest first."""

    serializer_class = MessageSerializer
    filterset_class = MessageFilter
    pagination_class = MessagePagination
    queryset = Message.objects.none()
    required_scopes = {"create": Scope.SEND}

    def get_queryset(self) -> QuerySet[Message]:
        """Only the key's account."""
        rows = messages_list(account=calling_account(self.request))
        return rows.select_related("batch").prefetch_related("inbound_media")

    def looked_through(self) -> tuple[QuerySet[Message] | None, tuple[str]]:
        """What the messages asked for are among, and the key that finds it (`paging`).

        Nothing has to be looked through where an index knows all that is asked for: all messages,
        those of one batch, or those of one phone.
        """
        among = self.get_queryset()
        form = MessageFilter(self.request.query_params, queryset=among).form
        form.is_valid()  # or the list would have been refused before its pages
        asked = form.cleaned_data
        phone, batch = asked["phone"], asked["batch"]
        if phone:
            among = among.filter(phone=phone)
        elif batch:
            among = among.filter(batch_id=batch)
        looked_for = any(asked[name] for name in ("state", "reason", "direction"))
        return among if looked_for else None, ("recipient_no",) if batch and not phone else ("id",)

    @extend_schema(
        request=MessageSendSerializer,
        responses={
            201: MessageSerializer,
            200: OpenApiResponse(MessageSerializer, description="The key was used before."),
        },
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Send one text. Nobody who opted out is texted: the message is then `skipped`.

        A text to somebody who asked to be erased is refused (409, `erased`), and not kept.
        """
        form = MessageSendSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        account = calling_account(request)
        try:
            phone = normalise(form.validated_data["to"], account.default_country)
        except PhoneError as error:
            raise Invalid(str(error), code=error.code, fields={"to": str(error)}) from error
        key = f"api:{form.validated_data['idempotency_key']}"
        before = Message.objects.filter(batch__account=account, batch__request_key=key).exists()
        message = message_send(
            account=account,
            actor=calling_user(request),
            phone=phone.e164,
            body=form.validated_data["body"],
            media_ids=form.validated_data["media"],
            sender=self._sender(form.validated_data.get("sender")),
            kind=BatchKind.API,
            priority=Priority.SINGLE,
            request_key=key,
            contact=contact_by_phone(account=account, phone=phone.e164),
        )
        answer = status.HTTP_200_OK if before else status.HTTP_201_CREATED
        return Response(MessageSerializer(message).data, status=answer)

    def _sender(self, phone: str | None) -> SenderNumber | None:
        if phone is None:
            return None
        sender = SenderNumber.objects.filter(
            account=calling_account(self.request), phone=phone, released_at__isnull=True
        ).first()
        if sender is None:
            raise Invalid(
                "This is not one of your numbers; nothing was sent.", fields={"sender": phone}
            )
        return sender
